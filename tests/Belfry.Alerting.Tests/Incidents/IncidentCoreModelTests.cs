using Belfry.Alerting.Events;
using Belfry.Alerting.Incidents;
using FsCheck;
using FsCheck.Fluent;
using static Belfry.Alerting.Tests.Incidents.IncidentDesk;

namespace Belfry.Alerting.Tests.Incidents;

/// <summary>Random days of one dedup key: events, commands and timers in any order, against a model of a few lines.</summary>
public sealed class IncidentCoreModelTests
{
    private enum Step { Trigger, AckEvent, ResolveEvent, Ack, Resolve, Snooze, Reassign, Escalate, Wait, Repeat }

    /// <summary>
    /// The whole of the contract for the status of one dedup key with unlimited patience: who asked last, and what ran out.
    /// </summary>
    private static IncidentStatus? Model(IncidentStatus? status, Step step) => (status, step) switch
    {
        (null, Step.Trigger) => IncidentStatus.Triggered,
        (null, _) => null,
        (_, Step.ResolveEvent or Step.Resolve) => null,
        (_, Step.Reassign) => IncidentStatus.Triggered,
        (_, Step.AckEvent or Step.Ack or Step.Snooze) => IncidentStatus.Acknowledged,
        _ => status,
    };

    [Fact]
    public void Any_order_of_events_and_commands_follows_the_model() => ForAll((desk, steps) =>
    {
        IncidentStatus? expected = null;
        foreach (var step in steps.Where(step => step is not (Step.Wait or Step.Escalate)))
        {
            Play(desk, step);
            expected = Model(expected, step);
            Open(desk)?.Status.ShouldBe(expected!.Value);
            (Open(desk) is null).ShouldBe(expected is null);
        }
    });

    [Fact]
    public void Every_triggered_incident_has_a_timer_or_an_explicit_end() => ForAll((desk, steps) =>
    {
        foreach (var step in steps)
        {
            Play(desk, step);
            if (Open(desk) is not { } open) continue;
            open.AutoResolveAt.ShouldNotBeNull();
            if (open.Status == IncidentStatus.Acknowledged) (open.UnacknowledgeAt ?? open.SnoozedUntil).ShouldNotBeNull();
            else (open.EscalateAt is not null || open.Level == 0).ShouldBeTrue();
        }
    });

    [Fact]
    public void Planning_that_follows_the_assignments_knows_exactly_who_is_to_be_paged() => ForAll((desk, steps) =>
    {
        var paged = new SortedDictionary<Guid, long>();
        foreach (var step in steps)
        {
            Play(desk, step);
            foreach (var change in desk.Last.Assignments)
                if (change.Assignment is { Active: true }) paged[change.UserId.Value] = change.Epoch;
                else if (change.Assignment is not null) paged.Remove(change.UserId.Value);
                else paged.ShouldNotContainKey(change.UserId.Value);
            var open = Open(desk);
            var expected = open is { Status: IncidentStatus.Triggered } ? open.Responders : [];
            paged.Select(pair => (pair.Key, pair.Value)).ShouldBe(expected.Select(r => (r.UserId.Value, r.Epoch)).Order());
        }
    });

    [Fact]
    public void What_planning_was_told_of_an_incident_it_is_told_to_forget_at_its_end() => ForAll((desk, steps) =>
    {
        var told = new HashSet<(IncidentId, UserId)>();
        foreach (var step in steps)
        {
            Play(desk, step);
            foreach (var change in desk.Last.Assignments)
                if (change.Assignment is null) told.Remove((change.IncidentId, change.UserId)).ShouldBeTrue();
                else told.Add((change.IncidentId, change.UserId));
            told.Select(pair => pair.Item1).Distinct().ShouldBeSubsetOf(Open(desk) is { } open ? [open.Id] : []);
        }
    });

    [Fact]
    public void The_scheduler_that_follows_the_timers_holds_exactly_the_deadlines() => ForAll((desk, steps) =>
    {
        var held = new SortedDictionary<string, (long Generation, DateTimeOffset? Due)>(StringComparer.Ordinal);
        foreach (var step in steps)
        {
            Play(desk, step);
            foreach (var timer in desk.Last.Timers)
            {
                var key = timer.Id.ToString();
                if (held.TryGetValue(key, out var former)) timer.Generation.ShouldBeGreaterThan(former.Generation);
                held[key] = (timer.Generation, timer.Task?.DueAt);
            }

            var open = Open(desk);
            var expected = open is null
                ? []
                : Enum.GetValues<IncidentTimer>().Select(
                    timer => IncidentEdit.Deadline(open, timer)).Where(due => due is not null).Order().ToList();
            held.Values.Select(value => value.Due).Where(due => due is not null).Order().ShouldBe(expected);
        }
    });

