using Belfry.Alerting.Incidents;
using Belfry.Alerting.People;
using Belfry.Alerting.Planning;
using FsCheck;
using FsCheck.Fluent;
using static Belfry.Alerting.Tests.Planning.PlanningScene;

namespace Belfry.Alerting.Tests.Planning;

/// <summary>Random orders of assigning, ending, forgetting, editing rules and timers, with stale repeats of all of them.</summary>
public sealed class PlanningCoreProperties
{
    private static readonly Gen<List<int>> Choices = Gen.Choose(0, 9_999).ListOf();

    [Fact]
    public void Restoring_any_prefix_in_any_order_of_topics_emits_the_same_from_there() => ForAll(inputs =>
    {
        for (var cut = 0; cut <= inputs.Count; cut++)
        {
            var whole = new PlanningCore();
            foreach (var input in inputs.Take(cut)) whole.Step(input, Start);
            var restored = new PlanningCore();
            foreach (var input in inputs.Take(cut).OrderBy(input => IsOfAssignments(input) ? 0 : 1))
                if (input is not PlanningInput.TimerFired)
                    restored.Step(input, Start);
            foreach (var input in inputs.Skip(cut))
                Same(restored.Step(input, Start.AddDays(1)).Ids(), whole.Step(input, Start).Ids());
        }
    });

    [Fact]
    public void Restoring_from_a_compacted_topic_emits_the_same_from_there() => ForAll(stale: false, check: inputs =>
    {
        for (var cut = 0; cut <= inputs.Count; cut++)
        {
            var whole = new PlanningCore();
            foreach (var input in inputs.Take(cut)) whole.Step(input, Start);
            var restored = new PlanningCore();
            foreach (var input in Compacted(inputs.Take(cut))) restored.Step(input, Start);
            foreach (var input in inputs.Skip(cut)) Same(restored.Step(input, Start).Ids(), whole.Step(input, Start).Ids());
        }
    });

    [Fact]
    public void Every_input_twice_emits_nothing_new() => ForAll(inputs =>
    {
        var (once, twice) = (new PlanningCore(), new PlanningCore());
        var single = inputs.SelectMany(input => once.Step(input, Start)).Ids().ToHashSet();
        var repeated = inputs.SelectMany(
            input => (PlanningEffect[])[.. twice.Step(input, Start), .. twice.Step(input, Start)]).Ids().ToHashSet();
        repeated.ShouldBe(single, ignoreOrder: true);
    });

    [Fact]
    public void Nobody_is_notified_of_what_is_not_theirs_at_that_moment() => ForAll(inputs =>
    {
        var core = new PlanningCore();
        var model = new NewestAssignments();
        foreach (var input in inputs)
        {
            model.Take(input);
            foreach (var notification in core.Step(input, Start).Notifications())
                model.Active.ShouldContain(a => a.IncidentId == notification.IncidentId && a.Epoch == notification.Epoch);
        }
    });

    [Fact]
    public void Whoever_can_be_reached_and_is_assigned_at_the_end_was_planned_for() => ForAll(EveryoneReachableWasPlannedFor);

    [Fact]
    public void What_a_tombstone_ended_is_assigned_to_nobody_however_often_it_is_repeated() => EveryoneReachableWasPlannedFor(
    [
        new PlanningInput.Assigned(Assignment(epoch: 1)),
        new PlanningInput.AssignmentForgotten(Ada, Fire, 1),
        new PlanningInput.Assigned(Assignment(epoch: 1)),
        new PlanningInput.RulesChanged(Ada, Contact([Mail], Rule(1, Mail))),
    ]);

    private static void EveryoneReachableWasPlannedFor(IReadOnlyList<PlanningInput> inputs)
    {
        var core = new PlanningCore();
        var model = new NewestAssignments();
        HashSet<(IncidentId, long)> planned = [];
        ContactRules? rules = null;
        foreach (var input in inputs)
        {
            model.Take(input);
            if (input is PlanningInput.RulesChanged changed) rules = changed.Rules;
            foreach (var effect in core.Step(input, Start))
            {
                if (effect is PlanningEffect.Notify { Notification: var n }) planned.Add((n.IncidentId, n.Epoch));
                if (effect is PlanningEffect.Schedule { Task: var task })
                    planned.Add((PlanningWire.DecodeTimer(task.Payload).IncidentId, task.Generation));
            }
        }

        foreach (var assignment in model.Active.Where(a => Reachable(rules, a.Urgency)))
            planned.ShouldContain((assignment.IncidentId, assignment.Epoch));
    }

    private static bool IsOfAssignments(PlanningInput input) => input is PlanningInput.Assigned or PlanningInput.AssignmentForgotten;

