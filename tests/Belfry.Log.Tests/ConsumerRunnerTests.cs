using Belfry.Testing;

namespace Belfry.Log.Tests;

public sealed class ConsumerRunnerTests
{
    [Fact]
    public void A_full_partition_is_paused_and_resumed_and_the_others_go_on()
    {
        var cluster = new LaneCluster(1, new LaneOptions { Credits = 1 }, partitions: 1)
        {
            Options = new ConsumerOptions { HeldMax = 10, PollRecordsMax = 5, CommitInterval = TimeSpan.FromMilliseconds(50) },
            HandlerTimeMax = TimeSpan.FromMilliseconds(200),
        };
        var node = cluster.StartNode();
        for (var n = 0; n < 100; n++) cluster.Append($"key-{n}");
        var (heldMax, sawPaused) = (0, false);
        cluster.World.Run(() =>
        {
            foreach (var partition in cluster.Runners[node].Status.Partitions)
            {
                heldMax = Math.Max(heldMax, partition.Held);
                sawPaused |= partition.IsPaused;
            }

            return cluster.Loss.Missing == 0;
        }, TimeSpan.FromMinutes(2)).ShouldBe(RunEnd.Reached);
        sawPaused.ShouldBeTrue();
        heldMax.ShouldBeInRange(10, 14);
        cluster.Settle(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public void A_failing_commit_stops_no_polling_and_loses_no_offset()
    {
        var cluster = new LaneCluster(1);
        cluster.StartNode();
        cluster.Append("a");
        cluster.World.Run(() => cluster.HandlerCalls == 1);
        cluster.World.Faults = new FaultPlan { FailBefore = 0.5 };
        for (var n = 0; n < 20; n++) cluster.Append($"key-{n}");
        cluster.World.Run(() => cluster.Loss.Missing == 0, TimeSpan.FromMinutes(5)).ShouldBe(RunEnd.Reached);
        cluster.World.Faults = FaultPlan.None;
        cluster.Settle(TimeSpan.FromMinutes(1));
    }

    [Fact]
    public void A_partition_that_leaves_while_a_commit_takes_long_is_committed_after_it()
    {
        var cluster = new LaneCluster(1);
        cluster.StartNode();
        cluster.World.Run(length: TimeSpan.FromSeconds(5));
        cluster.World.Faults = new FaultPlan { Slow = 1, SlowBy = TimeSpan.FromSeconds(4) };
        for (var n = 0; n < 10; n++) cluster.Append($"key-{n}");
        cluster.World.Run(() => cluster.HandlerCalls == 10);
        cluster.World.Run(length: TimeSpan.FromSeconds(2));
        for (var n = 0; n < 10; n++) cluster.Append($"key-{n}");
        cluster.StartNode();
        cluster.Settle(TimeSpan.FromMinutes(2));
        cluster.HandlerCalls.ShouldBe(20);
    }

    [Fact]
    public void A_log_that_is_down_for_an_hour_is_polled_now_and_then_and_taken_up_again_within_five_seconds()
    {
        var cluster = new LaneCluster(1);
        var node = cluster.StartNode();
        cluster.World.Run(length: TimeSpan.FromSeconds(5));
        cluster.World.Faults = new FaultPlan { FailBefore = 1 };
        cluster.World.Run(length: TimeSpan.FromSeconds(5));
        cluster.Append("a");
        var before = cluster.Runners[node].Status.Faults;
        cluster.World.Run(length: TimeSpan.FromHours(1));
        cluster.HandlerCalls.ShouldBe(0);
        (cluster.Runners[node].Status.Faults - before).ShouldBeInRange(600, 1_000, "polls, none of them answered");
        cluster.World.Faults = FaultPlan.None;
        cluster.World.Run(() => cluster.HandlerCalls == 1, TimeSpan.FromSeconds(5)).ShouldBe(RunEnd.Reached);
        cluster.Settle(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public void A_second_member_gets_its_share_after_the_first_has_drained_and_nothing_is_handled_twice()
    {
        var cluster = new LaneCluster(1) { HandlerTimeMax = TimeSpan.FromSeconds(1) };
        cluster.StartNode();
        for (var n = 0; n < 40; n++) cluster.Append($"key-{n}");
        cluster.World.Run(() => cluster.HandlerCalls == 40);
        var second = cluster.StartNode();
        cluster.World.Run(() => cluster.Runners[second].Status.Partitions.Count == 2, TimeSpan.FromSeconds(20)).ShouldBe(RunEnd.Reached);
        cluster.Settle(TimeSpan.FromSeconds(20));
        cluster.HandlerCalls.ShouldBe(40);
    }

    [Fact]
    public void Two_rebalances_in_one_drain_leave_every_partition_with_an_owner()
    {
        var cluster = new LaneCluster(1) { HandlerTimeMax = TimeSpan.FromSeconds(4) };
        cluster.StartNode();
        for (var n = 0; n < 40; n++) cluster.Append($"key-{n}");
        cluster.World.Run(() => cluster.HandlerCalls == 40);
        cluster.StartNode();
        cluster.World.Run(length: TimeSpan.FromSeconds(1));
        cluster.StartNode();
        cluster.HandlerTimeMax = TimeSpan.FromMilliseconds(10);
        cluster.World.Run(length: TimeSpan.FromSeconds(20));
        cluster.Runners.Values.Sum(r => r.Status.Partitions.Count).ShouldBe(4);
        for (var n = 0; n < 40; n++) cluster.Append($"key-{n}");
        cluster.Settle(TimeSpan.FromSeconds(20));
    }

    [Fact]
    public void A_process_that_died_is_replaced_within_its_session()
    {
        var cluster = new LaneCluster(1);
        var first = cluster.StartNode();
        cluster.World.Run(length: TimeSpan.FromSeconds(2));
        cluster.Kill(first);
        cluster.StartNode();
        cluster.Append("a");
        cluster.World.Run(() => cluster.Loss.Missing == 0, TimeSpan.FromSeconds(8)).ShouldBe(RunEnd.Reached);
    }

    [Fact]
    public void A_zombie_commits_nothing_and_takes_part_again_after_the_loss()
    {
        var cluster = new LaneCluster(1) { HandlerTimeMax = TimeSpan.FromSeconds(3) };
        var zombie = cluster.StartNode();
        for (var n = 0; n < 20; n++) cluster.Append($"key-{n}");
        cluster.World.Run(() => cluster.HandlerCalls > 0);
        cluster.Freeze(zombie, TimeSpan.FromSeconds(30));
        cluster.StartNode();
        cluster.Settle(TimeSpan.FromMinutes(1));
        cluster.World.Run(length: TimeSpan.FromSeconds(40));
        cluster.Runners[zombie].Status.Partitions.Count.ShouldBe(2);
        cluster.Verify();
    }

    [Fact]
    public void An_owner_that_fails_has_the_consumer_built_anew()
    {
        var cluster = new LaneCluster(1);
        var thrown = false;
        cluster.Decide = (_, _, _) =>
        {
            if (thrown) return HandlerOutcome.Success;
            thrown = true;
            throw new OwnershipLostException("there is a newer owner");
        };
        var node = cluster.StartNode();
        cluster.Append("a");
        cluster.Settle(TimeSpan.FromMinutes(1));
        cluster.Runners[node].Status.Rebuilds.ShouldBe(1);
    }

    [Fact]
    public void Callbacks_of_owners_that_throw_as_they_are_let_go_of_do_not_keep_the_consumer_in_its_group()
    {
        var world = new SimulatedWorld(1);
        var log = new SimulatedLog(world);
        log.DeclareAsync([new TopicDeclaration("t", 2, CleanUp.Time, TimeSpan.FromDays(7))], default).AsTask().Wait();
        var node = world.AddNode("node");
        var said = new Said();
        var runner = new ConsumerRunner(
            log.On(node), new ConsumerGroup("g", ["t"]), (_, _) => new ThrowingOwner(), new ConsumerOptions(), node.Time, said);
        using var cancel = new CancellationTokenSource();
        node.Start(() => runner.RunAsync(cancel.Token));
        world.Run(() => runner.Status.Partitions.Count == 2, TimeSpan.FromSeconds(30)).ShouldBe(RunEnd.Reached);
        log.OwnerOf("g", new TopicPartition("t", 0)).ShouldBe(node);
        world.After(TimeSpan.Zero, "stop", cancel.Cancel);
        world.Run(length: TimeSpan.FromSeconds(1));
        log.OwnerOf("g", new TopicPartition("t", 0)).ShouldBeNull();
        runner.Status.IsRunning.ShouldBeFalse();
        said.Lines.ShouldContain(line => line.Contains("has ended"));
    }

    [Fact]
    public void Options_out_of_their_bounds_are_named_in_one_message()
    {
        var options = new ConsumerOptions { HeldMax = 0, StuckAfter = TimeSpan.FromSeconds(1), ErrorBackoffMax = TimeSpan.Zero };
        var fault = Should.Throw<ArgumentException>(() => new ConsumerRunner(
            new SimulatedLog(new ManualTime()), new ConsumerGroup("g", ["t"]), (_, _) => throw new NotSupportedException(), options,
            new ManualTime(), Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance));
        fault.Message.ShouldContain("HeldMax");
        fault.Message.ShouldContain("StuckAfter");
        fault.Message.ShouldContain("ErrorBackoffMax");
        new ConsumerOptions().Faults(TimeSpan.FromMinutes(1)).ShouldHaveSingleItem().ShouldContain("StuckAfter");
        new ConsumerOptions().Faults(new LaneOptions().HandlerTimeout).ShouldBeEmpty();
    }

    private sealed class ThrowingOwner : IPartitionOwner
    {
        public int Held => 0;

        public async Task RunAsync(CancellationToken cancel)
        {
            cancel.Register(() => throw new InvalidOperationException("has ended"));
            await new TaskCompletionSource().Task;
        }

        public void Offer(IReadOnlyList<LogRecord> records)
        {
        }

        public long? LowWaterMark(TopicPartition source) => null;

        public ValueTask StopAsync(CancellationToken cancel) => ValueTask.CompletedTask;
    }
}
