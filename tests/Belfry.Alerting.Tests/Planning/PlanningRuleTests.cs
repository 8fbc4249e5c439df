using Belfry.Alerting.Incidents;
using static Belfry.Alerting.Tests.Planning.PlanningScene;

namespace Belfry.Alerting.Tests.Planning;

/// <summary>A user's rules and methods: none, unusable, late, edited, gone.</summary>
public sealed class PlanningRuleTests
{
    private readonly PlanningScene _scene = new();

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
    public void A_removed_user_is_not_notified_any_more()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail, delay: 5)));
        _scene.Assign();
        _scene.UserRemoved(Ada);
        _scene.Fired(1).Notifications().ShouldBeEmpty();
    }
}
