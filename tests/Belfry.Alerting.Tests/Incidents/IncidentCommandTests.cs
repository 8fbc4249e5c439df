using Belfry.Alerting.Catalog;
using Belfry.Alerting.Events;
using Belfry.Alerting.Incidents;
using static Belfry.Alerting.Tests.Incidents.IncidentDesk;

namespace Belfry.Alerting.Tests.Incidents;

public sealed class IncidentCommandTests
{
    private readonly IncidentDesk _desk = new();

    [Fact]
    public void Acknowledging_ends_the_pending_notifications_of_all_assignees()
    {
        _desk.Catalog = CatalogOf(levels: [Level(5, Ann, Bob)]);
        var incident = _desk.Trigger();
        var acknowledged = _desk.Do(incident, CommandKind.Acknowledge, Bob);
        _desk.Ended.Select(ended => (ended.UserId, ended.EndedBy)).ShouldBe([(Ann, "acknowledged"), (Bob, "acknowledged")]);
        acknowledged.Responders.ShouldHaveSingleItem().UserId.ShouldBe(Bob);
        acknowledged.AcknowledgedBy.ShouldBe(Bob);
    }

    [Fact]
    public void Acknowledging_stops_escalation_and_starts_the_timeout()
    {
        var acknowledged = _desk.Do(_desk.Trigger(), CommandKind.Acknowledge, Ann);
        acknowledged.EscalateAt.ShouldBeNull();
        acknowledged.UnacknowledgeAt.ShouldBe(_desk.Now.AddSeconds(1800));
        _desk.Cancelled.ShouldBe(["escalate"]);
        _desk.Set.ShouldBe(["unacknowledge"]);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(0)]
    public void A_timeout_that_is_off_sets_no_timer(int? seconds)
    {
        _desk.Catalog = CatalogOf(ackTimeout: seconds);
        _desk.Do(_desk.Trigger(), CommandKind.Acknowledge, Ann).UnacknowledgeAt.ShouldBeNull();
        _desk.Set.ShouldBeEmpty();
    }

    [Fact]
    public void A_repeated_acknowledge_sends_nothing_and_says_so()
    {
        var incident = _desk.Trigger();
        var first = _desk.Do(incident, CommandKind.Acknowledge, Ann);
        var second = _desk.Do(incident, CommandKind.Acknowledge, Bob);
        second.ShouldBeSameAs(first);
        _desk.Last.Assignments.ShouldBeEmpty();
        _desk.Said.ShouldBe(["ignored"]);
    }

    [Fact]
    public void An_acknowledge_link_of_an_earlier_level_still_acknowledges()
    {
        var incident = _desk.Trigger();
        _desk.Fire(incident, IncidentTimer.Escalate);
        var acknowledged = _desk.Send(_desk.Command(incident.Id, CommandKind.Acknowledge, Ann) with { Epoch = incident.Epoch });
        acknowledged.Status.ShouldBe(IncidentStatus.Acknowledged);
    }

    [Fact]
    public void An_acknowledge_link_that_has_acted_changes_nothing_after_the_timeout()
    {
        var incident = _desk.Trigger();
        var acknowledged = _desk.Send(_desk.Command(incident.Id, CommandKind.Acknowledge, Ann) with { Epoch = incident.Epoch });
        _desk.Fire(acknowledged, IncidentTimer.Unacknowledge);
        var after = _desk.Send(_desk.Command(incident.Id, CommandKind.Acknowledge, Ann) with { Epoch = incident.Epoch });
        after.Status.ShouldBe(IncidentStatus.Triggered);
        _desk.Said.ShouldBe(["ignored"]);
        _desk.Last.States.Single().Reason.ShouldBe("the link has acted already.");
    }

    [Fact]
    public void An_acknowledge_link_of_the_new_page_acts_again()
    {
        var acknowledged = _desk.Do(_desk.Trigger(), CommandKind.Acknowledge, Ann);
        var again = _desk.Fire(acknowledged, IncidentTimer.Unacknowledge);
        _desk.Send(_desk.Command(again.Id, CommandKind.Acknowledge, Ann) with { Epoch = again.Epoch }).Status
            .ShouldBe(IncidentStatus.Acknowledged);
    }

