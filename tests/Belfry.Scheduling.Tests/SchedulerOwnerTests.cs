using Belfry.Log;
using Belfry.Scheduling.Tests.Support;
using Belfry.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Scheduling.Tests;

public sealed class SchedulerOwnerTests
{
    private readonly SimulatedWorld _world = new(1);
    private readonly SimulatedNode _node;
    private readonly SlowTakeOver _store = new();
    private readonly Said _said = new();
    private bool _hasEnded;

    public SchedulerOwnerTests() => _node = _world.AddNode("node");

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_stop_gives_up_a_take_over_at_the_end_of_its_budget(bool storeHeedsItsToken)
    {
        _store.TakeOver = cancel => new TaskCompletionSource<TaskOwnership>().Task
            .OrCancelledAsync(storeHeedsItsToken ? cancel : CancellationToken.None);
        var owner = Start(new SchedulerOptions());
        _world.Run(length: TimeSpan.FromSeconds(1));
        var stopped = Stop(owner, TimeSpan.FromSeconds(5));
        _world.Run();
        stopped().ShouldBe(TimeSpan.FromSeconds(6));
        (_store.Calls, _hasEnded).ShouldBe((1, true));
    }

    [Fact]
    public void A_stop_gives_up_the_pause_after_a_failed_take_over_at_the_end_of_its_budget()
    {
        _store.TakeOver = _ => Task.FromException<TaskOwnership>(new LogUnavailableException("down"));
        var owner = Start(new SchedulerOptions { ErrorBackoff = TimeSpan.FromMinutes(1) });
        _world.Run(length: TimeSpan.FromSeconds(1));
        var stopped = Stop(owner, TimeSpan.FromSeconds(5));
        _world.Run();
        stopped().ShouldBe(TimeSpan.FromSeconds(6));
        (_store.Calls, _hasEnded).ShouldBe((1, true));
    }

    [Fact]
    public void A_take_over_that_fails_once_it_is_given_up_is_no_fault_of_the_owner()
    {
        _store.TakeOver = FailCancelledAsync;
        var owner = Start(new SchedulerOptions());
        _world.Run(length: TimeSpan.FromSeconds(1));
        var stopped = Stop(owner, TimeSpan.Zero);
        _world.Run();
        stopped().ShouldBe(TimeSpan.FromSeconds(1));
        _hasEnded.ShouldBeTrue();

        static Task<TaskOwnership> FailCancelledAsync(CancellationToken cancel)
        {
            var answer = new TaskCompletionSource<TaskOwnership>();
            cancel.Register(() => answer.SetException(new InvalidOperationException("the session is gone")));
            return answer.Task;
        }
    }

    [Fact]
    public void A_take_over_of_a_former_owner_that_lands_late_does_not_leave_the_partition_without_one()
    {
        var topic = new TopicDeclaration("scheduled-tasks", 1, CleanUp.Time, TimeSpan.FromDays(7));
        var log = new SimulatedLog(_world);
        log.DeclareAsync([topic], default).AsTask().Wait();
        var handler = new CountingHandler();
        var worker = new SchedulerWorker(
            log.On(_node), topic, "scheduler", _store, [handler], new SchedulerOptions(), new ConsumerOptions(), _node.Time,
            NullLoggerFactory.Instance);
        _node.Start(() => worker.RunAsync(CancellationToken.None));
        _world.Run(() => _store.Calls == 1, TimeSpan.FromSeconds(30)).ShouldBe(RunEnd.Reached);
        _store.TakeOverAsync(new TaskPartition(new TopicPartition(topic.Name, 0), 1), default).IsCompleted.ShouldBeTrue();
        var task = new ScheduledTask { Id = new ScheduledTaskId("a", handler.Kind, "1"), DueAt = _world.Now.AddMinutes(1) };
        log.AppendAsync([TaskRecords.Schedule(topic.Name, task)], default).IsCompletedSuccessfully.ShouldBeTrue();
        _world.Run(() => handler.Calls == 1, TimeSpan.FromMinutes(2)).ShouldBe(RunEnd.Reached);
        worker.Runner.Status.Rebuilds.ShouldBe(1);
    }

    [Fact]
    public void A_handlers_callback_that_throws_as_a_stop_gives_up_is_logged_and_the_owner_ends()
    {
        var handler = new ThrowingHandler();
        var owner = Start(new SchedulerOptions(), handler);
        var task = new ScheduledTask { Id = new ScheduledTaskId("a", handler.Kind, "1"), DueAt = _world.Now };
        owner.Offer(
            [
                new LogRecord
                {
                    Source = new TopicPartition("scheduled-tasks", 0), Offset = 0, AppendedAt = _world.Now, Key = "a",
                    Value = TaskRecords.Schedule("scheduled-tasks", task).Value,
                },
            ]);
        _world.Run(() => handler.Calls == 1, TimeSpan.FromSeconds(10)).ShouldBe(RunEnd.Reached);
        var until = _world.Elapsed + TimeSpan.FromSeconds(5);
        var stopped = Stop(owner, TimeSpan.FromSeconds(5));
        _world.Run(length: TimeSpan.FromMinutes(1));
        stopped().ShouldBe(until);
        _hasEnded.ShouldBeTrue();
        _said.Lines.ShouldContain(line => line.StartsWith("Error: A callback on a token of") && line.Contains("is over"));
    }