    // Compared by the hundred thousand: the assertion is asked only for its words.
    private static void Same<T>(IEnumerable<T> actual, IEnumerable<T> expected)
    {
        if (!actual.SequenceEqual(expected)) actual.ShouldBe(expected);
    }

    private static bool Reachable(ContactRules? rules, Urgency urgency) => rules is not null
        && (rules.Rules.Any(rule => rule.Urgency == urgency && rules.Methods.Any(m => m.Id == rule.ContactMethodId && m.Enabled))
            || (urgency == Urgency.High && rules.Methods.Any(m => m is { Type: ContactMethodType.Email, Enabled: true })));

    private static void ForAll(Action<IReadOnlyList<PlanningInput>> check) => ForAll(check, stale: true);

    private static void ForAll(Action<IReadOnlyList<PlanningInput>> check, bool stale) =>
        Prop.ForAll(Choices.ToArbitrary(), choices => check(InputsOf(choices, stale)))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(150).WithEndSize(40));

    // A choice is one input: about half assignments, the rest rules and timers; one in eight repeats an earlier input.
    private static List<PlanningInput> InputsOf(IEnumerable<int> choices, bool stale)
    {
        List<PlanningInput> inputs = [];
        var (epoch, forgotten) = (0L, 0L);
        foreach (var choice in choices)
        {
            var (kind, rest) = (choice % 8, choice / 8);
            var incident = rest % 2 == 0 ? Fire : Flood;
            inputs.Add(kind switch
            {
                0 or 1 => new PlanningInput.Assigned(
                    Assignment(++epoch, incident: incident, urgency: rest % 3 == 0 ? Urgency.Low : Urgency.High)),
                2 =>
                    new PlanningInput.Assigned(
                        Assignment(rest % 3 == 0 && epoch > forgotten ? epoch : ++epoch, active: false, incident: incident)),
                3 when rest % 3 == 0 => new PlanningInput.AssignmentForgotten(Ada, incident, forgotten = epoch),
                3 or 4 => new PlanningInput.RulesChanged(Ada, RulesOf(rest)),
                7 when stale && inputs.Count > 0 => inputs[rest % inputs.Count],
                _ => new PlanningInput.TimerFired(TimerFeedback(rest % 4, Math.Max(1, epoch - rest % 3), incident: incident)),
            });
        }

        return inputs;
    }

    private static ContactRules? RulesOf(int choice)
    {
        if (choice % 7 == 0) return null;
        var mail = Mail with { Enabled = choice % 3 != 0 };
        var hook = Hook with { Enabled = choice % 5 != 0 };
        NotificationRule[] rules =
        [
            Rule(0, mail), Rule(1, hook, delay: choice % 2 * 5), Rule(2, mail, delay: 3, Urgency.Low), Rule(3, hook, urgency: Urgency.Low),
        ];
        return Contact([mail, hook], [.. rules.Where((_, index) => (choice >> index & 1) == 1)]) with { UserId = Ada };
    }

    private static IEnumerable<PlanningInput> Compacted(IEnumerable<PlanningInput> prefix)
    {
        Dictionary<string, PlanningInput> newest = [];
        foreach (var input in prefix)
            if (input is PlanningInput.Assigned { Assignment: var a }) newest[$"{a.UserId}/{a.IncidentId}"] = input;
            else if (input is PlanningInput.AssignmentForgotten end) newest[$"{end.UserId}/{end.IncidentId}"] = input;
            else if (input is PlanningInput.RulesChanged changed) newest[$"{changed.UserId}"] = input;
        return newest.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => pair.Value);
    }

    /// <summary>
    /// Ada's assignments by incident: the highest epoch counts, of one epoch the last word. A tombstone is the last word of its epoch and
    /// of all below, whatever of them is repeated.
    /// </summary>
    private sealed class NewestAssignments
    {
        private readonly Dictionary<IncidentId, Assignment> _newest = [];
        private readonly Dictionary<IncidentId, long> _over = [];

        public IEnumerable<Assignment> Active => _newest.Values.Where(assignment => assignment.Active);

        public void Take(PlanningInput input)
        {
            switch (input)
            {
                case PlanningInput.Assigned { Assignment: var a } when a.Epoch > _over.GetValueOrDefault(a.IncidentId, -1):
                    if (!_newest.TryGetValue(a.IncidentId, out var known) || a.Epoch >= known.Epoch) _newest[a.IncidentId] = a;
                    break;
                case PlanningInput.AssignmentForgotten { Epoch: { } epoch, IncidentId: var incident }:
                    _over[incident] = Math.Max(epoch, _over.GetValueOrDefault(incident, -1));
                    if (_newest.TryGetValue(incident, out var ended) && ended.Epoch <= epoch) _newest.Remove(incident);
                    break;
            }
        }
    }
}
