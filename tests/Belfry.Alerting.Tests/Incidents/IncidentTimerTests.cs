using Belfry.Alerting.Events;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.OnCall;
using static Belfry.Alerting.Tests.Incidents.IncidentDesk;

namespace Belfry.Alerting.Tests.Incidents;

public sealed class IncidentTimerTests
{
    private readonly IncidentDesk _desk = new();

    [Fact]
    public void The_escalation_timer_goes_to_the_next_level()
    {
        var second = _desk.Fire(_desk.Trigger(), IncidentTimer.Escalate);
        second.Level.ShouldBe(2);
        second.EscalateAt.ShouldBe(_desk.Now.AddMinutes(10));
        _desk.Ended.Select(ended => (ended.UserId, ended.EndedBy)).ShouldBe([(Ann, "escalated")]);
        _desk.Active.Single().UserId.ShouldBe(Bob);
        _desk.Said.ShouldBe(["escalate"]);
    }

    [Fact]
    public void After_the_last_level_the_path_begins_again_and_then_ends()
    {
        var incident = _desk.Trigger();
        incident = _desk.Fire(incident, IncidentTimer.Escalate);
        incident = _desk.Fire(incident, IncidentTimer.Escalate);
        (incident.Level, incident.Loop).ShouldBe((1, 2));
        _desk.Said.ShouldBe(["repeat_escalation_path", "escalate"]);
        incident = _desk.Fire(incident, IncidentTimer.Escalate);
        incident = _desk.Fire(incident, IncidentTimer.Escalate);
        (incident.Status, incident.Level, incident.EscalateAt).ShouldBe((IncidentStatus.Triggered, 0, null));
        incident.Responders.Single().UserId.ShouldBe(Bob);
        _desk.Said.ShouldBe(["exhaust_escalation_path"]);
        _desk.Last.Assignments.ShouldBeEmpty();
    }

    [Fact]
    public void A_policy_of_one_level_assigns_the_same_user_anew_in_each_loop()
    {
        _desk.Catalog = CatalogOf(levels: [Level(5, Ann)]);
        var first = _desk.Trigger();
        var second = _desk.Fire(first, IncidentTimer.Escalate);
        _desk.Ended.ShouldBeEmpty();
        var again = _desk.Active.ShouldHaveSingleItem();
        (again.UserId, again.Epoch, again.AssignedAt).ShouldBe((Ann, second.Epoch, _desk.Now));
    }

    [Fact]
    public void A_timer_of_an_earlier_epoch_changes_nothing_and_says_nothing()
    {
        var first = _desk.Trigger();
        var firedFor = first.EscalateAt!.Value;
        _desk.Now = firedFor;
        var second = _desk.Fire(first, IncidentTimer.Escalate);
        var repeated = _desk.Send(_desk.Command(first.Id, CommandKind.TimerFired) with
        {
            Timer = IncidentTimer.Escalate, Epoch = first.Epoch, At = firedFor,
        });
        repeated.ShouldBeSameAs(second);
        _desk.Last.Entries.ShouldBeEmpty();
    }

    [Fact]
    public void An_escalation_timer_that_arrives_after_the_acknowledge_is_stale()
    {
        var incident = _desk.Trigger();
        var acknowledged = _desk.Do(incident, CommandKind.Acknowledge, Ann);
        _desk.Fire(incident, IncidentTimer.Escalate).ShouldBeSameAs(acknowledged);
    }

    [Fact]
    public void The_acknowledgement_timeout_notifies_the_acknowledger_and_the_one_on_call()
    {
        var incident = _desk.Trigger();
        var acknowledged = _desk.Do(incident, CommandKind.Acknowledge, Bob);
        var again = _desk.Fire(acknowledged, IncidentTimer.Unacknowledge);
        (again.Status, again.Level, again.Loop, again.AcknowledgedBy).ShouldBe((IncidentStatus.Triggered, 1, 1, null));
        _desk.Active.Select(active => active.UserId).ShouldBe([Ann, Bob]);
        _desk.Said.ShouldBe(["unacknowledge", "assign"]);
        again.EscalateAt.ShouldBe(_desk.Now.AddMinutes(30));
    }