    [Fact]
    public void A_stores_callback_that_throws_as_a_stop_gives_up_is_logged_and_the_owner_ends()
    {
        _store.TakeOver = cancel =>
        {
            cancel.Register(() => throw new InvalidOperationException("is over"));
            return new TaskCompletionSource<TaskOwnership>().Task;
        };
        var owner = Start(new SchedulerOptions());
        _world.Run(length: TimeSpan.FromSeconds(1));
        var stopped = Stop(owner, TimeSpan.FromSeconds(5));
        _world.Run();
        stopped().ShouldBe(TimeSpan.FromSeconds(6));
        _said.Lines.ShouldHaveSingleItem().ShouldContain("is over");
    }

    private SchedulerOwner Start(SchedulerOptions options, params ITaskHandler[] handlers)
    {
        var owner = new SchedulerOwner(
            new TaskPartition(new TopicPartition("scheduled-tasks", 0), 1), _store, handlers.ToDictionary(handler => handler.Kind), options,
            _node.Time, _said);
        _node.Start(async () =>
        {
            await owner.RunAsync(CancellationToken.None);
            _hasEnded = true;
        });
        return owner;
    }

    private Func<TimeSpan?> Stop(SchedulerOwner owner, TimeSpan budget)
    {
        TimeSpan? at = null;
        _node.Start(async () =>
        {
            using var limit = new CancellationTokenSource(budget, _node.Time);
            await owner.StopAsync(limit.Token);
            at = _world.Elapsed;
        });
        return () => at;
    }

    /// <summary>Waits for ever, with a callback on its token that throws.</summary>
    private sealed class ThrowingHandler : ITaskHandler
    {
        public string Kind => "throw";

        public int Calls { get; private set; }

        public async ValueTask<TaskOutcome> RunAsync(DueTask due, CancellationToken cancel)
        {
            Calls++;
            cancel.Register(() => throw new InvalidOperationException("is over"));
            await new TaskCompletionSource().Task;
            return TaskOutcome.Success;
        }
    }

    private sealed class CountingHandler : ITaskHandler
    {
        public string Kind => "count";

        public int Calls { get; private set; }

        public ValueTask<TaskOutcome> RunAsync(DueTask due, CancellationToken cancel)
        {
            Calls++;
            return new(TaskOutcome.Success);
        }
    }

    /// <summary>A store whose take-overs are the test's own.</summary>
    private sealed class SlowTakeOver : ITaskStore
    {
        private readonly SimulatedTaskStore _inner = new();

        public Func<CancellationToken, Task<TaskOwnership>>? TakeOver { get; set; }

        public int Calls { get; private set; }

        public ValueTask<TaskOwnership> TakeOverAsync(TaskPartition partition, CancellationToken cancel)
        {
            Calls++;
            return TakeOver is null ? _inner.TakeOverAsync(partition, cancel) : new(TakeOver(cancel));
        }

        public ValueTask ApplyAsync(TaskBatch batch, CancellationToken cancel) => _inner.ApplyAsync(batch, cancel);

        public ValueTask<TaskWindow> LoadWindowAsync(
            TaskPartition partition, TaskKey after, long untilMs, int max, long bytesMax, CancellationToken cancel) =>
            _inner.LoadWindowAsync(partition, after, untilMs, max, bytesMax, cancel);

        public ValueTask<TaskWindow> LoadLaneAsync(
            TaskPartition partition, string orderingId, TaskKey after, TaskKey upTo, int max, long bytesMax, CancellationToken cancel) =>
            _inner.LoadLaneAsync(partition, orderingId, after, upTo, max, bytesMax, cancel);

        public ValueTask<IReadOnlyList<StoredTask>> FindAsync(IReadOnlyList<ScheduledTaskId> ids, CancellationToken cancel) =>
            _inner.FindAsync(ids, cancel);

        public ValueTask<IReadOnlyList<StoredTask>> ListAsync(
            TaskState state, long afterSequence, int max, CancellationToken cancel) => throw new NotSupportedException();

        public ValueTask<(long Count, long? OldestDueMs)> OverdueAsync(long beforeMs, CancellationToken cancel) =>
            throw new NotSupportedException();

        public ValueTask<IReadOnlyList<UndecodableTask>> ListUndecodableAsync(
            TopicPartition source, long fromOffset, int max, CancellationToken cancel) => throw new NotSupportedException();

        public ValueTask<int> ForgetAsync(long beforeMs, int max, CancellationToken cancel) => new(0);
    }
}
