using Belfry.Alerting.People;
using Belfry.Scheduling;

namespace Belfry.Alerting.Planning;

/// <summary>
/// Decides, for the users of one partition, who is notified when and how. Its state is the newest rules of each user and the newest
/// assignment of each (user, incident), nothing else: folding the topics up to any offset gives the same state, whatever the order
/// between topics, and what is emitted follows from state and input alone. <c>now</c> only dates log entries.
/// <code>
/// input                  | newest known        | effects
/// assigned, active       | none, lower epoch   | plan: log, notifications of delay 0, timers of the others
/// assigned, inactive     | none, lower epoch   | cancel the timers of the user's rules
/// assigned               | same or higher      | none (the same epoch may still end what it began)
/// rules                  | active, unreachable | plan, if somebody can be reached by the new rules
/// timer fired            | active, same epoch  | notification by the rule as it is now; else skipped, with the reason
/// timer fired            | ended since         | skipped, with the reason
/// timer fired            | none, other epoch   | none
/// tombstone              | same or lower epoch | none; assignments up to its epoch are stale from now on
/// </code>
/// Source: on-call rules, section 3; design section 9.
/// </summary>
internal sealed class PlanningCore(int endedMax = PlanningCore.EndedMaxDefault)
{
    /// <summary>
    /// Ended assignments remembered, and as many tombstones, so that stale repeats of them are known as such; forgetting one only costs a
    /// repeat of the same ids.
    /// </summary>
    public const int EndedMaxDefault = 10_000;

    private readonly Dictionary<UserId, UserState> _users = [];
    private readonly Queue<Assignment> _ended = new();
    private readonly Queue<(UserId UserId, IncidentId IncidentId, long Epoch)> _forgotten = new();

    /// <summary>Users with rules or assignments.</summary>
    public int Users => _users.Count;

    /// <summary>Assignments remembered, ended ones included.</summary>
    public int Assignments => _users.Values.Sum(user => user.Assignments.Count);

    /// <summary>Folds one input. The caller carries the effects out in order, or drops them all while restoring.</summary>
    public IReadOnlyList<PlanningEffect> Step(PlanningInput input, DateTimeOffset now)
    {
        var effects = new List<PlanningEffect>();
        switch (input)
        {
            case PlanningInput.Assigned { Assignment: var assignment }:
                OnAssignment(assignment, now, effects);
                break;
            case PlanningInput.AssignmentForgotten forgotten:
                OnTombstone(forgotten);
                break;
            case PlanningInput.RulesChanged changed:
                OnRules(changed.UserId, changed.Rules, now, effects);
                break;
            case PlanningInput.TimerFired { Feedback: var feedback }:
                OnTimer(feedback, now, effects);
                break;
        }

        return effects;
    }

    private void OnAssignment(Assignment assignment, DateTimeOffset now, List<PlanningEffect> effects)
    {
        var user = UserOf(assignment.UserId);
        if (user.Assignments.TryGetValue(assignment.IncidentId, out var known)
            && (known.Epoch > assignment.Epoch || (known.Epoch == assignment.Epoch && known.Active == assignment.Active))) return;
        if (user.Forgotten.TryGetValue(assignment.IncidentId, out var until) && until >= assignment.Epoch) return;
        user.Forgotten.Remove(assignment.IncidentId);
        user.Assignments[assignment.IncidentId] = assignment;
        if (assignment.Active)
        {
            Plan(user, assignment, now, effects);
            return;
        }

        // Below this epoch only: an assignment that begins at this very epoch must not lose its timers to the end of the former one.
        foreach (var rule in (user.Rules?.Rules ?? []).Where(rule => rule.StartDelayMinutes > 0).OrderBy(rule => rule.Id.Value))
            effects.Add(new PlanningEffect.Cancel(PlanningRecordsOf.TimerId(assignment, rule.Id), Math.Max(0, assignment.Epoch - 1)));
        Remember(assignment);
    }

    private void OnTombstone(PlanningInput.AssignmentForgotten forgotten)
    {
        var user = UserOf(forgotten.UserId);
        var known = user.Assignments.GetValueOrDefault(forgotten.IncidentId);
        if (known is null || forgotten.Epoch is null || known.Epoch <= forgotten.Epoch)
        {
            user.Assignments.Remove(forgotten.IncidentId);
            if (forgotten.Epoch is { } epoch) Forget(user, forgotten.UserId, forgotten.IncidentId, epoch);
        }

        RemoveIfEmpty(forgotten.UserId);
    }

    private void OnRules(UserId id, ContactRules? rules, DateTimeOffset now, List<PlanningEffect> effects)
    {
        var user = UserOf(id);
        var former = user.Rules;
        user.Rules = rules;
        if (rules is null)
        {
            RemoveIfEmpty(id);
            return;
        }

        foreach (var assignment in user.Assignments.Values.Where(a => a.Active).OrderBy(a => a.AssignedAt).ThenBy(a => a.IncidentId.Value))
            if (NotificationPlan.Of(former, assignment.Urgency).ReachesNobody
                && !NotificationPlan.Of(rules, assignment.Urgency).ReachesNobody)
                Plan(user, assignment, now, effects);
    }

