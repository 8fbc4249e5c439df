using System.Text.Json;

namespace Belfry.Alerting.Timeline;

/// <summary>
/// One line of an incident's story, on <c>incident-log</c>, key: incident id. Written by incidents, planning and dispatch; the
/// timeline folds it. Types: <see cref="LogEntryTypes"/> (reference: PagerDuty's log entries).
/// </summary>
public sealed record LogEntry
{
    public int Version { get; init; } = 1;

    /// <summary>Derived from what caused it: a repeat has the same id and is folded once.</summary>
    public required EventId Id { get; init; }
    public required IncidentId IncidentId { get; init; }
    public required ServiceId ServiceId { get; init; }
    public required string Type { get; init; }
    public required DateTimeOffset At { get; init; }

    /// <summary>Who did it; null for Belfry itself.</summary>
    public UserId? AgentId { get; init; }

    /// <summary><c>api</c>, <c>email</c>, <c>webhook</c>, <c>website</c>, <c>timeout</c>, <c>auto</c>.</summary>
    public required string Channel { get; init; }

    /// <summary>One sentence for people.</summary>
    public required string Summary { get; init; }

    /// <summary>A JSON object of what else is known (level, users, attempt, state, reason), or null.</summary>
    public JsonElement? Details { get; init; }
}

/// <summary>PagerDuty's types without the suffix <c>_log_entry</c>, then Belfry's own.</summary>
public static class LogEntryTypes
{
    public const string Trigger = "trigger";
    public const string Acknowledge = "acknowledge";
    public const string Unacknowledge = "unacknowledge";
    public const string Assign = "assign";
    public const string Escalate = "escalate";
    public const string ExhaustEscalationPath = "exhaust_escalation_path";
    public const string RepeatEscalationPath = "repeat_escalation_path";
    public const string Notify = "notify";
    public const string Resolve = "resolve";
    public const string Reopen = "reopen";
    public const string Snooze = "snooze";
    public const string Annotate = "annotate";
    public const string UrgencyChange = "urgency_change";
    public const string NobodyOnCall = "nobody_on_call";
    public const string Skipped = "skipped";
    public const string Ignored = "ignored";
}
