using System.Text;
using Belfry.Scheduling.Tests.Support;

namespace Belfry.Scheduling.Tests;

/// <summary>What the core promises with all going well. The letters name flaws of the scheduler reference, section 2.</summary>
public sealed class SchedulerCoreTests
{
    private const long Second = 1_000;
    private const long Minute = 60 * Second;
    private const long Hour = 60 * Minute;
    private const long Day = 24 * Hour;

    [Fact]
    public void A_task_runs_at_its_time_and_only_once()
    {
        var world = new CoreHarness();
        var start = world.WallMs;
        world.Schedule("a", 90 * Second);
        world.Advance(90 * Second - 1);
        world.Runs.ShouldBeEmpty();
        world.Advance(1);
        world.Runs.Single().AtMs.ShouldBe(start + (90 * Second));
        world.Advance(Day);
        world.Runs.Count.ShouldBe(1);
        world.Row("a")!.State.ShouldBe(TaskState.Done);
    }

    [Fact]
    public void A_task_beyond_the_look_ahead_waits_in_the_store_and_runs_at_its_time()
    {
        var world = new CoreHarness();
        var start = world.WallMs;
        world.Schedule("a", 3 * Hour);
        world.Core.Resident.ShouldBe(0);
        world.Committed.ShouldBe(world.End);
        world.Advance(4 * Hour);
        world.Runs.Single().AtMs.ShouldBe(start + (3 * Hour));
    }

    [Fact]
    public void A_task_due_in_the_past_runs_at_once()
    {
        var world = new CoreHarness();
        world.Schedule("late", -3 * Hour);
        world.RunKeys.ShouldBe(["late"]);
    }

    [Fact]
    public void Tasks_of_one_ordering_id_run_one_after_another_in_due_order()
    {
        var world = new CoreHarness { Handler = _ => null };
        world.Schedule("c", 30);
        world.Schedule("a", 10);
        world.Schedule("b", 20);
        world.Schedule("other", 25, lane: "elsewhere");
        world.Advance(Minute);
        world.RunKeys.ShouldBe(["a", "other"]);
        world.Finish("a", TaskOutcome.Success);
        world.RunKeys.ShouldBe(["a", "other", "b"]);
        world.Finish("b", TaskOutcome.Success);
        world.RunKeys.ShouldBe(["a", "other", "b", "c"]);
    }

    [Fact]
    public void F1_a_cancelled_task_never_runs_and_disturbs_nobody()
    {
        var world = new CoreHarness();
        world.Schedule("far", 30 * Day);
        world.Schedule("near", Minute);
        world.Advance(Second);
        world.Cancel("far");
        var epoch = world.Epoch;
        world.Advance(31 * Day);
        world.RunKeys.ShouldBe(["near"]);
        world.Epoch.ShouldBe(epoch);
        world.Row("far")!.State.ShouldBe(TaskState.Cancelled);
    }

    [Fact]
    public void A_cancel_that_comes_first_keeps_a_schedule_of_its_generation_out()
    {
        var world = new CoreHarness();
        world.Cancel("a", generation: 2);
        world.Schedule("a", 0, generation: 2);
        world.Schedule("a", 0, generation: 1);
        world.Runs.ShouldBeEmpty();
        world.Schedule("a", 0, generation: 3);
        world.Runs.Count.ShouldBe(1);
    }

    [Fact]
    public void A_lower_generation_changes_nothing()
    {
        var world = new CoreHarness();
        world.Schedule("a", Minute, generation: 5);
        world.Schedule("a", 0, generation: 4);
        world.Cancel("a", generation: 4);
        world.Reschedule("a", 0, generation: 4);
        world.Runs.ShouldBeEmpty();
        world.Advance(Minute);
        world.Runs.Single().Due.Task.Generation.ShouldBe(5);
    }

