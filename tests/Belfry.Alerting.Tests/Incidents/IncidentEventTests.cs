using Belfry.Alerting.Catalog;
using Belfry.Alerting.Events;
using Belfry.Alerting.Incidents;
using static Belfry.Alerting.Tests.Incidents.IncidentDesk;

namespace Belfry.Alerting.Tests.Incidents;

public sealed class IncidentEventTests
{
    private readonly IncidentDesk _desk = new();

    [Fact]
    public void A_trigger_opens_an_incident_assigned_to_level_one()
    {
        var incident = _desk.Trigger();
        incident.Status.ShouldBe(IncidentStatus.Triggered);
        incident.Level.ShouldBe(1);
        incident.Title.ShouldBe("disk full");
        incident.Responders.ShouldBe([new Responder(Ann, _desk.Now, false, 1)]);
        _desk.Active.ShouldHaveSingleItem().UserId.ShouldBe(Ann);
        _desk.Said.ShouldBe(["trigger", "assign"]);
    }

    [Fact]
    public void A_trigger_sets_the_escalation_and_auto_resolve_timers()
    {
        var incident = _desk.Trigger();
        incident.EscalateAt.ShouldBe(_desk.Now.AddMinutes(30));
        incident.AutoResolveAt.ShouldBe(_desk.Now.AddSeconds(14400));
        _desk.Set.ShouldBe(["escalate", "auto_resolve"]);
        _desk.Last.Timers[0].Task!.DueAt.ShouldBe(incident.EscalateAt!.Value);
        _desk.Last.Timers[0].Id.OrderingId.ShouldBe(incident.Id.ToString());
    }

    [Fact]
    public void A_second_trigger_of_an_open_alert_joins_it_and_notifies_nobody()
    {
        var first = _desk.Trigger();
        var second = _desk.Trigger();
        second.Id.ShouldBe(first.Id);
        second.Epoch.ShouldBe(first.Epoch);
        second.Alerts.ShouldHaveSingleItem().Triggers.ShouldBe(2);
        _desk.Last.Assignments.ShouldBeEmpty();
        _desk.Last.Timers.ShouldBeEmpty();
        _desk.Said.ShouldBe(["trigger"]);
    }

    [Fact]
    public void The_same_dedup_key_through_another_integration_is_another_incident()
    {
        var first = _desk.Trigger();
        var second = _desk.Send(_desk.Event(EventAction.Trigger, inlet: OtherInlet))!;
        second.Id.ShouldNotBe(first.Id);
    }

    [Fact]
    public void The_same_summary_under_two_keys_is_two_incidents() => _desk.Trigger("a").Id.ShouldNotBe(_desk.Trigger("b").Id);

    [Fact]
    public void An_event_taken_before_changes_nothing()
    {
        var trigger = _desk.Event(EventAction.Trigger);
        _desk.Send(trigger);
        _desk.Send(trigger).ShouldBeNull();
        _desk.Last.Entries.ShouldBeEmpty();
        _desk.Last.States.ShouldBeEmpty();
        _desk.Core.Held.ShouldBe(1);
    }

    [Fact]
    public void A_duplicate_inside_one_turn_changes_nothing()
    {
        var trigger = _desk.Event(EventAction.Trigger);
        var turn = new IncidentTurn(_desk.Now, _desk.Catalog, []);
        _desk.Core.Take(trigger, turn);
        _desk.Core.Take(trigger, turn);
        turn.Changed.ShouldHaveSingleItem().Alerts.ShouldHaveSingleItem().Triggers.ShouldBe(1);
        turn.States.Count.ShouldBe(1);
    }

    [Fact]
    public void A_resolve_event_resolves_the_incident_of_its_last_open_alert()
    {
        _desk.Trigger();
        var resolved = _desk.Send(_desk.Event(EventAction.Resolve))!;
        resolved.Status.ShouldBe(IncidentStatus.Resolved);
        resolved.Alerts.ShouldHaveSingleItem().Open.ShouldBeFalse();
        _desk.Ended.ShouldHaveSingleItem().EndedBy.ShouldBe("resolved");
        _desk.Cancelled.ShouldBe(["escalate", "auto_resolve"]);
    }

