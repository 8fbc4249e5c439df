using Belfry.Alerting.Timeline;
using Belfry.Scheduling;

namespace Belfry.Alerting.Planning;

/// <summary>One record of a planning topic.</summary>
internal abstract record PlanningInput
{
    private PlanningInput()
    {
    }

    public sealed record Assigned(Assignment Assignment) : PlanningInput;

    /// <summary>
    /// The tombstone of an assignment: forget it, emit nothing. Stale when something of a higher epoch is known; null: whatever is known.
    /// </summary>
    public sealed record AssignmentForgotten(UserId UserId, IncidentId IncidentId, long? Epoch = null) : PlanningInput;

    /// <summary>Null rules: the user was removed.</summary>
    public sealed record RulesChanged(UserId UserId, ContactRules? Rules) : PlanningInput;

    public sealed record TimerFired(PlanningFeedback Feedback) : PlanningInput;
}

/// <summary>What planning wants done, in order. Repeats carry the same ids.</summary>
internal abstract record PlanningEffect
{
    private PlanningEffect()
    {
    }

    public sealed record Notify(Notification Notification) : PlanningEffect;

    public sealed record Schedule(ScheduledTask Task) : PlanningEffect;

    public sealed record Cancel(ScheduledTaskId TaskId, long Generation) : PlanningEffect;

    public sealed record Tell(LogEntry Entry) : PlanningEffect;
}
