using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Belfry.Alerting.Timeline;
using Belfry.Log;

namespace Belfry.Alerting.Planning;

/// <summary>Writes and reads the records of the planning topics, of <c>notifications</c>, and the log entries planning writes.</summary>
public static class PlanningWire
{
    private const int Version = 1;
    private const string EpochHeader = "epoch";

    /// <summary>The record key on <c>planning-assignments</c>, by which it is compacted.</summary>
    internal static string KeyOf(UserId user, IncidentId incident) => $"{user}/{incident}";

    /// <summary>
    /// The end of all that <c>planning-assignments</c> says of a user and a resolved incident. Header <c>epoch</c>: the incident's, so
    /// that a late repeat forgets nothing newer.
    /// </summary>
    internal static OutgoingRecord Tombstone(Topics topics, UserId user, IncidentId incident, long epoch) => new()
    {
        Topic = topics.PlanningAssignments.Name,
        OrderingKey = user.ToString(),
        Key = KeyOf(user, incident),
        Value = ReadOnlyMemory<byte>.Empty,
        Headers = [new(EpochHeader, epoch.ToString(CultureInfo.InvariantCulture))],
    };

    /// <exception cref="FormatException">The key is not of the form <c>user/incident</c>, or the epoch is no number.</exception>
    internal static PlanningInput.AssignmentForgotten DecodeTombstone(LogRecord record)
    {
        if ((record.Key ?? "").Split('/') is not [var user, var incident])
            throw new FormatException($"The tombstone's key '{record.Key}' is not of the form user/incident.");
        var epoch = record.Headers.Where(header => header.Key == EpochHeader).Select(header => header.Value).FirstOrDefault();
        var (userId, incidentId) = (Id.Parse<UserId>(user), Id.Parse<IncidentId>(incident));
        if (epoch is null) return new PlanningInput.AssignmentForgotten(userId, incidentId);
        return long.TryParse(epoch, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? new PlanningInput.AssignmentForgotten(userId, incidentId, number)
            : throw new FormatException($"The tombstone's epoch '{epoch}' is no number.");
    }

    public static byte[] Encode(Assignment assignment) => JsonSerializer.SerializeToUtf8Bytes(assignment, PlanningJson.Default.Assignment);

    public static byte[] Encode(ContactRules rules) => JsonSerializer.SerializeToUtf8Bytes(rules, PlanningJson.Default.ContactRules);

    public static byte[] Encode(PlanningFeedback feedback) =>
        JsonSerializer.SerializeToUtf8Bytes(feedback, PlanningJson.Default.PlanningFeedback);

    public static byte[] Encode(Notification notification) =>
        JsonSerializer.SerializeToUtf8Bytes(notification, PlanningJson.Default.Notification);

    internal static byte[] Encode(LogEntry entry) => JsonSerializer.SerializeToUtf8Bytes(entry, PlanningJson.Default.LogEntry);

    internal static byte[] Encode(RuleTimer timer) => JsonSerializer.SerializeToUtf8Bytes(timer, PlanningJson.Default.RuleTimer);

    /// <exception cref="FormatException">The bytes are no assignment of a known version.</exception>
    public static Assignment DecodeAssignment(ReadOnlyMemory<byte> value) => Decode(value, PlanningJson.Default.Assignment, a => a.Version);

    /// <exception cref="FormatException">The bytes are no contact rules of a known version.</exception>
    public static ContactRules DecodeContactRules(ReadOnlyMemory<byte> value) =>
        Decode(value, PlanningJson.Default.ContactRules, r => r.Version);

    /// <exception cref="FormatException">The bytes are no feedback of a known version.</exception>
    public static PlanningFeedback DecodeFeedback(ReadOnlyMemory<byte> value) =>
        Decode(value, PlanningJson.Default.PlanningFeedback, f => f.Version);

    /// <exception cref="FormatException">The bytes are no notification of a known version.</exception>
    public static Notification DecodeNotification(ReadOnlyMemory<byte> value) =>
        Decode(value, PlanningJson.Default.Notification, n => n.Version);

    /// <exception cref="FormatException">The bytes are no rule timer of a known version.</exception>
    internal static RuleTimer DecodeTimer(ReadOnlyMemory<byte> value) => Decode(value, PlanningJson.Default.RuleTimer, t => t.Version);

    private static T Decode<T>(ReadOnlyMemory<byte> value, JsonTypeInfo<T> json, Func<T, int> versionOf) where T : class
    {
        T? read;
        try
        {
            read = JsonSerializer.Deserialize(value.Span, json);
        }
        catch (JsonException fault)
        {
            throw new FormatException($"The record is no {typeof(T).Name}: {fault.Message}", fault);
        }

        if (read is null) throw new FormatException($"The record is the JSON literal null, not a {typeof(T).Name}.");
        return versionOf(read) == Version
            ? read
            : throw new FormatException($"The {typeof(T).Name} has version {versionOf(read)}; this program reads version {Version}.");
    }
}

/// <summary>The payload of a rule's timer.</summary>
internal sealed record RuleTimer
{
    public int Version { get; init; } = 1;
    public required UserId UserId { get; init; }
    public required IncidentId IncidentId { get; init; }
    public required long Epoch { get; init; }
    public required NotificationRuleId RuleId { get; init; }
}

/// <summary>What else is known of a planned, sent, failed or skipped notification: the details of a log entry.</summary>
internal sealed record NotifyDetails
{
    /// <summary><c>planned</c>, <c>sending</c>, <c>sent</c>, <c>retry</c>, <c>unknown</c>, <c>dead</c> or <c>skipped</c>.</summary>
    public required string State { get; init; }
    public required UserId UserId { get; init; }
    public NotificationId? NotificationId { get; init; }
    public NotificationRuleId? RuleId { get; init; }
    public ContactMethodId? ContactMethodId { get; init; }
    public string? Channel { get; init; }
    public int? Level { get; init; }
    public int? Attempt { get; init; }
    public string? Reason { get; init; }
    public string? ProviderReference { get; init; }

    /// <summary>When it is due, or tried again.</summary>
    public DateTimeOffset? NextAt { get; init; }

    public JsonElement ToJson() => JsonSerializer.SerializeToElement(this, PlanningJson.Default.NotifyDetails);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(Assignment))]
[JsonSerializable(typeof(ContactRules))]
[JsonSerializable(typeof(PlanningFeedback))]
[JsonSerializable(typeof(Notification))]
[JsonSerializable(typeof(LogEntry))]
[JsonSerializable(typeof(RuleTimer))]
[JsonSerializable(typeof(NotifyDetails))]
internal sealed partial class PlanningJson : JsonSerializerContext;