    [Fact]
    public void A_trigger_after_a_resolve_opens_a_new_incident()
    {
        var first = _desk.Trigger();
        _desk.Send(_desk.Event(EventAction.Resolve));
        _desk.Trigger().Id.ShouldNotBe(first.Id);
    }

    [Fact]
    public void Firing_resolved_and_firing_again_within_one_turn_leaves_one_open_incident()
    {
        var turn = new IncidentTurn(_desk.Now, _desk.Catalog, []);
        foreach (var action in (EventAction[])[EventAction.Trigger, EventAction.Resolve, EventAction.Trigger])
            _desk.Core.Take(_desk.Event(action), turn);
        turn.Changed.Select(incident => incident.Status).ShouldBe([IncidentStatus.Resolved, IncidentStatus.Triggered]);
    }

    [Fact]
    public void An_acknowledge_event_acknowledges_and_keeps_the_assignment()
    {
        _desk.Trigger();
        var acknowledged = _desk.Send(_desk.Event(EventAction.Acknowledge))!;
        acknowledged.Status.ShouldBe(IncidentStatus.Acknowledged);
        acknowledged.Responders.ShouldHaveSingleItem().UserId.ShouldBe(Ann);
        acknowledged.AcknowledgedBy.ShouldBeNull();
    }

    [Theory]
    [InlineData(EventAction.Acknowledge)]
    [InlineData(EventAction.Resolve)]
    public void Without_an_open_alert_it_is_dropped_with_the_reason(EventAction action)
    {
        _desk.Send(_desk.Event(action)).ShouldBeNull();
        _desk.Last.States.ShouldHaveSingleItem().Reason.ShouldBe("No open alert has this dedup key and routing key.");
    }

    [Theory]
    [InlineData(EventAction.Acknowledge)]
    [InlineData(EventAction.Resolve)]
    public void Through_another_routing_key_it_is_dropped(EventAction action)
    {
        _desk.Trigger();
        _desk.Send(_desk.Event(action, inlet: OtherInlet)).ShouldBeNull();
        _desk.Last.Entries.ShouldBeEmpty();
    }

    [Fact]
    public void A_second_acknowledge_event_changes_nothing_and_sends_nothing()
    {
        _desk.Trigger();
        _desk.Send(_desk.Event(EventAction.Acknowledge));
        _desk.Send(_desk.Event(EventAction.Acknowledge)).ShouldBeNull();
        _desk.Last.Assignments.ShouldBeEmpty();
        _desk.Last.States.Single().Reason.ShouldBe("The incident is acknowledged already.");
    }

    [Fact]
    public void A_trigger_on_an_acknowledged_incident_notifies_nobody_and_stays_visible()
    {
        var incident = _desk.Trigger();
        _desk.Do(incident, CommandKind.Acknowledge, Ann);
        var again = _desk.Trigger();
        again.Status.ShouldBe(IncidentStatus.Acknowledged);
        _desk.Last.Assignments.ShouldBeEmpty();
        _desk.Said.ShouldBe(["trigger"]);
    }

    [Fact]
    public void No_trigger_wakes_a_snooze()
    {
        var incident = _desk.Trigger();
        _desk.Send(_desk.Command(incident.Id, CommandKind.Snooze, Ann) with { SnoozeSeconds = 600 });
        _desk.Trigger().SnoozedUntil.ShouldBe(_desk.Now.AddSeconds(600));
        _desk.Last.Timers.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(Severity.Critical, Urgency.High)]
    [InlineData(Severity.Error, Urgency.High)]
    [InlineData(null, Urgency.High)]
    [InlineData(Severity.Warning, Urgency.Low)]
    [InlineData(Severity.Info, Urgency.Low)]
    public void Severity_decides_the_urgency_of_a_severity_based_service(Severity? severity, Urgency urgency) =>
        _desk.Trigger(severity: severity).Urgency.ShouldBe(urgency);

