using Belfry.Alerting.Incidents;
using Belfry.Alerting.People;
using Belfry.Alerting.Planning;
using Belfry.Alerting.Timeline;
using Belfry.Scheduling;

namespace Belfry.Alerting.Tests.Planning;

/// <summary>One user, one incident and a core to tell of them: the words of the planning tests.</summary>
internal sealed class PlanningScene(int endedMax = PlanningCore.EndedMaxDefault)
{
    public static readonly DateTimeOffset Start = new(2026, 3, 4, 12, 0, 0, TimeSpan.Zero);
    public static readonly UserId Ada = new(Guid.Parse("0190000000007000800000000000000a"));
    public static readonly UserId Bob = new(Guid.Parse("0190000000007000800000000000000b"));
    public static readonly IncidentId Fire = new(Guid.Parse("01900000000070008000000000000001"));
    public static readonly IncidentId Flood = new(Guid.Parse("01900000000070008000000000000002"));
    public static readonly ServiceId Billing = new(Guid.Parse("01900000000070008000000000000003"));
    public static readonly ContactMethod Mail = new(MethodId(1), Ada, ContactMethodType.Email, "Mail", "ada@example.org", true);
    public static readonly ContactMethod Hook = new(
        MethodId(2), Ada, ContactMethodType.Webhook, "Hook", "https://hooks.example.org/x", true);

    public PlanningCore Core { get; } = new(endedMax);
    public DateTimeOffset Now { get; set; } = Start.AddSeconds(1);

    public static ContactMethodId MethodId(int number) => new(new Guid(number, 1, 0, [0, 0, 0, 0, 0, 0, 0, 0]));

    public static NotificationRuleId RuleId(int number) => new(new Guid(number, 2, 0, [0, 0, 0, 0, 0, 0, 0, 0]));

    public static NotificationRule Rule(int number, ContactMethod method, int delay = 0, Urgency urgency = Urgency.High) =>
        new(RuleId(number), method.UserId, urgency, delay, method.Id);

    public static ContactRules Contact(IReadOnlyList<ContactMethod> methods, params NotificationRule[] rules) =>
        new() { UserId = methods.Count > 0 ? methods[0].UserId : Ada, Methods = methods, Rules = rules };

    public static Assignment Assignment(
        long epoch = 1, bool active = true, IncidentId? incident = null, UserId? user = null, Urgency urgency = Urgency.High,
        string? endedBy = null) => new()
        {
            UserId = user ?? Ada, IncidentId = incident ?? Fire, ServiceId = Billing, Epoch = epoch, Active = active, Urgency = urgency,
            Level = 1,
            AssignedAt = Start.AddMinutes(epoch - 1), EndedBy = active ? null : endedBy ?? "acknowledged", Title = "Disk full",
            ServiceName = "Billing",
        };

    public IReadOnlyList<PlanningEffect> Rules(ContactRules rules) => Step(new PlanningInput.RulesChanged(rules.UserId, rules));

    public IReadOnlyList<PlanningEffect> UserRemoved(UserId user) => Step(new PlanningInput.RulesChanged(user, null));

    public IReadOnlyList<PlanningEffect> Assign(
        long epoch = 1, IncidentId? incident = null, UserId? user = null, Urgency urgency = Urgency.High) =>
        Step(new PlanningInput.Assigned(Assignment(epoch, true, incident, user, urgency)));

    public IReadOnlyList<PlanningEffect> End(long epoch, string by = "acknowledged", IncidentId? incident = null) =>
        Step(new PlanningInput.Assigned(Assignment(epoch, false, incident, endedBy: by)));

    public IReadOnlyList<PlanningEffect> Forget(long epoch, IncidentId? incident = null) =>
        Step(new PlanningInput.AssignmentForgotten(Ada, incident ?? Fire, epoch));

    public IReadOnlyList<PlanningEffect> Fired(int rule, long epoch = 1, int delay = 5) =>
        Step(new PlanningInput.TimerFired(TimerFeedback(rule, epoch, delay)));

    public IReadOnlyList<PlanningEffect> Step(PlanningInput input) => Core.Step(input, Now);

    public static PlanningFeedback TimerFeedback(int rule, long epoch = 1, int delay = 5, IncidentId? incident = null) => new()
    {
        Id = new EventId(Guid.Empty), UserId = Ada, IncidentId = incident ?? Fire, Epoch = epoch, RuleId = RuleId(rule),
        At = Start.AddMinutes(epoch - 1 + delay),
    };
}

/// <summary>Picks what a test looks at out of the effects.</summary>
internal static class EffectPicks
{
    public static IReadOnlyList<Notification> Notifications(this IEnumerable<PlanningEffect> effects) =>
        [.. effects.OfType<PlanningEffect.Notify>().Select(e => e.Notification)];

    public static IReadOnlyList<ScheduledTask> Timers(this IEnumerable<PlanningEffect> effects) =>
        [.. effects.OfType<PlanningEffect.Schedule>().Select(e => e.Task)];

    public static IReadOnlyList<PlanningEffect.Cancel> Cancels(this IEnumerable<PlanningEffect> effects) =>
        [.. effects.OfType<PlanningEffect.Cancel>()];

    public static IReadOnlyList<LogEntry> Entries(this IEnumerable<PlanningEffect> effects, string type) =>
        [.. effects.OfType<PlanningEffect.Tell>().Select(e => e.Entry).Where(entry => entry.Type == type)];

    public static IReadOnlyList<string> Skips(this IEnumerable<PlanningEffect> effects) =>
        [.. effects.Entries(LogEntryTypes.Skipped).Select(entry => entry.Details!.Value.GetProperty("reason").GetString()!)];

    /// <summary>What a repeat must meet again: the identity of each effect.</summary>
    public static IReadOnlyList<string> Ids(this IEnumerable<PlanningEffect> effects) => [.. effects.Select(effect => effect switch
    {
        PlanningEffect.Notify notify => $"notify {notify.Notification.Id}",
        PlanningEffect.Tell tell => $"tell {tell.Entry.Id}",
        PlanningEffect.Schedule schedule => $"schedule {schedule.Task.Id} {schedule.Task.Generation} {schedule.Task.DueAt:O}",
        PlanningEffect.Cancel cancel => $"cancel {cancel.TaskId} {cancel.Generation}",
        _ => throw new InvalidOperationException(),
    })];
}
