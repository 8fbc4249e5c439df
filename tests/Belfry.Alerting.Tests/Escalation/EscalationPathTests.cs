using Belfry.Alerting.Catalog;
using Belfry.Alerting.Escalation;
using Belfry.Alerting.OnCall;
using static Belfry.Alerting.Tests.Incidents.IncidentDesk;

namespace Belfry.Alerting.Tests.Escalation;

public sealed class EscalationPathTests
{
    private static readonly ScheduleId Rota = new(Named(50));
    private static readonly DateTimeOffset Now = new(2026, 3, 2, 10, 0, 0, TimeSpan.Zero);

    [Fact]
    public void A_level_reaches_each_user_once_in_the_order_of_its_targets()
    {
        var level = new EscalationLevel(5, [ToUser(Bob), ToSchedule(Rota), ToUser(Ann)]);
        EscalationPath.Responders(level, CatalogOf(schedules: [Daily(Ann, Cat)]), Now).ShouldBe([Bob, Cat, Ann]);
        EscalationPath.Responders(level, CatalogOf(schedules: [Daily(Bob, Ann)]), Now).ShouldBe([Bob, Ann]);
    }

    [Fact]
    public void Users_and_schedules_that_are_gone_reach_nobody() => EscalationPath.Responders(
        new EscalationLevel(5, [ToUser(new UserId(Named(99))), ToSchedule(new ScheduleId(Named(98)))]), CatalogOf(), Now).ShouldBeEmpty();

    [Fact]
    public void A_schedule_is_read_at_the_time_given()
    {
        var level = new EscalationLevel(5, [ToSchedule(Rota)]);
        var catalog = CatalogOf(schedules: [Daily(Ann, Bob)]);
        EscalationPath.Responders(level, catalog, Now).ShouldBe([Bob]);
        EscalationPath.Responders(level, catalog, Now.AddDays(1)).ShouldBe([Ann]);
    }

    [Fact]
    public void The_first_level_with_somebody_is_taken_with_its_own_delay()
    {
        var policy = new EscalationPolicy(default, "p", 0, [new(5, [ToSchedule(Rota)]), Level(7, Bob), Level(9, Ann)]);
        var step = EscalationPath.From(policy, 1, 1, CatalogOf(), Now)!;
        (step.Level, step.Delay, step.Users.Single()).ShouldBe((2, TimeSpan.FromMinutes(7), Bob));
    }

    [Fact]
    public void Past_the_last_level_there_is_no_step() =>
        EscalationPath.From(new EscalationPolicy(default, "p", 3, [Level(7, Bob)]), 2, 1, CatalogOf(), Now).ShouldBeNull();

    [Theory]
    [InlineData(0, 1, false)]
    [InlineData(1, 1, true)]
    [InlineData(1, 2, false)]
    [InlineData(9, 9, true)]
    [InlineData(9, 10, false)]
    public void The_path_repeats_as_often_as_the_policy_says(int loops, int run, bool repeats) =>
        EscalationPath.Repeats(new EscalationPolicy(default, "p", loops, [Level(7, Bob)]), run).ShouldBe(repeats);

    [Fact]
    public void A_policy_without_levels_never_repeats() =>
        EscalationPath.Repeats(new EscalationPolicy(default, "p", 9, []), 1).ShouldBeFalse();

    private static EscalationTarget ToUser(UserId id) => new(TargetKind.User, id.Value);

    private static EscalationTarget ToSchedule(ScheduleId id) => new(TargetKind.Schedule, id.Value);

    private static OnCallSchedule Daily(params UserId?[] users) => new(
        Rota, "rota", "UTC", [new ScheduleLayer("l", users, new(2026, 3, 1), null, new(2026, 3, 1), 86400, [])], []);
}
