using Belfry.Alerting.Incidents;
using Belfry.Alerting.Planning;
using Belfry.Alerting.Timeline;
using static Belfry.Alerting.Tests.Planning.PlanningScene;

namespace Belfry.Alerting.Tests.Planning;

public sealed class PlanningCoreTests
{
    private readonly PlanningScene _scene = new();

    [Fact]
    public void A_rule_of_no_delay_notifies_at_once()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail)));
        var notification = _scene.Assign().Notifications().ShouldHaveSingleItem();
        notification.Channel.ShouldBe("email");
        notification.Address.ShouldBe("ada@example.org");
        (notification.UserId, notification.IncidentId, notification.ServiceId, notification.Epoch).ShouldBe((Ada, Fire, Billing, 1L));
        (notification.Title, notification.ServiceName, notification.Level).ShouldBe(("Disk full", "Billing", 1));
    }

    [Fact]
    public void A_rule_with_a_delay_sets_a_timer_and_notifies_nobody_yet()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail, delay: 5)));
        var effects = _scene.Assign();
        effects.Notifications().ShouldBeEmpty();
        var timer = effects.Timers().ShouldHaveSingleItem();
        timer.Id.OrderingId.ShouldBe(Ada.ToString());
        timer.Id.Kind.ShouldBe("planning.rule");
        timer.Id.UniqueKey.ShouldBe($"{Fire}|{RuleId(1)}");
        timer.Generation.ShouldBe(1);
    }

    [Fact]
    public void A_delay_counts_from_the_assignment_and_not_from_now()
    {
        _scene.Now = Start.AddHours(3);
        _scene.Rules(Contact([Mail], Rule(1, Mail, delay: 5)));
        _scene.Assign().Timers().Single().DueAt.ShouldBe(Start.AddMinutes(5));
    }

    [Fact]
    public void A_timers_payload_names_user_incident_epoch_and_rule()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail, delay: 5)));
        var payload = PlanningWire.DecodeTimer(_scene.Assign(epoch: 4).Timers().Single().Payload);
        (payload.UserId, payload.IncidentId, payload.Epoch, payload.RuleId).ShouldBe((Ada, Fire, 4L, RuleId(1)));
    }

    [Fact]
    public void Every_rule_of_the_urgency_is_followed_in_order_of_delay()
    {
        _scene.Rules(Contact([Mail, Hook], Rule(3, Mail, delay: 10), Rule(2, Hook), Rule(1, Mail, delay: 5)));
        var effects = _scene.Assign();
        effects.Notifications().Single().Channel.ShouldBe("webhook");
        effects.Timers().Select(timer => timer.DueAt).ShouldBe([Start.AddMinutes(5), Start.AddMinutes(10)]);
    }

    [Fact]
    public void Rules_of_the_other_urgency_are_not_followed()
    {
        _scene.Rules(Contact([Mail, Hook], Rule(1, Mail, urgency: Urgency.Low), Rule(2, Hook)));
        _scene.Assign(urgency: Urgency.Low).Notifications().Single().Channel.ShouldBe("email");
        _scene.Assign(epoch: 2).Notifications().Single().Channel.ShouldBe("webhook");
    }

    [Fact]
    public void A_plan_is_told_with_channel_and_time()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail, delay: 5)));
        var entry = _scene.Assign().Entries(LogEntryTypes.Notify).ShouldHaveSingleItem();
        entry.Summary.ShouldBe("Will notify by email at 2026-03-04 12:05:00 UTC.");
        entry.Details!.Value.GetProperty("state").GetString().ShouldBe("planned");
        entry.Details!.Value.GetProperty("next_at").GetDateTimeOffset().ShouldBe(Start.AddMinutes(5));
        entry.At.ShouldBe(_scene.Now);
    }

    [Fact]
    public void The_planned_entry_names_the_notification_that_its_timer_makes()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail, delay: 5)));
        var planned = _scene.Assign().Entries(LogEntryTypes.Notify).Single().Details!.Value.GetProperty("notification_id").GetString();
        _scene.Fired(1).Notifications().Single().Id.ToString().ShouldBe(planned);
    }

    [Fact]
    public void A_timer_that_fires_notifies_by_its_rule()
    {
        _scene.Rules(Contact([Mail, Hook], Rule(1, Mail), Rule(2, Hook, delay: 5)));
        _scene.Assign();
        var notification = _scene.Fired(2).Notifications().ShouldHaveSingleItem();
        notification.Channel.ShouldBe("webhook");
        notification.RuleId.ShouldBe(RuleId(2));
        notification.CreatedAt.ShouldBe(Start.AddMinutes(5));
    }

    [Fact]
    public void A_timer_that_fires_twice_makes_the_same_notification()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail, delay: 5)));
        _scene.Assign();
        var first = _scene.Fired(1).Ids();
        _scene.Now = _scene.Now.AddHours(1);
        _scene.Fired(1).Ids().ShouldBe(first);
    }

    [Fact]
    public void A_notifications_id_carries_the_day_it_was_made_for()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail, delay: 5)));
        _scene.Assign(epoch: 2_000);
        var notification = _scene.Fired(1, epoch: 2_000).Notifications().Single();
        Id.TimeOf(notification.Id.Value).ShouldBe(notification.CreatedAt);
    }

    [Fact]
    public void Notifications_of_two_incidents_users_rules_or_epochs_have_different_ids()
    {
        _scene.Rules(Contact([Mail, Hook], Rule(1, Mail), Rule(2, Hook)));
        _scene.Rules(Contact([Mail with { UserId = Bob }], Rule(1, Mail) with { UserId = Bob }));
        var all = (List<Notification>)
        [
            .. _scene.Assign().Notifications(), .. _scene.Assign(incident: Flood).Notifications(),
            .. _scene.Assign(user: Bob).Notifications(), .. _scene.Assign(epoch: 2).Notifications(),
        ];
        all.Count.ShouldBe(7);
        all.Select(n => n.Id).Distinct().Count().ShouldBe(7);
    }

    [Fact]
    public void An_acknowledgement_cancels_the_timers_below_its_epoch()
    {
        _scene.Rules(Contact([Mail, Hook], Rule(1, Mail, delay: 5), Rule(2, Hook, delay: 9), Rule(3, Mail)));
        _scene.Assign(epoch: 3);
        var cancels = _scene.End(epoch: 4).Cancels();
        cancels.Select(cancel => cancel.TaskId.UniqueKey).ShouldBe([$"{Fire}|{RuleId(1)}", $"{Fire}|{RuleId(2)}"]);
        cancels.ShouldAllBe(cancel => cancel.Generation == 3);
    }

    [Theory]
    [InlineData("acknowledged")]
    [InlineData("resolved")]
    [InlineData("reassigned")]
    [InlineData("snoozed")]
    public void A_timer_that_fires_after_the_end_is_skipped_with_the_reason(string endedBy)
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail, delay: 5)));
        _scene.Assign();
        _scene.End(epoch: 2, endedBy);
        var effects = _scene.Fired(1);
        effects.Notifications().ShouldBeEmpty();
        effects.Skips().ShouldBe([$"{endedBy} before the rule's time"]);
    }

    [Fact]
    public void A_timer_of_a_former_assignment_is_ignored()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail, delay: 5)));
        _scene.Assign();
        _scene.Assign(epoch: 2);
        _scene.Fired(1, epoch: 1).ShouldBeEmpty();
        _scene.Fired(1, epoch: 2).Notifications().Count.ShouldBe(1);
    }

    [Fact]
    public void A_timer_of_an_epoch_not_yet_seen_is_ignored()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail, delay: 5)));
        _scene.Assign();
        _scene.Fired(1, epoch: 7).ShouldBeEmpty();
    }

    [Fact]
    public void A_timer_of_an_unknown_user_or_incident_is_ignored()
    {
        _scene.Fired(1).ShouldBeEmpty();
        _scene.Rules(Contact([Mail], Rule(1, Mail)));
        _scene.Fired(1).ShouldBeEmpty();
    }

    [Fact]
    public void Each_new_assignment_starts_the_rules_again()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail), Rule(2, Mail, delay: 5)));
        _scene.Assign();
        var again = _scene.Assign(epoch: 6);
        again.Notifications().Count.ShouldBe(1);
        again.Timers().Single().DueAt.ShouldBe(Start.AddMinutes(10));
        again.Timers().Single().Generation.ShouldBe(6);
    }

    [Fact]
    public void An_assignment_that_is_repeated_changes_nothing()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail)));
        _scene.Assign();
        _scene.Assign().ShouldBeEmpty();
    }

    [Fact]
    public void An_assignment_of_a_lower_epoch_changes_nothing()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail)));
        _scene.Assign(epoch: 3);
        _scene.Assign(epoch: 2).ShouldBeEmpty();
        _scene.End(epoch: 1).ShouldBeEmpty();
        _scene.Fired(1, epoch: 3).Notifications().Count.ShouldBe(1);
    }

    [Fact]
    public void A_stale_assignment_does_not_revive_an_acknowledged_one()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail)));
        _scene.Assign();
        _scene.End(epoch: 2);
        _scene.Assign().ShouldBeEmpty();
    }

    [Fact]
    public void An_end_at_the_epoch_of_the_assignment_ends_it()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail, delay: 5)));
        _scene.Assign(epoch: 2);
        _scene.End(epoch: 2);
        _scene.Fired(1, epoch: 2).Notifications().ShouldBeEmpty();
    }

    [Fact]
    public void An_assignment_at_the_epoch_of_an_end_keeps_its_timers()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail, delay: 5)));
        var cancel = _scene.End(epoch: 2).Cancels().Single();
        var timer = _scene.Assign(epoch: 2).Timers().Single();
        cancel.TaskId.ShouldBe(timer.Id);
        cancel.Generation.ShouldBeLessThan(timer.Generation);
    }

    [Fact]
    public void An_incident_that_comes_back_is_planned_again()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail)));
        _scene.Assign();
        _scene.End(epoch: 2);
        _scene.Assign(epoch: 3).Notifications().Count.ShouldBe(1);
    }

    [Fact]
    public void No_rule_for_the_urgency_is_told_and_high_urgency_falls_back_to_email()
    {
        _scene.Rules(Contact([Hook, Mail], Rule(1, Hook, urgency: Urgency.Low)));
        var effects = _scene.Assign();
        effects.Skips().ShouldBe(["no notification rule of the user matches high urgency"]);
        effects.Notifications().Single().Address.ShouldBe(Mail.Address);
    }

    [Fact]
    public void No_rule_for_low_urgency_is_told_and_nobody_is_notified()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail)));
        var effects = _scene.Assign(urgency: Urgency.Low);
        effects.Skips().ShouldBe(["no notification rule of the user matches low urgency"]);
        effects.Notifications().ShouldBeEmpty();
    }

    [Fact]
    public void Rules_that_lead_only_to_disabled_methods_are_told_and_fall_back()
    {
        _scene.Rules(Contact([Hook with { Enabled = false }, Mail], Rule(1, Hook)));
        var effects = _scene.Assign();
        effects.Skips().ShouldBe(
            ["the rule's contact method is disabled", "no contact method of the user's rules for high urgency is usable"]);
        effects.Notifications().Single().Channel.ShouldBe("email");
    }

    [Fact]
    public void One_unusable_rule_beside_a_usable_one_is_told_and_does_not_fall_back()
    {
        _scene.Rules(Contact([Hook, Mail], Rule(1, Hook), Rule(2, Mail with { Id = MethodId(9) })));
        var effects = _scene.Assign();
        effects.Skips().ShouldBe(["the rule's contact method is gone"]);
        effects.Notifications().Single().Channel.ShouldBe("webhook");
    }

    [Fact]
    public void A_disabled_email_is_not_fallen_back_to()
    {
        _scene.Rules(Contact([Mail with { Enabled = false }], Rule(1, Mail)));
        var effects = _scene.Assign();
        effects.Notifications().ShouldBeEmpty();
        effects.Skips().Count.ShouldBe(2);
    }

    [Fact]
    public void A_webhook_is_not_fallen_back_to()
    {
        _scene.Rules(Contact([Hook]));
        _scene.Assign().Notifications().ShouldBeEmpty();
    }

    [Fact]
    public void A_user_without_known_rules_is_told_of()
    {
        var effects = _scene.Assign();
        effects.Skips().ShouldBe(["no contact methods are known for the user"]);
        effects.Notifications().ShouldBeEmpty();
    }

    [Fact]
    public void Rules_that_come_after_the_assignment_plan_it()
    {
        _scene.Assign();
        var effects = _scene.Rules(Contact([Mail], Rule(1, Mail), Rule(2, Mail, delay: 5)));
        effects.Notifications().Count.ShouldBe(1);
        effects.Timers().Single().DueAt.ShouldBe(Start.AddMinutes(5));
    }

    [Fact]
    public void Rules_that_come_plan_all_open_assignments_in_order_of_time()
    {
        _scene.Assign(epoch: 9);
        _scene.Assign(epoch: 2, incident: Flood);
        _scene.Rules(Contact([Mail], Rule(1, Mail))).Notifications().Select(n => n.IncidentId).ShouldBe([Flood, Fire]);
    }

    [Fact]
    public void Rules_that_come_after_the_end_plan_nothing()
    {
        _scene.Assign();
        _scene.End(epoch: 2);
        _scene.Rules(Contact([Mail], Rule(1, Mail))).ShouldBeEmpty();
    }

    [Fact]
    public void An_edit_of_rules_notifies_nobody_again()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail)));
        _scene.Assign();
        _scene.Rules(Contact([Mail, Hook], Rule(1, Mail), Rule(2, Hook))).ShouldBeEmpty();
    }

    [Fact]
    public void A_timer_uses_the_contact_method_as_it_is_when_it_fires()
    {
        _scene.Rules(Contact([Mail, Hook], Rule(1, Mail), Rule(2, Mail, delay: 5)));
        _scene.Assign();
        _scene.Rules(Contact([Mail with { Address = "ada@new.example.org" }, Hook], Rule(1, Mail), Rule(2, Mail, delay: 5)));
        _scene.Fired(2).Notifications().Single().Address.ShouldBe("ada@new.example.org");
    }

    [Fact]
    public void A_timer_of_a_removed_rule_is_skipped_with_the_reason()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail), Rule(2, Mail, delay: 5)));
        _scene.Assign();
        _scene.Rules(Contact([Mail], Rule(1, Mail)));
        var effects = _scene.Fired(2);
        effects.Skips().ShouldBe(["the rule was removed"]);
        effects.Notifications().ShouldBeEmpty();
    }

    [Fact]
    public void A_timer_of_a_rule_moved_to_the_other_urgency_is_skipped()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail), Rule(2, Mail, delay: 5)));
        _scene.Assign();
        _scene.Rules(Contact([Mail], Rule(1, Mail), Rule(2, Mail, delay: 5, Urgency.Low)));
        _scene.Fired(2).Skips().ShouldBe(["the rule is for low urgency now"]);
    }

    [Fact]
    public void A_timer_whose_method_was_disabled_falls_back_when_nothing_else_is_left()
    {
        _scene.Rules(Contact([Hook, Mail], Rule(1, Hook, delay: 5)));
        _scene.Assign();
        _scene.Rules(Contact([Hook with { Enabled = false }, Mail], Rule(1, Hook, delay: 5)));
        var effects = _scene.Fired(1);
        effects.Skips().ShouldBe(["the rule's contact method is disabled"]);
        effects.Notifications().Single().Channel.ShouldBe("email");
    }

    [Fact]
    public void A_removed_user_is_not_notified_any_more()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail, delay: 5)));
        _scene.Assign();
        _scene.UserRemoved(Ada);
        _scene.Fired(1).Notifications().ShouldBeEmpty();
    }

    [Fact]
    public void A_tombstone_forgets_an_assignment_without_a_word()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail, delay: 5)));
        _scene.Assign();
        _scene.Step(new PlanningInput.AssignmentForgotten(Ada, Fire)).ShouldBeEmpty();
        _scene.Fired(1).ShouldBeEmpty();
    }

    [Fact]
    public void A_user_without_rules_and_assignments_takes_no_room()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail)));
        _scene.Core.Users.ShouldBe(1);
        _scene.UserRemoved(Ada);
        _scene.Core.Users.ShouldBe(0);
    }

    [Fact]
    public void Ended_assignments_are_remembered_up_to_a_bound()
    {
        var scene = new PlanningScene(endedMax: 3);
        foreach (var number in Enumerable.Range(1, 10))
            scene.End(epoch: 1, incident: new IncidentId(new Guid(number, 0, 0, new byte[8])));
        scene.Core.Assignments.ShouldBe(3);
    }

    [Fact]
    public void The_bound_on_ended_assignments_spares_one_that_came_back()
    {
        var scene = new PlanningScene(endedMax: 1);
        scene.Rules(Contact([Mail], Rule(1, Mail, delay: 5)));
        scene.End(epoch: 1);
        scene.Assign(epoch: 2);
        scene.End(epoch: 1, incident: Flood);
        scene.Fired(1, epoch: 2).Notifications().Count.ShouldBe(1);
    }

    [Fact]
    public void Two_cores_given_the_same_inputs_at_different_times_emit_the_same_ids()
    {
        var other = new PlanningScene { Now = Start.AddDays(2) };
        foreach (var scene in (PlanningScene[])[_scene, other])
            scene.Rules(Contact([Hook, Mail], Rule(1, Hook), Rule(2, Mail, delay: 5), Rule(3, Hook with { Id = MethodId(8) })));
        _scene.Assign().Ids().ShouldBe(other.Assign().Ids());
        _scene.End(2).Ids().ShouldBe(other.End(2).Ids());
        _scene.Fired(2).Ids().ShouldBe(other.Fired(2).Ids());
    }
}