    [Fact]
    public void A_command_taken_before_changes_nothing()
    {
        var command = _desk.Command(_desk.Trigger().Id, CommandKind.Escalate, Ann);
        var first = _desk.Send(command);
        _desk.Send(command).ShouldBeSameAs(first);
        _desk.Last.Entries.ShouldBeEmpty();
    }

    [Fact]
    public void A_command_for_an_unknown_incident_fails_with_the_reason()
    {
        var turn = new IncidentTurn(_desk.Now, _desk.Catalog, []);
        _desk.Core.Take(_desk.Command(new IncidentId(Named(77)), CommandKind.Acknowledge), turn);
        turn.States.Single().Progress.ShouldBe(EventProgress.Failed);
        turn.Changed.ShouldBeEmpty();
    }

    [Fact]
    public void A_command_under_another_service_fails()
    {
        var incident = _desk.Trigger();
        _desk.Send(_desk.Command(incident.Id, CommandKind.Resolve, Ann) with { ServiceId = new ServiceId(Named(21)) }).Status
            .ShouldBe(IncidentStatus.Triggered);
        _desk.Last.States.Single().Progress.ShouldBe(EventProgress.Failed);
    }

    [Fact]
    public void Resolving_by_hand_resolves_the_alerts_and_ends_every_timer()
    {
        var resolved = _desk.Send(_desk.Command(_desk.Trigger().Id, CommandKind.Resolve, Ann) with { Text = "rebooted" });
        resolved.Status.ShouldBe(IncidentStatus.Resolved);
        resolved.ResolvedAt.ShouldBe(_desk.Now);
        resolved.Responders.ShouldBeEmpty();
        resolved.Alerts.ShouldAllBe(alert => !alert.Open);
        _desk.Last.Entries.Single().Details!.Value.GetProperty("text").GetString().ShouldBe("rebooted");
        _desk.Trigger().Id.ShouldNotBe(resolved.Id);
    }

    [Fact]
    public void Resolving_an_acknowledged_incident_ends_no_assignment_twice()
    {
        var incident = _desk.Trigger();
        _desk.Do(incident, CommandKind.Acknowledge, Ann);
        _desk.Do(incident, CommandKind.Resolve, Ann);
        _desk.Ended.ShouldBeEmpty();
        _desk.Cancelled.ShouldBe(["unacknowledge", "auto_resolve"]);
    }

    [Fact]
    public void A_resolved_incident_leaves_memory()
    {
        _desk.Do(_desk.Trigger(), CommandKind.Resolve, Ann);
        _desk.Core.Held.ShouldBe(0);
    }

    [Fact]
    public void Reassigning_takes_it_from_the_former_and_stops_escalation()
    {
        var reassigned = _desk.Send(_desk.Command(_desk.Trigger().Id, CommandKind.Reassign, Ann) with { AssignTo = [Cat] });
        _desk.Ended.Select(ended => (ended.UserId, ended.EndedBy)).ShouldBe([(Ann, "reassigned")]);
        _desk.Active.ShouldHaveSingleItem().UserId.ShouldBe(Cat);
        (reassigned.Level, reassigned.EscalateAt).ShouldBe((0, null));
        _desk.Cancelled.ShouldBe(["escalate"]);
    }

    [Fact]
    public void Reassigning_an_acknowledged_incident_pages_the_new_one()
    {
        var incident = _desk.Trigger();
        _desk.Do(incident, CommandKind.Acknowledge, Ann);
        var reassigned = _desk.Send(_desk.Command(incident.Id, CommandKind.Reassign, Ann) with { AssignTo = [Bob] });
        reassigned.Status.ShouldBe(IncidentStatus.Triggered);
        reassigned.UnacknowledgeAt.ShouldBeNull();
        _desk.Active.ShouldHaveSingleItem().UserId.ShouldBe(Bob);
    }

    [Fact]
    public void Reassigning_to_users_that_do_not_exist_changes_nothing()
    {
        var incident = _desk.Trigger();
        _desk.Send(
            _desk.Command(incident.Id, CommandKind.Reassign, Ann) with { AssignTo = [new UserId(Named(99))] }).ShouldBeSameAs(incident);
        _desk.Said.ShouldBe(["ignored"]);
    }

