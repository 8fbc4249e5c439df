using Belfry.Testing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Log.Tests;

/// <summary>Runner and lane owner together, one promise at a time, in a world without random faults.</summary>
public sealed class LaneOwnerTests
{
    private static readonly ConsumerOptions Rare = new() { CommitInterval = TimeSpan.FromHours(1), StuckAfter = TimeSpan.FromHours(3) };

    [Fact]
    public void An_exception_in_a_handler_is_an_attempt_that_failed()
    {
        var cluster = new LaneCluster(1);
        List<int> attempts = [];
        cluster.Decide = (_, _, attempt) =>
        {
            attempts.Add(attempt);
            return attempt < 3 ? throw new InvalidOperationException("broken") : HandlerOutcome.Success;
        };
        cluster.StartNode();
        cluster.Append("a");
        cluster.Settle(TimeSpan.FromSeconds(30));
        attempts.ShouldBe([1, 2, 3]);
    }

    [Fact]
    public void A_record_out_of_attempts_becomes_a_dead_letter_and_its_offset_is_done()
    {
        var cluster = new LaneCluster(1) { Decide = (_, _, _) => new HandlerOutcome.Retry("no") };
        cluster.StartNode();
        cluster.Append("a");
        cluster.Settle(TimeSpan.FromMinutes(2));
        (cluster.HandlerCalls, cluster.DeadLetters).ShouldBe((6, 1));
    }

    [Fact]
    public void A_dead_letter_that_cannot_be_written_keeps_its_offset_pending_until_it_is()
    {
        var cluster = new LaneCluster(1) { Decide = (_, _, _) => new HandlerOutcome.DeadLetter("never") };
        cluster.StartNode();
        cluster.World.Run(length: TimeSpan.FromSeconds(5));
        cluster.Append("a");
        cluster.World.Run(() => cluster.HandlerCalls == 1);
        cluster.World.Faults = new FaultPlan { FailBefore = 1 };
        cluster.World.Run(length: TimeSpan.FromSeconds(10));
        (cluster.Lag(), cluster.DeadLetters).ShouldBe((1, 0));
        cluster.World.Faults = FaultPlan.None;
        cluster.Settle(TimeSpan.FromMinutes(2));
        cluster.DeadLetters.ShouldBe(1);
    }

    [Fact]
    public void Attempts_of_a_parked_record_survive_the_process()
    {
        var cluster = new LaneCluster(1);
        List<int> attempts = [];
        cluster.Decide = (_, _, attempt) =>
        {
            attempts.Add(attempt);
            return attempt < 3 ? new HandlerOutcome.Retry("later", TimeSpan.FromSeconds(20)) : HandlerOutcome.Success;
        };
        var first = cluster.StartNode();
        cluster.Append("a");
        cluster.World.Run(() => cluster.ParkedCount == 1 && cluster.Lag() == 0, TimeSpan.FromSeconds(10)).ShouldBe(RunEnd.Reached);
        cluster.Kill(first);
        cluster.StartNode();
        cluster.Settle(TimeSpan.FromMinutes(2));
        attempts.ShouldBe([1, 2, 3]);
    }

    [Fact]
    public void A_record_parked_but_not_committed_by_a_dead_process_runs_from_its_row_alone()
    {
        var cluster = new LaneCluster(1) { Options = Rare };
        cluster.Decide = (_, _, attempt) =>
            attempt == 1 ? new HandlerOutcome.Retry("later", TimeSpan.FromSeconds(20)) : HandlerOutcome.Success;
        var first = cluster.StartNode();
        cluster.Append("a");
        cluster.World.Run(() => cluster.ParkedCount == 1);
        cluster.Kill(first);
        cluster.Lag().ShouldBe(1);
        cluster.Options = new ConsumerOptions();
        cluster.StartNode();
        cluster.Settle(TimeSpan.FromMinutes(2));
        cluster.HandlerCalls.ShouldBe(2);
    }

