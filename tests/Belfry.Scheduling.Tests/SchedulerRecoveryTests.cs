using Belfry.Log;
using Belfry.Scheduling.Tests.Support;

namespace Belfry.Scheduling.Tests;

/// <summary>What the core promises over crashes, outages, replays, floods and clocks that are set.</summary>
public sealed class SchedulerRecoveryTests
{
    private const long Second = 1_000;
    private const long Minute = 60 * Second;
    private const long Hour = 60 * Minute;
    private const long Day = 24 * Hour;

    private static SchedulerOptions Small => new()
    {
        FlushAfter = TimeSpan.Zero, ResidentMax = 64, LoadMax = 8, LaneResidentMax = 4, FlushMax = 8, RunningMax = 4,
    };

    [Fact]
    public void F3_all_overdue_work_runs_after_an_outage_oldest_first()
    {
        var world = new CoreHarness(Small);
        for (var n = 199; n >= 0; n--) world.Schedule($"{n:000}", Minute + (n * Second), lane: $"lane{n % 50}");
        world.Crash(3 * Hour);
        world.Advance(Second);
        world.RunKeys.ShouldBe(Enumerable.Range(0, 200).Select(n => $"{n:000}"));
    }

    [Fact]
    public void F5_a_flood_of_due_tasks_leaves_memory_bounded_and_loses_none()
    {
        var world = new CoreHarness(Small) { Handler = due => due.Task.Id.Kind == "slow" ? null : TaskOutcome.Success };
        for (var n = 0; n < 4; n++) world.Schedule($"slow{n}", 0, lane: $"slow{n}", kind: "slow");
        for (var n = 0; n < 1_000; n++) world.Schedule($"t{n}", 0, lane: $"lane{n % 100}");
        world.Runs.Count.ShouldBe(4);
        world.ResidentMost.ShouldBeLessThanOrEqualTo(64 + 4);
        world.Advance(10 * Second);
        world.Committed.ShouldBe(world.End);
        for (var n = 0; n < 4; n++) world.Finish($"slow{n}", TaskOutcome.Success);
        world.Advance(Minute);
        world.RunKeys.Distinct().Count().ShouldBe(1_004);
        world.Runs.Count.ShouldBe(1_004);
    }

    [Fact]
    public void One_blocked_ordering_id_with_many_tasks_starves_nobody()
    {
        var world = new CoreHarness(Small)
        {
            Handler = due => due.Task.Id.Kind == "bad" ? new TaskOutcome.Retry("down") : TaskOutcome.Success,
        };
        world.Schedule("head", 0, lane: "blocked", kind: "bad");
        for (var n = 0; n < 500; n++) world.Schedule($"b{n:000}", 1 + n, lane: "blocked");
        for (var n = 0; n < 50; n++) world.Schedule($"free{n}", 10 * Second, lane: $"free{n}");
        world.Advance(11 * Second);
        world.RunKeys.Count(key => key.StartsWith("free", StringComparison.Ordinal)).ShouldBe(50);
        world.Handler = _ => TaskOutcome.Success;
        world.Advance(5 * Minute);
        world.RunKeys.Where(key => key.StartsWith('b')).ShouldBe(Enumerable.Range(0, 500).Select(n => $"b{n:000}"));
    }

    [Theory]
    [InlineData(-Hour)]
    [InlineData(Hour)]
    [InlineData(-30 * Day)]
    public void F9_a_clock_that_is_set_neither_stalls_nor_loses_nor_repeats(long stepMs)
    {
        var world = new CoreHarness();
        var first = world.WallMs;
        world.Schedule("near", Minute);
        world.Schedule("far", 2 * Hour);
        world.Advance(Second);
        world.WallMs += stepMs;
        world.Schedule("after", Minute, lane: "b");
        world.Advance(2 * Minute);
        world.RunKeys.ShouldContain("after");
        world.Advance(first + (3 * Hour) - world.WallMs);
        world.RunKeys.Order().ShouldBe(["after", "far", "near"]);
        world.Runs.ShouldAllBe(run => run.AtMs >= run.Due.Task.DueAt.ToUnixTimeMilliseconds());
    }

    [Fact]
    public void F9_a_retry_waits_by_the_monotonic_clock()
    {
        var world = new CoreHarness
        {
            Handler = due => due.Attempt == 1 ? new TaskOutcome.Retry("no", TimeSpan.FromSeconds(30)) : TaskOutcome.Success,
        };
        world.Schedule("a", 0);
        world.WallMs -= Hour;
        world.Advance(29 * Second);
        world.Runs.Count.ShouldBe(1);
        world.Advance(Hour + Minute);
        world.Runs.Count.ShouldBe(2);
    }

    [Fact]
    public void F12_a_fresh_late_task_does_not_overtake_the_backlog_of_its_ordering_id()
    {
        var world = new CoreHarness(Small) { Handler = _ => null };
        for (var n = 0; n < 4; n++) world.Schedule($"hold{n}", -Hour, lane: $"hold{n}");
        for (var n = 0; n < 200; n++) world.Schedule($"{n:000}", -Minute + (n * 10), lane: "x");
        world.Schedule("zzz-fresh", 0, lane: "x");
        world.Schedule("000-early", -2 * Minute, lane: "x");
        world.Handler = _ => TaskOutcome.Success;
        for (var n = 0; n < 4; n++) world.Finish($"hold{n}", TaskOutcome.Success);
        world.Advance(Minute);
        world.RunKeys.Skip(4).ShouldBe(["000-early", .. Enumerable.Range(0, 200).Select(n => $"{n:000}"), "zzz-fresh"]);
    }