    [Theory]
    [InlineData(UrgencyRule.AlwaysHigh, Severity.Info, Urgency.High)]
    [InlineData(UrgencyRule.AlwaysLow, Severity.Critical, Urgency.Low)]
    public void A_fixed_urgency_ignores_severity(UrgencyRule rule, Severity severity, Urgency urgency)
    {
        _desk.Catalog = CatalogOf(rule);
        _desk.Trigger(severity: severity).Urgency.ShouldBe(urgency);
    }

    [Fact]
    public void Low_urgency_notifies_once_and_sets_no_escalation()
    {
        var incident = _desk.Trigger(severity: Severity.Info);
        incident.EscalateAt.ShouldBeNull();
        _desk.Set.ShouldBe(["auto_resolve"]);
        _desk.Active.ShouldHaveSingleItem().Urgency.ShouldBe(Urgency.Low);
    }

    [Fact]
    public void A_worse_alert_raises_urgency_notifies_again_and_starts_escalation()
    {
        var low = _desk.Trigger(severity: Severity.Info);
        _desk.Now = _desk.Now.AddMinutes(5);
        var high = _desk.Trigger(severity: Severity.Critical);
        high.Urgency.ShouldBe(Urgency.High);
        high.Epoch.ShouldBe(low.Epoch + 1);
        high.EscalateAt.ShouldBe(_desk.Now.AddMinutes(30));
        var assignment = _desk.Active.ShouldHaveSingleItem();
        (assignment.UserId, assignment.Urgency, assignment.AssignedAt).ShouldBe((Ann, Urgency.High, _desk.Now));
        _desk.Said.ShouldBe(["trigger", "urgency_change"]);
    }

    [Fact]
    public void A_lesser_alert_does_not_lower_urgency()
    {
        _desk.Trigger();
        var after = _desk.Trigger(severity: Severity.Info);
        after.Urgency.ShouldBe(Urgency.High);
        after.Alerts.Single().Severity.ShouldBe(Severity.Info);
    }

    [Fact]
    public void Urgency_that_rises_while_acknowledged_notifies_nobody()
    {
        var incident = _desk.Trigger(severity: Severity.Info);
        _desk.Do(incident, CommandKind.Acknowledge, Ann);
        _desk.Trigger().Urgency.ShouldBe(Urgency.High);
        _desk.Last.Assignments.ShouldBeEmpty();
        _desk.Last.Timers.ShouldBeEmpty();
    }

    [Fact]
    public void A_change_event_makes_no_incident_and_is_kept()
    {
        _desk.Send(_desk.Event(EventAction.Change)).ShouldBeNull();
        _desk.Last.ChangeEvents.Count.ShouldBe(1);
        _desk.Core.Held.ShouldBe(0);
    }

    [Fact]
    public void A_service_that_is_gone_still_gets_its_incident_and_the_fallback_is_told()
    {
        _desk.Catalog = new CatalogSnapshot(2, [], [], [], [], [Person(Eve, "eve", People.UserRole.Administrator)]);
        var incident = _desk.Trigger();
        incident.NobodyOnCall.ShouldBeTrue();
        incident.Urgency.ShouldBe(Urgency.High);
        _desk.Active.ShouldHaveSingleItem().UserId.ShouldBe(Eve);
        _desk.Active[0].ServiceName.ShouldBe("(deleted service)");
    }

    [Fact]
    public void Auto_resolve_off_sets_no_timer()
    {
        _desk.Catalog = CatalogOf(autoResolve: 0);
        _desk.Trigger().AutoResolveAt.ShouldBeNull();
        _desk.Set.ShouldBe(["escalate"]);
    }

    [Fact]
    public void The_same_inputs_give_the_same_ids()
    {
        var (first, second) = (new IncidentDesk(), new IncidentDesk());
        first.Trigger().Id.ShouldBe(second.Trigger().Id);
        first.Last.Entries.Select(entry => entry.Id).ShouldBe(second.Last.Entries.Select(entry => entry.Id));
        first.Last.Entries.Select(entry => entry.Id).Distinct().Count().ShouldBe(2);
    }
}
