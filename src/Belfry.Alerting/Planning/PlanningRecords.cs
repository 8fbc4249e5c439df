using Belfry.Alerting.Incidents;
using Belfry.Alerting.People;

namespace Belfry.Alerting.Planning;

/// <summary>
/// That a user has, or no longer has, an incident: on <c>planning-assignments</c>, ordering key user id, record key
/// <c>user/incident</c> (compaction keeps the newest). Lower epochs than the newest seen change nothing.
/// </summary>
public sealed record Assignment
{
    public int Version { get; init; } = 1;
    public required UserId UserId { get; init; }
    public required IncidentId IncidentId { get; init; }
    public required ServiceId ServiceId { get; init; }

    /// <summary>The incident's epoch at this change.</summary>
    public required long Epoch { get; init; }

    /// <summary>False: notify no more.</summary>
    public required bool Active { get; init; }
    public required Urgency Urgency { get; init; }
    public required int Level { get; init; }
    public required DateTimeOffset AssignedAt { get; init; }

    /// <summary>
    /// Why it ended (<c>acknowledged</c>, <c>resolved</c>, <c>escalated</c>, <c>reassigned</c>, <c>snoozed</c>); null while active.
    /// </summary>
    public string? EndedBy { get; init; }
    public required string Title { get; init; }
    public required string ServiceName { get; init; }
}

/// <summary>A user's methods and rules, whole: on <c>planning-contact-rules</c>, key user id. A tombstone for a removed user.</summary>
public sealed record ContactRules
{
    public int Version { get; init; } = 1;
    public required UserId UserId { get; init; }
    public required IReadOnlyList<ContactMethod> Methods { get; init; }
    public required IReadOnlyList<NotificationRule> Rules { get; init; }
}

/// <summary>What comes back to planning, on <c>planning-feedback</c>, key user id. So far: a rule's timer fired.</summary>
public sealed record PlanningFeedback
{
    public int Version { get; init; } = 1;
    public required EventId Id { get; init; }
    public required UserId UserId { get; init; }
    public required IncidentId IncidentId { get; init; }

    /// <summary>The assignment's epoch that set the timer.</summary>
    public required long Epoch { get; init; }
    public required NotificationRuleId RuleId { get; init; }
    public required DateTimeOffset At { get; init; }
}

/// <summary>What one user must learn over one contact method: on <c>notifications</c>, key user id.</summary>
public sealed record Notification
{
    public int Version { get; init; } = 1;

    /// <summary>
    /// Derived from (incident, epoch, user, rule): also the idempotency key of the delivery. Its time bits are <see cref="CreatedAt"/>'s
    /// day.
    /// </summary>
    public required NotificationId Id { get; init; }
    public required UserId UserId { get; init; }
    public required IncidentId IncidentId { get; init; }
    public required ServiceId ServiceId { get; init; }
    public required long Epoch { get; init; }
    public required NotificationRuleId RuleId { get; init; }
    public required ContactMethodId ContactMethodId { get; init; }

    /// <summary><c>email</c> or <c>webhook</c>: the channel that takes it.</summary>
    public required string Channel { get; init; }
    public required string Address { get; init; }
    public required Urgency Urgency { get; init; }
    public required int Level { get; init; }
    public required string Title { get; init; }
    public required string ServiceName { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
}