    private void OnTimer(PlanningFeedback feedback, DateTimeOffset now, List<PlanningEffect> effects)
    {
        if (!_users.TryGetValue(feedback.UserId, out var user) || !user.Assignments.TryGetValue(feedback.IncidentId, out var assignment))
            return;
        if (!assignment.Active)
        {
            if (feedback.Epoch <= assignment.Epoch)
                effects.Add(PlanningRecordsOf.Skipped(
                    assignment, feedback.Epoch, feedback.RuleId, $"{assignment.EndedBy ?? "ended"} before the rule's time", now));
            return;
        }

        if (assignment.Epoch != feedback.Epoch) return;
        var rule = user.Rules?.Rules.FirstOrDefault(rule => rule.Id == feedback.RuleId);
        var method = rule is null ? null : user.Rules!.Methods.FirstOrDefault(method => method.Id == rule.ContactMethodId);
        if (rule is not null && rule.Urgency == assignment.Urgency && method is { Enabled: true })
        {
            effects.Add(PlanningRecordsOf.Notify(assignment, rule.Id, method, feedback.At));
            return;
        }

        effects.Add(PlanningRecordsOf.Skipped(assignment, assignment.Epoch, feedback.RuleId, WhyNot(rule, method, assignment), now));

        // The rule that was to reach the user is gone, perhaps the last one: high urgency is never left silent.
        if (NotificationPlan.Of(user.Rules, assignment.Urgency) is { IsFallback: true } plan)
            Follow(assignment, plan.Rules[0], now, effects);
    }

    private static string WhyNot(NotificationRule? rule, ContactMethod? method, Assignment assignment) =>
        rule is null ? "the rule was removed"
        : rule.Urgency != assignment.Urgency ? $"the rule is for {NotificationPlan.NameOf(rule.Urgency)} urgency now"
        : NotificationPlan.WhyUnusable(method);

    private static void Plan(UserState user, Assignment assignment, DateTimeOffset now, List<PlanningEffect> effects)
    {
        var plan = NotificationPlan.Of(user.Rules, assignment.Urgency);
        foreach (var skipped in plan.Skipped)
            effects.Add(PlanningRecordsOf.Skipped(assignment, assignment.Epoch, skipped.RuleId, skipped.Reason, now));
        foreach (var rule in plan.Rules) Follow(assignment, rule, now, effects);
    }

    private static void Follow(Assignment assignment, PlannedRule rule, DateTimeOffset now, List<PlanningEffect> effects)
    {
        effects.Add(PlanningRecordsOf.Planned(assignment, rule, now));
        effects.Add(rule.DelayMinutes == 0
            ? PlanningRecordsOf.Notify(assignment, rule.RuleId, rule.Method, assignment.AssignedAt)
            : PlanningRecordsOf.Timer(assignment, rule));
    }

    private void Remember(Assignment ended)
    {
        _ended.Enqueue(ended);
        if (_ended.Count <= endedMax) return;
        var oldest = _ended.Dequeue();
        if (!_users.TryGetValue(oldest.UserId, out var user) || !user.Assignments.TryGetValue(oldest.IncidentId, out var known)) return;
        if (!known.Active && known.Epoch == oldest.Epoch) user.Assignments.Remove(oldest.IncidentId);
        RemoveIfEmpty(oldest.UserId);
    }

    private void Forget(UserState user, UserId userId, IncidentId incident, long epoch)
    {
        if (user.Forgotten.TryGetValue(incident, out var known) && known >= epoch) return;
        user.Forgotten[incident] = epoch;
        _forgotten.Enqueue((userId, incident, epoch));
        if (_forgotten.Count <= endedMax) return;
        var oldest = _forgotten.Dequeue();
        if (!_users.TryGetValue(oldest.UserId, out var holder) || !holder.Forgotten.TryGetValue(oldest.IncidentId, out var held)) return;
        if (held == oldest.Epoch) holder.Forgotten.Remove(oldest.IncidentId);
        RemoveIfEmpty(oldest.UserId);
    }

    private UserState UserOf(UserId id)
    {
        if (!_users.TryGetValue(id, out var user)) _users[id] = user = new UserState();
        return user;
    }

    private void RemoveIfEmpty(UserId id)
    {
        if (_users.TryGetValue(id, out var user) && user is { Rules: null, Assignments.Count: 0, Forgotten.Count: 0 }) _users.Remove(id);
    }

    private sealed class UserState
    {
        public ContactRules? Rules { get; set; }
        public Dictionary<IncidentId, Assignment> Assignments { get; } = [];

        /// <summary>Up to which epoch assignments are known to be over, by tombstones.</summary>
        public Dictionary<IncidentId, long> Forgotten { get; } = [];
    }
}
