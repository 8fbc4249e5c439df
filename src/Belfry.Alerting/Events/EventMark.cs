using System.Text.Json;
using System.Text.Json.Serialization;

namespace Belfry.Alerting.Events;

[JsonConverter(typeof(JsonStringEnumConverter<EventProgress>))]
public enum EventProgress
{
    [JsonStringEnumMemberName("received")] Received,
    [JsonStringEnumMemberName("processed")] Processed,
    [JsonStringEnumMemberName("failed")] Failed,
}

/// <summary>What <see cref="EventTrail"/> keeps of one accepted event at one step of its way. What is not known is null.</summary>
public sealed record EventMark
{
    private const int ReasonCharactersMax = 500;

    public required EventId Id { get; init; }
    public required EventProgress Progress { get; init; }

    /// <summary>When it came so far, UTC.</summary>
    public required DateTimeOffset At { get; init; }
    public DateTimeOffset? ReceivedAt { get; init; }
    public ServiceId? ServiceId { get; init; }
    public IntegrationId? IntegrationId { get; init; }
    public EventAction? Action { get; init; }

    /// <summary>Empty for a change event.</summary>
    public string? DedupKey { get; init; }
    public string? Summary { get; init; }

    /// <summary>Why it failed, or changed nothing.</summary>
    public string? Reason { get; init; }
    public IncidentId? IncidentId { get; init; }

    public static EventMark Of(AlertEvent alertEvent, EventProgress progress, DateTimeOffset at) => new()
    {
        Id = alertEvent.Id,
        Progress = progress,
        At = at,
        ReceivedAt = alertEvent.ReceivedAt,
        ServiceId = alertEvent.ServiceId,
        IntegrationId = alertEvent.IntegrationId,
        Action = alertEvent.Action,
        DedupKey = alertEvent.DedupKey,
        Summary = alertEvent.Summary,
    };

    internal byte[] Encode() => JsonSerializer.SerializeToUtf8Bytes(
        this with { Summary = RefusedEvent.Cut(Summary), Reason = RefusedEvent.Cut(Reason, ReasonCharactersMax) },
        EventsJson.Default.EventMark);

    /// <summary>Null: not readable, as what a newer program wrote may be.</summary>
    internal static EventMark? Decode(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            return JsonSerializer.Deserialize(bytes.Span, EventsJson.Default.EventMark);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