    [Fact]
    public void The_acknowledger_on_call_is_notified_once()
    {
        var acknowledged = _desk.Do(_desk.Trigger(), CommandKind.Acknowledge, Ann);
        _desk.Fire(acknowledged, IncidentTimer.Unacknowledge);
        _desk.Active.ShouldHaveSingleItem().UserId.ShouldBe(Ann);
    }

    [Fact]
    public void The_acknowledgement_timeout_starts_the_loops_anew()
    {
        var incident = _desk.Trigger();
        incident = _desk.Fire(incident, IncidentTimer.Escalate);
        incident = _desk.Fire(incident, IncidentTimer.Escalate);
        incident = _desk.Do(incident, CommandKind.Acknowledge, Ann);
        _desk.Fire(incident, IncidentTimer.Unacknowledge).Loop.ShouldBe(1);
    }

    [Fact]
    public void The_end_of_a_snooze_triggers_again()
    {
        var snoozed = _desk.Send(_desk.Command(_desk.Trigger().Id, CommandKind.Snooze, Ann) with { SnoozeSeconds = 60 });
        var again = _desk.Fire(snoozed, IncidentTimer.Snooze);
        (again.Status, again.SnoozedUntil).ShouldBe((IncidentStatus.Triggered, null));
        _desk.Said[0].ShouldBe("unacknowledge");
    }

    [Fact]
    public void A_snooze_made_longer_does_not_end_at_its_old_time()
    {
        var incident = _desk.Trigger();
        var first = _desk.Send(_desk.Command(incident.Id, CommandKind.Snooze, Ann) with { SnoozeSeconds = 60 });
        var second = _desk.Send(_desk.Command(incident.Id, CommandKind.Snooze, Ann) with { SnoozeSeconds = 600 });
        _desk.Fire(first, IncidentTimer.Snooze).ShouldBeSameAs(second);
    }

