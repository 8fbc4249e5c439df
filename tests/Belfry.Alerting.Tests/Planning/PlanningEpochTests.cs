using Belfry.Alerting.Planning;
using static Belfry.Alerting.Tests.Planning.PlanningScene;

namespace Belfry.Alerting.Tests.Planning;

/// <summary>Which assignment counts, and what is forgotten.</summary>
public sealed class PlanningEpochTests
{
    private readonly PlanningScene _scene = new();

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
    public void A_tombstone_forgets_an_assignment_without_a_word()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail, delay: 5)));
        _scene.Assign();
        _scene.Step(new PlanningInput.AssignmentForgotten(Ada, Fire)).ShouldBeEmpty();
        _scene.Fired(1).ShouldBeEmpty();
    }

    [Fact]
    public void What_was_forgotten_stays_over_whatever_is_repeated()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail), Rule(2, Mail, delay: 5)));
        _scene.Assign();
        _scene.End(epoch: 2, "resolved");
        _scene.Forget(epoch: 2).ShouldBeEmpty();
        _scene.Assign().ShouldBeEmpty();
        _scene.End(epoch: 2, "resolved").ShouldBeEmpty();
        _scene.Fired(2).ShouldBeEmpty();
        _scene.Core.Assignments.ShouldBe(0);
    }

    [Fact]
    public void An_incident_that_comes_back_after_its_tombstone_is_planned_again_and_a_repeat_of_the_tombstone_ends_nothing()
    {
        _scene.Rules(Contact([Mail], Rule(1, Mail), Rule(2, Mail, delay: 5)));
        _scene.Assign();
        _scene.Forget(epoch: 2);
        _scene.Assign(epoch: 3).Notifications().Count.ShouldBe(1);
        _scene.Forget(epoch: 2);
        _scene.Fired(2, epoch: 3).Notifications().Count.ShouldBe(1);
    }

    [Fact]
    public void Tombstones_are_remembered_up_to_a_bound()
    {
        var scene = new PlanningScene(endedMax: 2);
        scene.Rules(Contact([Mail], Rule(1, Mail)));
        scene.Forget(epoch: 1);
        foreach (var number in Enumerable.Range(1, 2)) scene.Forget(epoch: 1, new IncidentId(new Guid(number, 0, 0, new byte[8])));
        scene.Assign().Notifications().Count.ShouldBe(1);
        scene.Assign(incident: new IncidentId(new Guid(2, 0, 0, new byte[8]))).ShouldBeEmpty();
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
}