    [Fact]
    public void Epochs_only_grow_and_entry_ids_never_repeat() => ForAll((desk, steps) =>
    {
        var epochs = new Dictionary<IncidentId, long>();
        foreach (var step in steps)
        {
            Play(desk, step);
            foreach (var incident in desk.Last.Changed)
            {
                incident.Epoch.ShouldBeGreaterThanOrEqualTo(epochs.GetValueOrDefault(incident.Id));
                epochs[incident.Id] = incident.Epoch;
            }
        }

        var ids = desk.Turns.SelectMany(turn => turn.Entries).Select(entry => entry.Id).ToList();
        ids.Distinct().Count().ShouldBe(ids.Count);
    });

    [Fact]
    public void The_same_day_played_twice_decides_the_same() => ForAll((desk, steps) =>
    {
        var twin = new IncidentDesk();
        foreach (var step in steps)
        {
            Play(desk, step);
            Play(twin, step);
        }

        Told(twin).ShouldBe(Told(desk));
    });

    private static List<string> Told(IncidentDesk desk) =>
    [
        .. desk.Turns.SelectMany(turn => turn.Entries).Select(entry => $"{entry.Id} {entry.Type} {entry.Summary}"),
        .. desk.Turns.SelectMany(turn => turn.Timers).Select(timer => $"{timer.Id} {timer.Generation} {timer.Task?.DueAt}"),
    ];

    private static Incident? Open(IncidentDesk desk) =>
        desk.Turns.SelectMany(turn => turn.Changed).Select(incident => incident.Id).Distinct()
        .Select(desk.Core.Find).SingleOrDefault(incident => incident is not null);

    private AlertEvent? _lastEvent;

    private void Play(IncidentDesk desk, Step step)
    {
        desk.Now = desk.Now.AddSeconds(7);
        var open = Open(desk);
        switch (step)
        {
            case Step.Trigger: desk.Send(_lastEvent = desk.Event(EventAction.Trigger)); break;
            case Step.AckEvent: desk.Send(_lastEvent = desk.Event(EventAction.Acknowledge)); break;
            case Step.ResolveEvent: desk.Send(_lastEvent = desk.Event(EventAction.Resolve)); break;
            case Step.Repeat when desk.Turns.Count > 0 && _lastEvent is not null: desk.Send(_lastEvent); break;
            case Step.Wait when open is not null: FireNext(desk, open); break;
            case not (Step.Repeat or Step.Wait) when open is not null: desk.Send(Command(desk, open, step)); break;
            default: desk.Send(desk.Event(EventAction.Change)); break;
        }
    }

    private static IncidentCommand Command(IncidentDesk desk, Incident open, Step step) => step switch
    {
        Step.Ack => desk.Command(open.Id, CommandKind.Acknowledge, Cat),
        Step.Resolve => desk.Command(open.Id, CommandKind.Resolve, Ann),
        Step.Snooze => desk.Command(open.Id, CommandKind.Snooze, Bob) with { SnoozeSeconds = 300 },
        Step.Reassign => desk.Command(open.Id, CommandKind.Reassign, Ann) with { AssignTo = [Bob, Cat] },
        _ => desk.Command(open.Id, CommandKind.Escalate, Ann),
    };

    private static void FireNext(IncidentDesk desk, Incident open)
    {
        var next = Enum.GetValues<IncidentTimer>().Where(timer => IncidentEdit.Deadline(open, timer) is not null)
            .MinBy(timer => IncidentEdit.Deadline(open, timer));
        desk.Fire(open, next);
    }

    private void ForAll(Action<IncidentDesk, Step[]> holds) => Prop.ForAll(
        Gen.Elements(Enum.GetValues<Step>()).ArrayOf(24).ToArbitrary(),
        steps =>
        {
            _lastEvent = null;
            holds(new IncidentDesk(), steps);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(100).WithQuietOnSuccess(true));
}
