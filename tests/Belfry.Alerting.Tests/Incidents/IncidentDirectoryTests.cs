using System.Text.Json;
using Belfry.Alerting.Events;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.Tests.Storage;
using Belfry.Scheduling;
using static Belfry.Alerting.Tests.Incidents.IncidentDesk;

namespace Belfry.Alerting.Tests.Incidents;

public class IncidentDirectoryTests : IAsyncLifetime
{
    private readonly FoldDesk _desk;
    private IncidentFold _fold = null!;
    private List<Incident> _incidents = [];

    public IncidentDirectoryTests() : this(TestStore.OnSqlite)
    {
    }

    private protected IncidentDirectoryTests(StoreOpener open) => _desk = new FoldDesk(open);

    public async Task InitializeAsync()
    {
        _fold = await _desk.TakeOverAsync();
        await _fold.FoldAsync(
            [_desk.Record(_desk.Trigger("a")), _desk.Record(_desk.Trigger("b")), _desk.Record(_desk.Trigger("c", Severity.Info))], default);
        _incidents = [.. (await _desk.AllAsync()).Reverse().Select(row => row.Incident)];
        await SendAsync(_desk.Desk.Command(_incidents[1].Id, CommandKind.Acknowledge, Bob));
    }

    public async Task DisposeAsync() => await _desk.DisposeAsync();

    [Fact]
    public async Task It_lists_by_status_newest_first_with_the_total()
    {
        var (items, total) = await _desk.Directory.ListAsync(new IncidentFilter { Statuses = [IncidentStatus.Triggered] }, 0, 1, default);
        (items.Single().Number, total).ShouldBe((3, 2));
    }

    [Fact]
    public async Task It_lists_by_assignee() => (await ListAsync(new IncidentFilter { AssigneeId = Bob })).ShouldBe([2]);

    [Fact]
    public async Task It_lists_by_urgency() => (await ListAsync(new IncidentFilter { Urgency = Urgency.Low })).ShouldBe([3]);

    [Fact]
    public async Task It_lists_by_service()
    {
        (await ListAsync(new IncidentFilter { ServiceIds = [new ServiceId(Named(21))] })).ShouldBeEmpty();
        (await ListAsync(new IncidentFilter { ServiceIds = [IncidentDesk.ServiceId] })).ShouldBe([3, 2, 1]);
    }

    [Fact]
    public async Task It_lists_what_was_created_since_and_before()
    {
        var created = _incidents[0].CreatedAt;
        (await ListAsync(new IncidentFilter { Since = created, Until = created.AddMilliseconds(1) })).Count.ShouldBe(3);
        (await ListAsync(new IncidentFilter { Until = created })).ShouldBeEmpty();
        (await ListAsync(new IncidentFilter { Since = created.AddMilliseconds(1) })).ShouldBeEmpty();
    }

    [Fact]
    public async Task It_finds_by_number() => (await _desk.Directory.FindByNumberAsync(2, default))!.Incident.Id.ShouldBe(_incidents[1].Id);

    [Fact]
    public async Task It_knows_nothing_of_an_unknown_id() =>
        (await _desk.Directory.FindAsync(new IncidentId(Named(5)), default)).ShouldBeNull();

    [Fact]
    public async Task A_list_of_more_than_the_limit_is_refused() =>
        await Should.ThrowAsync<ArgumentOutOfRangeException>(
            async () => await _desk.Directory.ListAsync(new IncidentFilter(), 0, 251, default));