    [Fact]
    public void A_stop_in_a_retry_wait_drains_at_once_and_leaves_the_record_for_the_next()
    {
        var cluster = new LaneCluster(1);
        cluster.Decide = (_, _, attempt) =>
            attempt == 1 ? new HandlerOutcome.Retry("later", TimeSpan.FromSeconds(2)) : HandlerOutcome.Success;
        var first = cluster.StartNode();
        cluster.Append("a");
        cluster.World.Run(() => cluster.HandlerCalls == 1);
        cluster.World.Run(length: TimeSpan.FromMilliseconds(500));
        cluster.Stop(first);
        cluster.World.Run(length: TimeSpan.FromMilliseconds(100));
        cluster.Runners[first].Status.Partitions.ShouldBeEmpty();
        cluster.Lag().ShouldBe(1);
        cluster.StartNode();
        cluster.Settle(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public void A_graceful_stop_waits_for_what_runs_and_commits_it()
    {
        var cluster = new LaneCluster(1) { Options = Rare };
        cluster.HandlerTimeMax = TimeSpan.FromSeconds(4);
        var node = cluster.StartNode();
        for (var n = 0; n < 5; n++) cluster.Append($"key-{n}");
        cluster.World.Run(() => cluster.HandlerCalls == 5);
        cluster.Stop(node);
        cluster.World.Run(length: TimeSpan.FromSeconds(5));
        cluster.Lag().ShouldBe(0);
        cluster.Verify();
    }

    [Fact]
    public void A_drain_past_its_budget_lets_go_and_the_next_owner_repeats()
    {
        var cluster = new LaneCluster(1) { HandlerTimeMax = TimeSpan.FromMinutes(10) };
        cluster.Options = new ConsumerOptions { DrainBudget = TimeSpan.FromSeconds(2) };
        var node = cluster.StartNode();
        cluster.Append("a");
        cluster.World.Run(() => cluster.HandlerCalls == 1);
        cluster.Stop(node);
        cluster.World.Run(length: TimeSpan.FromSeconds(3));
        cluster.Lag().ShouldBe(1);
        cluster.HandlerTimeMax = TimeSpan.Zero;
        cluster.StartNode();
        cluster.Settle(TimeSpan.FromSeconds(10));
        cluster.HandlerCalls.ShouldBe(2);
    }

    [Fact]
    public void A_hot_key_holds_up_no_other()
    {
        var cluster = new LaneCluster(1, partitions: 1) { HandlerTimeMax = TimeSpan.FromSeconds(10) };
        cluster.StartNode();
        for (var n = 0; n < 50; n++)
        {
            cluster.Append("hot");
            cluster.Append($"cold-{n}");
        }

        cluster.World.Run(() => cluster.Loss.Missing <= 49, TimeSpan.FromSeconds(40)).ShouldBe(RunEnd.Reached);
        cluster.HandlerTimeMax = TimeSpan.FromMilliseconds(1);
        cluster.Settle(TimeSpan.FromMinutes(1));
    }

    [Fact]
    public void Records_that_retry_for_ever_hold_no_credit_and_do_not_stop_the_intake()
    {
        var cluster = new LaneCluster(1, new LaneOptions { Credits = 4 }, partitions: 1);
        var healed = false;
        cluster.Decide = (_, text, _) => text.StartsWith("bad", StringComparison.Ordinal) && !healed
            ? new HandlerOutcome.Retry("breaker open", TimeSpan.FromSeconds(1), BurnsAttempt: false)
            : HandlerOutcome.Success;
        cluster.StartNode();
        for (var n = 0; n < 20; n++) cluster.Append($"bad-{n}");
        for (var n = 0; n < 100; n++) cluster.Append($"good-{n}");
        cluster.World.Run(() => cluster.Loss.Missing == 20, TimeSpan.FromSeconds(20)).ShouldBe(RunEnd.Reached);
        healed = true;
        cluster.Settle(TimeSpan.FromSeconds(20));
    }

    [Fact]
    public void A_handler_past_its_timeout_is_cancelled_and_tried_again()
    {
        var cluster = new LaneCluster(1, new LaneOptions { HandlerTimeout = TimeSpan.FromSeconds(3) })
        {
            HandlerTimeMax = TimeSpan.FromDays(40),
        };
        cluster.StartNode();
        cluster.Append("a");
        cluster.World.Run(() => cluster.HandlerCalls == 1);
        var started = cluster.World.Elapsed;
        cluster.HandlerTimeMax = TimeSpan.Zero;
        cluster.World.Run(() => cluster.HandlerCalls == 2, TimeSpan.FromSeconds(10)).ShouldBe(RunEnd.Reached);
        (cluster.World.Elapsed - started).ShouldBeInRange(TimeSpan.FromSeconds(3.5), TimeSpan.FromSeconds(4.1));
        cluster.Settle(TimeSpan.FromSeconds(10));
    }

    /// <summary>A take-over that lands after the next owner's would fence that one out.</summary>
    [Fact]
    public async Task A_stop_during_the_take_over_waits_for_it_and_one_before_it_leaves_the_store_alone()
    {
        var parking = new SlowTakeOver();
        var owner = Owner(parking);
        var running = owner.RunAsync(default);
        var stopping = owner.StopAsync(default).AsTask();
        parking.Calls.ShouldBe(1);
        stopping.IsCompleted.ShouldBeFalse();
        parking.Answer.SetResult(1);
        await stopping.WaitAsync(TimeSpan.FromSeconds(30));
        await running.WaitAsync(TimeSpan.FromSeconds(30));

        var second = Owner(parking);
        await second.StopAsync(default);
        await second.RunAsync(default);
        parking.Calls.ShouldBe(1);
    }

    /// <summary>What other threads add once a turn has taken its inputs must be in the next turn's only.</summary>
    [Fact]
    public async Task A_record_or_an_end_that_comes_while_a_turn_begins_counts_once()
    {
        var end = new TaskCompletionSource<HandlerOutcome>();
        var second = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        List<long> handled = [];
        var time = new TimeThatInterrupts();
        var parking = new SlowTakeOver();
        parking.Answer.SetResult(1);
        var owner = Owner(parking, time, (record, _, _) =>
        {
            handled.Add(record.Offset);
            if (record.Offset == 0) return new(end.Task);
            second.TrySetResult();
            return ValueTask.FromResult(HandlerOutcome.Success);
        });
        time.Next.Enqueue(() => owner.Offer([Record(0)]));
        var running = owner.RunAsync(default);
        handled.ShouldBe([0]);
        time.Next.Enqueue(() => end.SetResult(HandlerOutcome.Success));
        owner.Offer([Record(1)]);
        await second.Task.WaitAsync(TimeSpan.FromSeconds(30));
        await owner.StopAsync(default).AsTask().WaitAsync(TimeSpan.FromSeconds(30));
        await running.WaitAsync(TimeSpan.FromSeconds(30));
        handled.ShouldBe([0, 1]);
        owner.LowWaterMark(new("t", 0)).ShouldBe(2);
    }

    [Fact]
    public async Task A_handlers_callback_that_throws_does_not_keep_an_owner_that_fails_from_its_end()
    {
        var said = new Said();
        var fails = new TaskCompletionSource<HandlerOutcome>();
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var owner = Owner(TakenOver(), new ManualTime(), (record, _, cancel) =>
        {
            if (record.Offset == 1) started.SetResult();
            if (record.Offset == 1) return new(fails.Task);
            cancel.Register(() => throw new InvalidOperationException("has ended"));
            return new(new TaskCompletionSource<HandlerOutcome>().Task);
        }, said);
        var running = owner.RunAsync(default);
        owner.Offer([Record(0), Record(1)]);
        await started.Task.WaitAsync(TimeSpan.FromSeconds(10));
        var stopping = owner.StopAsync(default).AsTask();
        fails.SetException(new OwnershipLostException("newer"));
        await stopping.WaitAsync(TimeSpan.FromSeconds(10));
        await Should.ThrowAsync<OwnershipLostException>(() => running.WaitAsync(TimeSpan.FromSeconds(10)));
        said.Lines.ShouldContain(line => line.StartsWith($"Error: A callback on a token of {Record(0)}") && line.Contains("has ended"));
    }

    [Fact]
    public async Task A_handlers_callback_that_throws_at_its_timeout_ends_no_owner()
    {
        var said = new Said();
        var time = new ManualTime();
        var second = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var timedOut = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var first = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var owner = Owner(TakenOver(), time, (record, _, cancel) =>
        {
            if (record.Offset == 1) second.SetResult();
            if (record.Offset == 1) return ValueTask.FromResult(HandlerOutcome.Success);
            cancel.Register(() =>
            {
                timedOut.SetResult();
                throw new InvalidOperationException("has ended");
            });
            first.SetResult();
            return new(new TaskCompletionSource<HandlerOutcome>().Task);
        }, said);
        var running = owner.RunAsync(default);
        owner.Offer([Record(0)]);
        await first.Task.WaitAsync(TimeSpan.FromSeconds(10));
        time.Advance(TimeSpan.FromMinutes(1));
        await timedOut.Task.WaitAsync(TimeSpan.FromSeconds(10));
        owner.Offer([Record(1)]);
        await second.Task.WaitAsync(TimeSpan.FromSeconds(10));
        await owner.StopAsync(new CancellationToken(true));
        await running.WaitAsync(TimeSpan.FromSeconds(10));
        said.Lines.ShouldHaveSingleItem().ShouldContain("has ended");
    }

    [Fact]
    public async Task A_stores_callback_that_throws_as_a_drain_ends_is_logged()
    {
        var said = new Said();
        var buried = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var owner = Owner(
            TakenOver(), new ManualTime(), (_, _, _) => ValueTask.FromResult<HandlerOutcome>(new HandlerOutcome.DeadLetter("no")), said,
            async (_, _, _, cancel) =>
            {
                cancel.Register(() => throw new InvalidOperationException("has ended"));
                buried.SetResult();
                await new TaskCompletionSource().Task;
            });
        var running = owner.RunAsync(default);
        owner.Offer([Record(0)]);
        await buried.Task.WaitAsync(TimeSpan.FromSeconds(10));
        await owner.StopAsync(new CancellationToken(true)).AsTask().WaitAsync(TimeSpan.FromSeconds(10));
        await running.WaitAsync(TimeSpan.FromSeconds(10));
        said.Lines.ShouldHaveSingleItem().ShouldContain("has ended");
    }

    private static SlowTakeOver TakenOver()
    {
        var parking = new SlowTakeOver();
        parking.Answer.SetResult(1);
        return parking;
    }

    private static LogRecord Record(long offset) => new()
    {
        Source = new("t", 0), Offset = offset, AppendedAt = DateTimeOffset.UnixEpoch, Key = $"k{offset}", Value = default,
    };

    private static LaneOwner Owner(IParkedRecordStore parking, TimeProvider? time = null, RecordHandler? handler = null,
        ILogger? logger = null, DeadLetterWriter? deadLetters = null) => new(
        "g", new TopicPartition("t", 0), handler ?? ((_, _, _) => ValueTask.FromResult(HandlerOutcome.Success)), record => record.Key,
        deadLetters ?? ((_, _, _, _) => ValueTask.CompletedTask), parking, new LaneOptions(), new Random(1), time ?? TimeProvider.System,
        logger ?? NullLogger.Instance);

    /// <summary>Another thread's doings in the midst of a turn, which asks for the time after it has taken its inputs.</summary>
    private sealed class TimeThatInterrupts : TimeProvider
    {
        public Queue<Action> Next { get; } = new();

        public override DateTimeOffset GetUtcNow()
        {
            if (Next.TryDequeue(out var act)) act();
            return base.GetUtcNow();
        }
    }

    private sealed class SlowTakeOver : IParkedRecordStore
    {
        public int Calls { get; private set; }
        public TaskCompletionSource<long> Answer { get; } = new();

        public ValueTask<long> TakeOverAsync(string group, TopicPartition source, CancellationToken cancel)
        {
            Calls++;
            return new ValueTask<long>(Answer.Task);
        }

        public ValueTask<IReadOnlyList<ParkedRecord>> LoadAsync(
            string group, TopicPartition source, long fromOffset, int max, CancellationToken cancel) =>
            ValueTask.FromResult<IReadOnlyList<ParkedRecord>>([]);

        public ValueTask ApplyAsync(
            string group, TopicPartition source, long epoch, IReadOnlyList<ParkedRecord> parked, IReadOnlyList<long> doneOffsets,
            CancellationToken cancel) => ValueTask.CompletedTask;
    }
}
