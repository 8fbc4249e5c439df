using Belfry.Alerting.Incidents;
using Belfry.Alerting.Planning;
using Belfry.Alerting.Timeline;
using static Belfry.Alerting.Tests.Planning.PlanningScene;

namespace Belfry.Alerting.Tests.Planning;

/// <summary>What an assignment makes: notifications, timers, entries, and ids that repeats share.</summary>
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