    [Theory]
    [InlineData(10 * Second, 40 * Second)]
    [InlineData(10 * Second, 3 * Hour)]
    [InlineData(3 * Hour, 10 * Second)]
    [InlineData(3 * Hour, 5 * Hour)]
    public void A_rescheduled_task_runs_at_its_new_time_with_its_payload(long firstMs, long thenMs)
    {
        var world = new CoreHarness();
        var start = world.WallMs;
        world.Append(TaskRecords.Schedule("scheduled-tasks", world.Task("a", firstMs, bytes: 3)));
        world.Reschedule("a", thenMs, generation: 1);
        world.Advance(6 * Hour);
        world.Runs.Single().AtMs.ShouldBe(start + thenMs);
        world.Runs[0].Due.Task.Payload.Length.ShouldBe(3);
    }

    [Fact]
    public void Replacing_a_task_while_it_runs_runs_it_again_at_the_new_time()
    {
        var world = new CoreHarness { Handler = _ => null };
        world.Schedule("a", 0);
        world.Schedule("a", Minute, generation: 1);
        world.Finish("a", new TaskOutcome.Retry("no matter"));
        world.Runs.Count.ShouldBe(1);
        world.Advance(Minute);
        world.Runs[1].Due.Task.Generation.ShouldBe(1);
        world.Runs[1].Due.Attempt.ShouldBe(1);
    }

    [Fact]
    public void Cancelling_a_task_while_it_runs_stops_its_retries()
    {
        var world = new CoreHarness { Handler = _ => null };
        world.Schedule("a", 0);
        world.Cancel("a");
        world.Finish("a", new TaskOutcome.Retry("again?"));
        world.Advance(Hour);
        world.Runs.Count.ShouldBe(1);
        world.Row("a")!.State.ShouldBe(TaskState.Cancelled);
    }

    [Fact]
    public void An_ended_task_starts_anew_only_under_a_higher_generation()
    {
        var world = new CoreHarness();
        world.Schedule("a", 0, generation: 1);
        world.Schedule("a", 0, generation: 1);
        world.Runs.Count.ShouldBe(1);
        world.Schedule("a", Minute, generation: 2);
        world.Advance(Minute);
        world.Runs.Count.ShouldBe(2);
    }

    [Fact]
    public void A_failing_task_is_tried_again_after_its_backoff_and_blocks_only_its_own_ordering_id()
    {
        var world = new CoreHarness
        {
            Handler = due => due.Task.Id.UniqueKey == "bad" && due.Attempt < 4 ? new TaskOutcome.Retry("no") : TaskOutcome.Success,
        };
        world.Schedule("bad", 0);
        world.Schedule("behind", 1);
        world.Schedule("free", 1, lane: "elsewhere");
        world.Advance(Second);
        world.RunKeys.ShouldBe(["bad", "free"]);
        world.Advance(10 * Minute);
        world.RunKeys.ShouldBe(["bad", "free", "bad", "bad", "bad", "behind"]);
        var starts = world.Runs.Where(run => run.Due.Task.Id.UniqueKey == "bad").Select(run => run.AtMs).ToList();
        foreach (var (n, full) in new[] { (1, 20 * Second), (2, 40 * Second), (3, 80 * Second) })
            (starts[n] - starts[n - 1]).ShouldBeInRange(full / 2, full);
    }

    [Fact]
    public void Out_of_attempts_is_a_dead_letter_that_lets_the_next_one_run()
    {
        var options = new SchedulerOptions
        {
            FlushAfter = TimeSpan.Zero,
            Backoffs = new Dictionary<string, TaskBackoff> { ["bad"] = new() { AttemptsMax = 3 } },
        };
        var world = new CoreHarness(options)
        {
            Handler = due => due.Task.Id.Kind == "bad" ? new TaskOutcome.Retry("no route") : TaskOutcome.Success,
        };
        world.Schedule("a", 0, kind: "bad");
        world.Schedule("b", 1);
        world.Advance(Hour);
        world.RunKeys.ShouldBe(["a", "a", "a", "b"]);
        var dead = world.Store.ListAsync(TaskState.Dead, -1, 10, default).Result.Single();
        dead.Reason.ShouldBe("Out of attempts (3): no route");
        dead.Attempts.ShouldBe(3);
    }