    [Fact]
    public void F13_a_stalled_store_keeps_no_due_task_of_memory_waiting()
    {
        var world = new CoreHarness();
        world.Schedule("known", 30 * Second);
        world.StoreStalls = true;
        world.Schedule("fresh", 0);
        world.Advance(Minute);
        world.RunKeys.ShouldBe(["known"]);
        world.Committed.ShouldBe(1);
        world.AnswerStore();
        world.RunKeys.ShouldBe(["known", "fresh"]);
        world.Committed.ShouldBe(2);
    }

    [Fact]
    public void F14_attempts_and_the_waits_between_them_go_on_over_kills()
    {
        var world = new CoreHarness { Handler = _ => new TaskOutcome.Retry("no") };
        world.Schedule("a", 0);
        foreach (var (attempt, fullMs) in new[] { (2, 20 * Second), (3, 40 * Second), (4, 80 * Second), (5, 120 * Second) })
        {
            world.Crash();
            world.Advance(fullMs / 4);
            world.Crash();
            world.Runs.Count.ShouldBe(attempt - 1, "a kill does not cut the wait short");
            for (var waited = fullMs / 4; waited < fullMs && world.Runs.Count < attempt; waited += Second) world.Advance(Second);
            world.Runs.Select(run => run.Due.Attempt).ShouldBe(Enumerable.Range(1, attempt));
            (world.Runs[^1].AtMs - world.Runs[^2].AtMs).ShouldBeInRange(fullMs / 2, fullMs);
        }
    }

    [Fact]
    public void F15_a_replay_of_the_whole_log_runs_nothing_again()
    {
        var world = new CoreHarness();
        for (var n = 0; n < 50; n++) world.Schedule($"t{n}", 0, lane: $"l{n % 5}");
        world.Schedule("cancelled", Hour);
        world.Cancel("cancelled");
        world.Schedule("moved", Minute);
        world.Reschedule("moved", Hour, generation: 1);
        world.Duplicate();
        world.Crash();
        world.Duplicate();
        world.Runs.Count.ShouldBe(50);
        world.Advance(Day);
        world.RunKeys.Count().ShouldBe(51);
        world.Runs[^1].Due.Task.Id.UniqueKey.ShouldBe("moved");
        world.Duplicate();
        world.Advance(Day);
        world.Runs.Count.ShouldBe(51);
    }

    [Fact]
    public void A_move_that_is_read_again_after_a_restart_is_not_undone_by_the_schedule_before_it()
    {
        var world = new CoreHarness { Handler = due => due.Task.Id.Kind == "slow" ? null : TaskOutcome.Success };
        world.Schedule("slow", 0, lane: "other", kind: "slow");
        world.Schedule("a", Minute);
        world.Reschedule("a", 2 * Hour);
        world.Committed.ShouldBe(0);
        world.Crash(5 * Minute);
        world.RunKeys.ShouldNotContain("a");
    }

    [Fact]
    public void Nothing_that_ended_runs_again_though_an_older_record_holds_the_offset()
    {
        var world = new CoreHarness { Handler = due => due.Task.Id.Kind == "slow" ? null : TaskOutcome.Success };
        world.Schedule("slow", 0, kind: "slow", lane: "other");
        world.Schedule("a", 0);
        world.Schedule("b", 0);
        world.Committed.ShouldBe(0);
        world.Crash();
        world.RunKeys.ShouldBe(["slow", "a", "b", "slow"]);
    }

    [Fact]
    public void A_stale_owner_writes_nothing()
    {
        var world = new CoreHarness { Handler = _ => null };
        world.Schedule("a", 0);
        world.Store.TakeOverAsync(world.Partition, default).GetAwaiter().GetResult();
        Should.Throw<OwnershipLostException>(() => world.Finish("a", TaskOutcome.Success));
        world.Row("a").ShouldBeNull();
    }

    [Fact]
    public void A_record_of_another_partition_is_put_aside_with_the_reason()
    {
        var partition = new TaskPartition(new TopicPartition("scheduled-tasks", 0), 12);
        var core = new SchedulerCore(partition, new HashSet<string>(["k"]), new SchedulerOptions { FlushAfter = TimeSpan.Zero });
        var now = new SchedulerInstant(1_000_000, 5);
        var effects = new List<SchedulerEffect>();
        core.Start(new TaskOwnership(1, 0));
        core.Turn(now, effects);
        core.WindowLoaded(new TaskWindow([], true), now);
        effects.Clear();
        var record = TaskRecords.Schedule("scheduled-tasks", new ScheduledTask
            { Id = new("a", "k", "u"), DueAt = DateTimeOffset.UnixEpoch });
        core.Offer([new LogRecord
            { Source = partition.Source, Offset = 0, AppendedAt = DateTimeOffset.UnixEpoch, Key = "a", Value = record.Value }]);
        core.Turn(now, effects);
        core.Turn(now, effects);
        effects.OfType<SchedulerEffect.Persist>().Single().Batch.Undecodable.Single().Reason.ShouldContain("belongs to partition 4 of 12");
    }

    [Fact]
    public void A_stop_lets_what_runs_end_starts_no_more_and_flushes_all()
    {
        var world = new CoreHarness { Handler = _ => null };
        world.Schedule("a", 0);
        world.Schedule("b", 0);
        world.StopGracefully();
        world.Core.IsQuiet.ShouldBeFalse();
        world.Finish("a", TaskOutcome.Success);
        world.Runs.Count.ShouldBe(1);
        world.Core.IsQuiet.ShouldBeTrue();
        world.Committed.ShouldBe(2);
        world.Row("a")!.State.ShouldBe(TaskState.Done);
        world.Row("b")!.State.ShouldBe(TaskState.Waiting);
    }
}