    [Fact]
    public async Task Before_a_send_it_says_whether_the_user_is_still_wanted()
    {
        (await WhyNotAsync(0, Ann, 1)).ShouldBeNull();
        (await WhyNotAsync(0, Bob, 1)).ShouldBe("reassigned");
        (await WhyNotAsync(1, Ann, 1)).ShouldBe("acknowledged");
        await SendAsync(_desk.Desk.Command(_incidents[0].Id, CommandKind.Reassign, Bob) with { AssignTo = [Ann] });
        (await WhyNotAsync(0, Ann, 1)).ShouldBe("reassigned_since");
        (await WhyNotAsync(0, Ann, 2)).ShouldBeNull();
        await SendAsync(_desk.Desk.Command(_incidents[0].Id, CommandKind.Resolve, Bob));
        (await WhyNotAsync(0, Ann, 2)).ShouldBe("resolved");
        (await _desk.Directory.WhyNotNotifyAsync(new IncidentId(Named(5)), Ann, 1, default)).ShouldBe("unknown_incident");
    }

    [Fact]
    public async Task A_fired_timer_becomes_one_command_however_often_it_runs()
    {
        _desk.Log.Down = false;
        var due = _incidents[0].EscalateAt!.Value;
        var task = new ScheduledTask
        {
            Id = IncidentTimers.TaskIdOf(_incidents[0].Id, IncidentTimer.Escalate), DueAt = due, Generation = 1,
            Payload = IncidentTimers.PayloadOf(_incidents[0], IncidentTimer.Escalate),
        };
        var handler = new IncidentTimerHandler(_desk.Log, _desk.Topics);
        (await handler.RunAsync(new DueTask(task, 1, 1), default)).ShouldBe(TaskOutcome.Success);
        (await handler.RunAsync(new DueTask(task, 2, 2), default)).ShouldBe(TaskOutcome.Success);
        var commands = _desk.Log.Of(_desk.Topics.IncidentCommands)
            .Select(record => JsonSerializer.Deserialize(record.Value.Span, IncidentJson.Default.IncidentCommand)!).ToList();
        commands.Select(command => command.Id).Distinct().Count().ShouldBe(1);
        await SendAsync(commands[0]);
        await SendAsync(commands[1]);
        (await _desk.Directory.FindAsync(_incidents[0].Id, default))!.Incident.Level.ShouldBe(2);
    }

    [Fact]
    public async Task A_timer_that_cannot_be_told_is_tried_again_and_an_unreadable_one_never()
    {
        var handler = new IncidentTimerHandler(_desk.Log, _desk.Topics);
        var task = new ScheduledTask
        {
            Id = IncidentTimers.TaskIdOf(_incidents[0].Id, IncidentTimer.Escalate), DueAt = _desk.Time.GetUtcNow(),
            Payload = IncidentTimers.PayloadOf(_incidents[0], IncidentTimer.Escalate),
        };
        (await handler.RunAsync(new DueTask(task, 1, 1), default)).ShouldBeOfType<TaskOutcome.Retry>();
        (await handler.RunAsync(new DueTask(task with { Payload = "{"u8.ToArray() }, 1, 1), default)).ShouldBeOfType<TaskOutcome.Fail>();
    }

    [Fact]
    public async Task A_command_out_of_bounds_is_refused_before_it_is_sent()
    {
        var writer = new IncidentCommandWriter(_desk.Log, _desk.Topics);
        var refused = await Should.ThrowAsync<ArgumentException>(async () =>
            await writer.SendAsync(
                _desk.Desk.Command(_incidents[0].Id, CommandKind.Snooze, Ann) with { SnoozeSeconds = 604_801 }, default));
        refused.Message.ShouldContain("A snooze takes 1 to 604800 seconds, not 604801.");
    }

    private ValueTask SendAsync(IncidentCommand command) => _fold.FoldAsync([_desk.Record(command)], default);

    private ValueTask<string?> WhyNotAsync(int incident, UserId user, long epoch) =>
        _desk.Directory.WhyNotNotifyAsync(_incidents[incident].Id, user, epoch, default);

    private async Task<IReadOnlyList<long>> ListAsync(IncidentFilter filter) =>
        [.. (await _desk.Directory.ListAsync(filter, 0, 100, default)).Items.Select(row => row.Number)];
}
