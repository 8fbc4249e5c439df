using System.Text.Json.Serialization;

namespace Belfry.Alerting.Incidents;

[JsonConverter(typeof(JsonStringEnumConverter<CommandKind>))]
public enum CommandKind
{
    [JsonStringEnumMemberName("acknowledge")] Acknowledge,
    [JsonStringEnumMemberName("resolve")] Resolve,
    [JsonStringEnumMemberName("escalate")] Escalate,
    [JsonStringEnumMemberName("reassign")] Reassign,
    [JsonStringEnumMemberName("snooze")] Snooze,
    [JsonStringEnumMemberName("note")] Note,
    [JsonStringEnumMemberName("reopen")] Reopen,
    [JsonStringEnumMemberName("timer_fired")] TimerFired,
}

[JsonConverter(typeof(JsonStringEnumConverter<IncidentTimer>))]
public enum IncidentTimer
{
    [JsonStringEnumMemberName("escalate")] Escalate,
    [JsonStringEnumMemberName("unacknowledge")] Unacknowledge,
    [JsonStringEnumMemberName("auto_resolve")] AutoResolve,
    [JsonStringEnumMemberName("snooze")] Snooze,
}

/// <summary>What someone, or a timer, asks of an incident; on <c>incident-commands</c>, key: service id. One effect per id.</summary>
public sealed record IncidentCommand
{
    public int Version { get; init; } = 1;

    /// <summary>From the caller's request, or derived (timer, link): a repeat has the same.</summary>
    public required EventId Id { get; init; }
    public required ServiceId ServiceId { get; init; }
    public required IncidentId IncidentId { get; init; }
    public required CommandKind Kind { get; init; }
    public required DateTimeOffset At { get; init; }

    /// <summary>Who acts; null for a timer.</summary>
    public UserId? ActorId { get; init; }

    /// <summary><c>website</c>, <c>api</c>, <c>email</c>, <c>timeout</c>, <c>auto</c>.</summary>
    public required string Channel { get; init; }

    /// <summary>The epoch the actor saw: required for timers and links, null for a person looking at the page.</summary>
    public long? Epoch { get; init; }
    public IncidentTimer? Timer { get; init; }

    /// <summary>Note: the text, at most 65,536 characters. Resolve: the resolution note.</summary>
    public string? Text { get; init; }

    /// <summary>Escalate: the level, from 1; null for the next.</summary>
    public int? Level { get; init; }

    /// <summary>Reassign: to whom.</summary>
    public IReadOnlyList<UserId>? AssignTo { get; init; }

    /// <summary>Snooze: 1 to 604,800.</summary>
    public int? SnoozeSeconds { get; init; }

    /// <summary>Reopen: as what.</summary>
    public IncidentStatus? Status { get; init; }
}