    [Fact]
    public void The_acknowledgement_timeout_is_stale_once_snoozed()
    {
        var acknowledged = _desk.Do(_desk.Trigger(), CommandKind.Acknowledge, Ann);
        var snoozed = _desk.Send(_desk.Command(acknowledged.Id, CommandKind.Snooze, Ann) with { SnoozeSeconds = 86400 });
        _desk.Fire(acknowledged, IncidentTimer.Unacknowledge).ShouldBeSameAs(snoozed);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Auto_resolve_resolves_what_was_left_open(bool acknowledged)
    {
        var incident = _desk.Trigger();
        if (acknowledged) incident = _desk.Do(incident, CommandKind.Acknowledge, Ann);
        _desk.Fire(incident, IncidentTimer.AutoResolve).Status.ShouldBe(IncidentStatus.Resolved);
    }

    [Fact]
    public void Auto_resolve_outlives_the_change_of_levels()
    {
        var incident = _desk.Trigger();
        var setAt = incident.AutoResolveAt!.Value;
        _desk.Fire(incident, IncidentTimer.Escalate);
        _desk.Fire(incident, IncidentTimer.AutoResolve, setAt).Status.ShouldBe(IncidentStatus.Resolved);
    }

    [Fact]
    public void The_policy_stays_as_it_was_when_the_incident_triggered()
    {
        var incident = _desk.Trigger();
        _desk.Catalog = CatalogOf(levels: [Level(1, Cat)], policyName: "edited");
        var second = _desk.Fire(incident, IncidentTimer.Escalate);
        second.Policy.Name.ShouldBe("primary");
        _desk.Active.Single().UserId.ShouldBe(Bob);
    }

    [Fact]
    public void A_schedule_is_read_anew_when_a_level_is_entered()
    {
        var rota = new ScheduleId(Named(50));
        _desk.Catalog = CatalogOf(levels: [new(5, [new(Catalog.TargetKind.Schedule, rota.Value)])], schedules: [Always(rota, Ann)]);
        var incident = _desk.Trigger();
        incident.Responders.Single().UserId.ShouldBe(Ann);
        _desk.Catalog = CatalogOf(levels: [], schedules: [Always(rota, Bob)]);
        _desk.Fire(incident, IncidentTimer.Escalate).Responders.Single().UserId.ShouldBe(Bob);
    }

    [Fact]
    public void A_level_with_nobody_is_stepped_over_at_once()
    {
        var rota = new ScheduleId(Named(50));
        _desk.Catalog = CatalogOf(levels: [new(5, [new(Catalog.TargetKind.Schedule, rota.Value)]), Level(7, Bob)], schedules: [Always(rota, null)]);
        var incident = _desk.Trigger();
        (incident.Level, incident.EscalateAt).ShouldBe((2, _desk.Now.AddMinutes(7)));
        _desk.Active.Single().UserId.ShouldBe(Bob);
    }

    [Fact]
    public void Nobody_at_any_level_still_makes_the_incident_and_tells_the_fallback()
    {
        var rota = new ScheduleId(Named(50));
        _desk.Catalog = CatalogOf(levels: [new(5, [new(Catalog.TargetKind.Schedule, rota.Value)])], schedules: [Always(rota, null)]);
        var incident = _desk.Trigger();
        (incident.NobodyOnCall, incident.Level).ShouldBe((true, 0));
        incident.Responders.Single().ShouldBe(new Responder(Eve, _desk.Now, true, 1));
        _desk.Said.ShouldBe(["trigger", "nobody_on_call"]);
        incident.EscalateAt.ShouldBe(_desk.Now.AddMinutes(5));
    }

    [Fact]
    public void Someone_who_comes_on_call_later_gets_what_the_fallback_left()
    {
        var rota = new ScheduleId(Named(50));
        IReadOnlyList<Catalog.EscalationLevel> levels = [new(5, [new(Catalog.TargetKind.Schedule, rota.Value)])];
        _desk.Catalog = CatalogOf(levels: levels, loops: 0, schedules: [Always(rota, null)]);
        var incident = _desk.Trigger();
        _desk.Catalog = CatalogOf(levels: levels, loops: 0, schedules: [Always(rota, Cat)]);
        var taken = _desk.Fire(incident, IncidentTimer.Escalate);
        (taken.NobodyOnCall, taken.Level).ShouldBe((false, 1));
        _desk.Active.Single().UserId.ShouldBe(Cat);
        _desk.Ended.Single().UserId.ShouldBe(Eve);
    }

    [Fact]
    public void A_timer_carries_the_epoch_as_its_generation_and_cancels_with_a_higher_one()
    {
        var incident = _desk.Trigger();
        var generation = _desk.Last.Timers[0].Generation;
        generation.ShouldBe(incident.Epoch);
        var payload = System.Text.Json.JsonDocument.Parse(_desk.Last.Timers[0].Task!.Payload).RootElement;
        payload.GetProperty("timer").GetString().ShouldBe("escalate");
        payload.GetProperty("epoch").GetInt64().ShouldBe(incident.Epoch);
        payload.GetProperty("incident_id").GetString().ShouldBe(incident.Id.ToString());
        _desk.Do(incident, CommandKind.Acknowledge, Ann);
        _desk.Last.Timers.Single(timer => timer.Task is null).Generation.ShouldBeGreaterThan(generation);
    }

    [Fact]
    public void Low_urgency_stays_unescalated_after_its_acknowledgement_times_out()
    {
        var acknowledged = _desk.Do(_desk.Trigger(severity: Severity.Info), CommandKind.Acknowledge, Ann);
        _desk.Fire(acknowledged, IncidentTimer.Unacknowledge).EscalateAt.ShouldBeNull();
    }

    private static OnCallSchedule Always(ScheduleId id, UserId? user) => new(
        id, "rota", "UTC", [new ScheduleLayer("l", [user], new(2020, 1, 1), null, new(2020, 1, 1), 86400, [])], []);
}