    [Fact]
    public void A_final_failure_is_a_dead_letter_at_once_and_can_be_run_again()
    {
        var world = new CoreHarness { Handler = _ => new TaskOutcome.Fail("bad address") };
        world.Append(TaskRecords.Schedule("scheduled-tasks", world.Task("a", 0, bytes: 5)));
        world.Row("a")!.State.ShouldBe(TaskState.Dead);
        world.Handler = _ => TaskOutcome.Success;
        world.Append(TaskRecords.Schedule("scheduled-tasks", world.Row("a")!.Again(DateTimeOffset.FromUnixTimeMilliseconds(world.WallMs))));
        world.Runs[1].Due.Task.Payload.Length.ShouldBe(5);
        world.Row("a")!.State.ShouldBe(TaskState.Done);
    }

    [Fact]
    public void F8_an_undecodable_record_is_kept_with_its_bytes_and_the_others_go_on()
    {
        var world = new CoreHarness();
        for (var n = 0; n < 300; n++)
        {
            if (n % 100 == 50) world.AppendRaw(Encoding.UTF8.GetBytes($"{{poison {n}"));
            else world.Schedule($"t{n}", 0, lane: $"lane{n % 7}");
        }

        world.Runs.Count.ShouldBe(297);
        world.Committed.ShouldBe(world.End);
        var kept = world.Store.ListUndecodableAsync(world.Partition.Source, 0, 10, default).Result;
        kept.Select(record => Encoding.UTF8.GetString(record.Value.Span)).ShouldBe(["{poison 50", "{poison 150", "{poison 250"]);
    }

    [Fact]
    public void An_unknown_kind_is_parked_and_runs_once_a_worker_knows_it()
    {
        var world = new CoreHarness();
        world.Schedule("new", 0, kind: "later");
        world.Schedule("old", 1);
        world.Advance(Second);
        world.RunKeys.ShouldBe(["old"]);
        world.Row("new", kind: "later")!.State.ShouldBe(TaskState.Parked);
        world.Committed.ShouldBe(world.End);
        world.Crash(Hour);
        world.RunKeys.ShouldBe(["old"]);
        world.Crash(Hour, ["k", "later"]);
        world.RunKeys.ShouldBe(["old", "new"]);
    }

    [Fact]
    public void The_number_of_running_handlers_is_bounded()
    {
        var world = new CoreHarness(new SchedulerOptions { FlushAfter = TimeSpan.Zero, RunningMax = 3 }) { Handler = _ => null };
        for (var n = 0; n < 10; n++) world.Schedule($"t{n}", 0, lane: $"l{n}");
        world.Runs.Count.ShouldBe(3);
        world.Finish("t1", TaskOutcome.Success);
        world.Runs.Count.ShouldBe(4);
    }

    [Fact]
    public void A_task_that_ends_on_the_short_way_is_written_once_as_history()
    {
        var world = new CoreHarness { Handler = _ => null };
        world.Schedule("a", 0);
        world.Store.Applied.ShouldBe(0);
        world.Committed.ShouldBe(0);
        world.Finish("a", TaskOutcome.Success);
        world.Store.Applied.ShouldBe(1);
        world.Committed.ShouldBe(1);
    }

    [Fact]
    public void A_task_that_does_not_end_in_its_time_is_stored_and_no_longer_holds_the_offset()
    {
        var world = new CoreHarness { Handler = _ => null };
        world.Schedule("a", 0);
        world.Advance(5 * Second);
        world.Committed.ShouldBe(1);
        world.Row("a")!.State.ShouldBe(TaskState.Waiting);
        world.Finish("a", TaskOutcome.Success);
        world.Row("a")!.State.ShouldBe(TaskState.Done);
    }

    [Fact]
    public void A_slow_task_does_not_make_its_neighbours_count_as_held()
    {
        var world = new CoreHarness { Handler = due => due.Task.Id.Kind == "slow" ? null : TaskOutcome.Success };
        world.Schedule("slow", 0, kind: "slow");
        for (var n = 0; n < 500; n++) world.Schedule($"t{n}", 0, lane: $"l{n}");
        world.Core.Held.ShouldBe(1);
        world.Committed.ShouldBe(0);
    }
}