    [Fact]
    public void Reassigning_names_each_user_once()
    {
        _desk.Send(_desk.Command(_desk.Trigger().Id, CommandKind.Reassign, Ann) with { AssignTo = [Bob, Bob] });
        _desk.Active.Count.ShouldBe(1);
    }

    [Fact]
    public void Snoozing_acknowledges_and_replaces_the_timeout()
    {
        var incident = _desk.Trigger();
        _desk.Do(incident, CommandKind.Acknowledge, Ann);
        var snoozed = _desk.Send(_desk.Command(incident.Id, CommandKind.Snooze, Ann) with { SnoozeSeconds = 3600 });
        snoozed.SnoozedUntil.ShouldBe(_desk.Now.AddHours(1));
        snoozed.UnacknowledgeAt.ShouldBeNull();
        _desk.Cancelled.ShouldBe(["unacknowledge"]);
        _desk.Set.ShouldBe(["snooze"]);
    }

    [Fact]
    public void Snoozing_a_triggered_incident_ends_its_notifications()
    {
        var snoozed = _desk.Send(_desk.Command(_desk.Trigger().Id, CommandKind.Snooze, Bob) with { SnoozeSeconds = 60 });
        snoozed.Status.ShouldBe(IncidentStatus.Acknowledged);
        _desk.Ended.ShouldHaveSingleItem().EndedBy.ShouldBe("snoozed");
        _desk.Said.ShouldBe(["acknowledge", "snooze"]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(604_801)]
    [InlineData(null)]
    public void A_snooze_out_of_bounds_changes_nothing(int? seconds)
    {
        var incident = _desk.Trigger();
        _desk.Send(_desk.Command(incident.Id, CommandKind.Snooze, Ann) with { SnoozeSeconds = seconds }).ShouldBeSameAs(incident);
    }

    [Fact]
    public void Snoozing_again_moves_the_end_under_a_higher_epoch()
    {
        var incident = _desk.Trigger();
        var first = _desk.Send(_desk.Command(incident.Id, CommandKind.Snooze, Ann) with { SnoozeSeconds = 60 });
        var second = _desk.Send(_desk.Command(incident.Id, CommandKind.Snooze, Ann) with { SnoozeSeconds = 600 });
        second.Epoch.ShouldBeGreaterThan(first.Epoch);
        _desk.Last.Timers.Single().Task!.DueAt.ShouldBe(_desk.Now.AddSeconds(600));
    }

    [Fact]
    public void A_note_is_kept_and_changes_neither_epoch_nor_assignments()
    {
        var incident = _desk.Trigger();
        var noted = _desk.Send(_desk.Command(incident.Id, CommandKind.Note, Ann) with { Text = "looking" });
        noted.Epoch.ShouldBe(incident.Epoch);
        _desk.Said.ShouldBe(["annotate"]);
        _desk.Last.Assignments.ShouldBeEmpty();
    }

    [Fact]
    public void A_resolved_incident_takes_notes()
    {
        var resolved = _desk.Do(_desk.Trigger(), CommandKind.Resolve, Ann);
        _desk.Admitted(resolved);
        _desk.Send(_desk.Command(resolved.Id, CommandKind.Note, Ann) with { Text = "post mortem" });
        _desk.Said.ShouldBe(["annotate"]);
        _desk.Core.Held.ShouldBe(0);
    }

    [Fact]
    public void Reopening_pages_from_level_one_again()
    {
        var resolved = _desk.Admitted(_desk.Do(_desk.Trigger(), CommandKind.Resolve, Ann));
        var reopened = _desk.Send(_desk.Command(resolved.Id, CommandKind.Reopen, Ann) with { Status = IncidentStatus.Triggered });
        (reopened.Status, reopened.Level, reopened.ResolvedAt).ShouldBe((IncidentStatus.Triggered, 1, null));
        _desk.Active.ShouldHaveSingleItem().UserId.ShouldBe(Ann);
        _desk.Set.ShouldBe(["escalate", "auto_resolve"]);
        _desk.Core.Held.ShouldBe(1);
    }

    [Fact]
    public void Reopening_as_acknowledged_pages_nobody()
    {
        var resolved = _desk.Admitted(_desk.Do(_desk.Trigger(), CommandKind.Resolve, Ann));
        var reopened = _desk.Send(_desk.Command(resolved.Id, CommandKind.Reopen, Bob) with { Status = IncidentStatus.Acknowledged });
        reopened.AcknowledgedBy.ShouldBe(Bob);
        _desk.Last.Assignments.ShouldBeEmpty();
    }

    [Fact]
    public void No_event_reopens_an_incident()
    {
        var resolved = _desk.Admitted(_desk.Do(_desk.Trigger(), CommandKind.Resolve, Ann));
        _desk.Send(_desk.Event(EventAction.Acknowledge)).ShouldBeNull();
        _desk.Trigger().Id.ShouldNotBe(resolved.Id);
    }

    [Theory]
    [InlineData(CommandKind.Escalate)]
    [InlineData(CommandKind.Reassign)]
    [InlineData(CommandKind.Snooze)]
    [InlineData(CommandKind.Acknowledge)]
    [InlineData(CommandKind.Resolve)]
    public void A_resolved_incident_refuses_and_says_so(CommandKind kind)
    {
        var resolved = _desk.Admitted(_desk.Do(_desk.Trigger(), CommandKind.Resolve, Ann));
        _desk.Send(_desk.Command(resolved.Id, kind, Bob) with { AssignTo = [Bob], SnoozeSeconds = 60 });
        _desk.Last.Changed.ShouldBeEmpty();
        _desk.Said.ShouldBe(["ignored"]);
    }

    [Fact]
    public void An_open_incident_cannot_be_reopened()
    {
        var incident = _desk.Trigger();
        _desk.Do(incident, CommandKind.Reopen, Ann).ShouldBeSameAs(incident);
    }

    [Fact]
    public void Escalating_by_hand_goes_to_the_named_level()
    {
        var escalated = _desk.Send(_desk.Command(_desk.Trigger().Id, CommandKind.Escalate, Ann) with { Level = 2 });
        escalated.Level.ShouldBe(2);
        escalated.EscalateAt.ShouldBe(_desk.Now.AddMinutes(10));
        _desk.Ended.Single().EndedBy.ShouldBe("escalated");
        _desk.Active.Single().UserId.ShouldBe(Bob);
    }

    [Fact]
    public void Escalating_an_acknowledged_incident_triggers_it_at_the_next_level()
    {
        var incident = _desk.Trigger();
        _desk.Do(incident, CommandKind.Acknowledge, Ann);
        var escalated = _desk.Do(incident, CommandKind.Escalate, Ann);
        (escalated.Status, escalated.Level).ShouldBe((IncidentStatus.Triggered, 2));
    }

    [Fact]
    public void An_escalate_older_than_the_present_level_changes_nothing()
    {
        var incident = _desk.Trigger();
        var second = _desk.Fire(incident, IncidentTimer.Escalate);
        _desk.Send(_desk.Command(incident.Id, CommandKind.Escalate, Ann) with { Epoch = incident.Epoch }).ShouldBeSameAs(second);
        _desk.Said.ShouldBe(["ignored"]);
    }

    [Fact]
    public void Escalating_past_the_last_level_by_number_changes_nothing()
    {
        var incident = _desk.Trigger();
        _desk.Send(_desk.Command(incident.Id, CommandKind.Escalate, Ann) with { Level = 3 }).ShouldBeSameAs(incident);
    }

    [Fact]
    public void Low_urgency_is_not_escalated_by_hand()
    {
        var incident = _desk.Trigger(severity: Severity.Info);
        _desk.Do(incident, CommandKind.Escalate, Ann).ShouldBeSameAs(incident);
    }

    [Fact]
    public void Every_status_and_input_has_an_act()
    {
        foreach (var status in Enum.GetValues<IncidentStatus>())
            foreach (var input in Enum.GetValues<IncidentInput>())
                Enum.IsDefined(IncidentTransitions.Of(status, input)).ShouldBeTrue();
    }
}
