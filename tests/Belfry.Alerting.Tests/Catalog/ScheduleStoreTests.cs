using Belfry.Alerting.Catalog;
using Belfry.Alerting.OnCall;
using Belfry.Alerting.Tests.Storage;

namespace Belfry.Alerting.Tests.Catalog;

public class ScheduleStoreTests : IDisposable
{
    private readonly Configuration _belfry;

    public ScheduleStoreTests() : this(TestStore.OnSqlite)
    {
    }

    private protected ScheduleStoreTests(StoreOpener open) => _belfry = new Configuration(open);

    public void Dispose() => _belfry.Dispose();

    [Fact]
    public async Task Local_times_come_back_without_an_offset()
    {
        var ada = await _belfry.UserAsync("ada");
        var schedule = await _belfry.ScheduleAsync("Weekdays", ada.Id, null);
        var read = (await _belfry.Schedules.FindAsync(schedule.Id, default))!;
        read.Layers[0].Users.ShouldBe([ada.Id, null]);
        read.Layers[0].Start.ShouldBe(new DateTime(2026, 1, 1));
        read.Layers[0].Start.Kind.ShouldBe(DateTimeKind.Unspecified);
    }

    [Fact]
    public async Task All_faults_of_a_schedule_are_told_with_their_layers()
    {
        var nobody = new UserId(Guid.Empty);
        var layer = new ScheduleLayer(
            "L", [nobody], new DateTime(2026, 2, 1), new DateTime(2026, 1, 1), default, 60, [new LayerRestriction(8, default, 0)]);
        var result = await _belfry.Schedules.CreateAsync(
            new ScheduleDraft("", "Nowhere", [layer]), Configuration.Root, _belfry.Now, default);
        result.Faults().Count.ShouldBe(7);
        result.Faults().ShouldContain("Layer 1: the length of a turn in seconds is 60; 3600 to 31622400 is expected.");
        result.Faults().ShouldContain($"Layer 1: there is no user {nobody}.");
    }

    [Fact]
    public async Task An_edit_keeps_the_overrides()
    {
        var (ada, bob) = (await _belfry.UserAsync("ada"), await _belfry.UserAsync("bob"));
        var schedule = await _belfry.ScheduleAsync("Weekdays", ada.Id);
        var added = await OverrideAsync(schedule.Id, bob.Id, 1, 2);
        (await _belfry.Schedules.UpdateAsync(
            schedule.Id, Configuration.ScheduleOf("Renamed", ada.Id), Configuration.Root, _belfry.Now, default))
            .Value().Overrides.ShouldBe([added]);
    }

    [Fact]
    public async Task An_override_of_the_past_is_refused_and_one_that_began_starts_now()
    {
        var ada = await _belfry.UserAsync("ada");
        var schedule = await _belfry.ScheduleAsync("Weekdays", ada.Id);
        (await _belfry.Schedules.AddOverrideAsync(
            schedule.Id, new OverrideDraft(ada.Id, _belfry.Now.AddHours(-2), _belfry.Now), Configuration.Root, _belfry.Now, default))
            .Faults().Single().ShouldContain("the past cannot be changed");
        (await OverrideAsync(schedule.Id, ada.Id, -1, 1)).Start.ShouldBe(_belfry.Now);
    }

    [Fact]
    public async Task All_faults_of_an_override_are_told_at_once()
    {
        var ada = await _belfry.UserAsync("ada");
        var schedule = await _belfry.ScheduleAsync("Weekdays", ada.Id);
        (await _belfry.Schedules.AddOverrideAsync(
            schedule.Id, new OverrideDraft(new UserId(Guid.Empty), _belfry.Now.AddHours(-1), _belfry.Now.AddHours(-2)), Configuration.Root,
            _belfry.Now, default))
            .Faults().Count.ShouldBe(3);
    }

    [Fact]
    public async Task Removing_a_running_override_ends_it_now()
    {
        var ada = await _belfry.UserAsync("ada");
        var schedule = await _belfry.ScheduleAsync("Weekdays", ada.Id);
        var running = await OverrideAsync(schedule.Id, ada.Id, 0, 4);
        var future = await OverrideAsync(schedule.Id, ada.Id, 8, 9);
        _belfry.Time.Advance(TimeSpan.FromHours(1));
        await RemoveAsync(schedule.Id, running.Id);
        await RemoveAsync(schedule.Id, future.Id);
        (await _belfry.Schedules.FindAsync(schedule.Id, default))!.Overrides.ShouldBe([running with { End = _belfry.Now }]);
        (await RemoveAsync(schedule.Id, running.Id)).Faults().Single().ShouldContain("the past cannot be changed");
        (await RemoveAsync(schedule.Id, future.Id)).ShouldBeOfType<ChangeResult<ScheduleOverride>.Missing>();
    }

    [Fact]
    public async Task Whoever_is_in_an_override_to_come_is_not_deleted()
    {
        var (ada, bob) = (await _belfry.UserAsync("ada"), await _belfry.UserAsync("bob"));
        var schedule = await _belfry.ScheduleAsync("Weekdays", ada.Id);
        await OverrideAsync(schedule.Id, bob.Id, 1, 2);
        (await _belfry.People.DeleteUserAsync(bob.Id, Configuration.Root, _belfry.Now, default))
            .ShouldBeOfType<ChangeResult<Belfry.Alerting.People.User>.InUse>().By.ShouldBe(["schedule 'Weekdays'"]);
    }

    [Fact]
    public async Task A_schedule_in_use_is_not_deleted_and_its_policies_are_named()
    {
        var ada = await _belfry.UserAsync("ada");
        var schedule = await _belfry.ScheduleAsync("Weekdays", ada.Id);
        var policy = await _belfry.PolicyAsync("Payments", new EscalationTarget(TargetKind.Schedule, schedule.Id.Value));
        (await _belfry.Schedules.DeleteAsync(schedule.Id, Configuration.Root, _belfry.Now, default))
            .ShouldBeOfType<ChangeResult<OnCallSchedule>.InUse>().By.ShouldBe(["escalation policy 'Payments'"]);
        await _belfry.Services.DeletePolicyAsync(policy.Id, Configuration.Root, _belfry.Now, default);
        (await _belfry.Schedules.DeleteAsync(schedule.Id, Configuration.Root, _belfry.Now, default)).Value().Id.ShouldBe(schedule.Id);
    }

    private async Task<ScheduleOverride> OverrideAsync(ScheduleId schedule, UserId user, int fromHours, int toHours) =>
        (await _belfry.Schedules.AddOverrideAsync(
            schedule, new OverrideDraft(user, _belfry.Now.AddHours(fromHours), _belfry.Now.AddHours(toHours)), Configuration.Root,
            _belfry.Now, default)).Value();

    private ValueTask<ChangeResult<ScheduleOverride>> RemoveAsync(ScheduleId schedule, Guid id) =>
        _belfry.Schedules.RemoveOverrideAsync(schedule, id, Configuration.Root, _belfry.Now, default);
}
