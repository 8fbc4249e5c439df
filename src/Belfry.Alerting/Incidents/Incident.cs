using System.Text.Json.Serialization;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Events;

namespace Belfry.Alerting.Incidents;

[JsonConverter(typeof(JsonStringEnumConverter<IncidentStatus>))]
public enum IncidentStatus
{
    [JsonStringEnumMemberName("triggered")] Triggered,
    [JsonStringEnumMemberName("acknowledged")] Acknowledged,
    [JsonStringEnumMemberName("resolved")] Resolved,
}

[JsonConverter(typeof(JsonStringEnumConverter<Urgency>))]
public enum Urgency { [JsonStringEnumMemberName("low")] Low, [JsonStringEnumMemberName("high")] High }

/// <summary>Who has an incident on their plate, since when and why.</summary>
/// <param name="UserId">The responder.</param>
/// <param name="AssignedAt">Start of the user's notification rules.</param>
/// <param name="Fallback">True when nobody was on call and this one is told instead; the incident still counts as unassigned.</param>
/// <param name="Epoch">The incident's epoch at this assignment: what was planned for an older one of the same user is stale.</param>
public sealed record Responder(UserId UserId, DateTimeOffset AssignedAt, bool Fallback, long Epoch = 0);

/// <summary>An incident as its owner holds it and the store keeps it. Immutable: each change makes a new one.</summary>
public sealed record Incident
{
    public required IncidentId Id { get; init; }
    public required ServiceId ServiceId { get; init; }
    public required string Title { get; init; }
    public required IncidentStatus Status { get; init; }
    public required Urgency Urgency { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset UpdatedAt { get; init; }
    public DateTimeOffset? ResolvedAt { get; init; }

    /// <summary>The policy as it was when the incident triggered.</summary>
    public required EscalationPolicy Policy { get; init; }

    /// <summary>Present level, from 1; 0 before the first or after the end of the path.</summary>
    public int Level { get; init; }

    /// <summary>Times the path began, from 1.</summary>
    public int Loop { get; init; } = 1;

    /// <summary>Grows with each change of status, level or assignment. Timers and links carry it; stale ones change nothing.</summary>
    public required long Epoch { get; init; }

    /// <summary>The epoch that the last acknowledgement made, 0 for none: an acknowledge link older than it has acted already.</summary>
    public long AcknowledgedEpoch { get; init; }
    public UserId? AcknowledgedBy { get; init; }
    public IReadOnlyList<Responder> Responders { get; init; } = [];

    /// <summary>Whom planning has been told of since the incident was opened, and is told to forget at its end.</summary>
    public IReadOnlyList<UserId> Told { get; init; } = [];
    public bool NobodyOnCall { get; init; }
    public DateTimeOffset? EscalateAt { get; init; }
    public DateTimeOffset? UnacknowledgeAt { get; init; }
    public DateTimeOffset? AutoResolveAt { get; init; }
    public DateTimeOffset? SnoozedUntil { get; init; }
    public IReadOnlyList<Alert> Alerts { get; init; } = [];
}

/// <summary>One deduplicated alert of an incident: its scope is (integration, dedup key).</summary>
public sealed record Alert
{
    public required AlertId Id { get; init; }
    public required IntegrationId IntegrationId { get; init; }
    public required string DedupKey { get; init; }
    public required bool Open { get; init; }
    public required Severity Severity { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? ResolvedAt { get; init; }

    /// <summary>How many trigger events it has taken in.</summary>
    public int Triggers { get; init; } = 1;

    /// <summary>The newest trigger.</summary>
    public required AlertEvent Newest { get; init; }
}
