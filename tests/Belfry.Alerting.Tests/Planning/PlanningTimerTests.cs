using Belfry.Alerting.Incidents;
using Belfry.Alerting.Planning;
using Belfry.Alerting.Timeline;
using static Belfry.Alerting.Tests.Planning.PlanningScene;

namespace Belfry.Alerting.Tests.Planning;

/// <summary>When a rule's time comes: what is sent by then, and what is not any more.</summary>
public sealed class PlanningTimerTests
{
    private readonly PlanningScene _scene = new();

    [Fact]
    public void A_timers_payload_names_user_incident_epoch_and_rule()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail, delay: 5)));
        var payload = PlanningWire.DecodeTimer(_scene.Assign(epoch: 4).Timers().Single().Payload);
        (payload.UserId, payload.IncidentId, payload.Epoch, payload.RuleId).ShouldBe((Ada, Fire, 4L, RuleId(1)));
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
}
