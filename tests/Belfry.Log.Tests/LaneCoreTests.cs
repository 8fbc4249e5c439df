using FsCheck;
using FsCheck.Fluent;

namespace Belfry.Log.Tests;

public sealed class LaneCoreTests
{
    private static readonly DateTimeOffset Noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);
    private long _offset;

    [Fact]
    public void Records_of_one_key_run_one_after_another_and_other_keys_beside_them()
    {
        var core = Core(new LaneOptions());
        Offer(core, "a", "a", "b");
        StartAll(core).Select(e => e.Record.Offset).ShouldBe([0, 2]);
    }

    [Fact]
    public void Records_without_a_key_all_run_side_by_side()
    {
        var core = Core(new LaneOptions());
        Offer(core, null, null, null);
        StartAll(core).Count.ShouldBe(3);
        core.LaneCount.ShouldBe(0);
    }

    [Fact]
    public void No_more_run_than_there_are_credits_and_ready_lanes_take_turns()
    {
        var core = Core(new LaneOptions { Credits = 1 });
        Offer(core, "a", "a", "a", "b", "c");
        List<string> order = [];
        while (core.TryStart(Noon) is { } entry)
        {
            core.TryStart(Noon).ShouldBeNull();
            order.Add(entry.LaneKey!);
            core.Completed(entry, HandlerOutcome.Success, Noon);
        }

        order.ShouldBe(["a", "b", "c", "a", "a"]);
        core.LaneCount.ShouldBe(0);
    }

    [Fact]
    public void A_short_wait_stays_in_the_lane_without_a_credit_and_holds_its_key_only()
    {
        var core = Core(new LaneOptions { Credits = 1 });
        Offer(core, "a", "a", "b");
        Run(core, new HandlerOutcome.Retry("later", TimeSpan.FromSeconds(1)));
        var other = core.TryStart(Noon)!;
        other.LaneKey.ShouldBe("b");
        core.Completed(other, HandlerOutcome.Success, Noon);
        core.TryStart(Noon).ShouldBeNull();
        core.WakeAt.ShouldBe(Noon.AddSeconds(1));
        core.Tick(Noon.AddSeconds(1));
        var again = core.TryStart(Noon)!;
        (again.Record.Offset, again.Attempts).ShouldBe((0, 1));
    }

    [Fact]
    public void A_long_wait_is_parked_and_later_records_of_the_key_pass()
    {
        var core = Core(new LaneOptions());
        Offer(core, "a", "a");
        var first = Run(core, new HandlerOutcome.Retry("later", TimeSpan.FromSeconds(10)));
        core.ToPark.ShouldBe([first]);
        first.ToParked("g").DueAt.ShouldBe(Noon.AddSeconds(10));
        core.TryStart(Noon)!.Record.Offset.ShouldBe(1);
    }

    [Fact]
    public void Ordered_lanes_park_later_records_behind_a_parked_one()
    {
        var core = Core(new LaneOptions { Ordered = true });
        Offer(core, "a", "a", "b");
        Run(core, new HandlerOutcome.Retry("later", TimeSpan.FromSeconds(10)));
        Offer(core, "a");
        core.ToPark.Select(e => e.Record.Offset).ShouldBe([0, 1, 3]);
        core.ParkedCount.ShouldBe(3);
        foreach (var parked in core.ToPark.ToList()) core.Parked(parked);
        StartAll(core).Select(e => e.LaneKey).ShouldBe(["b"]);
        core.Tick(Noon.AddSeconds(10));
        List<long> order = [];
        while (core.TryStart(Noon) is { } entry)
        {
            order.Add(entry.Record.Offset);
            core.Completed(entry, HandlerOutcome.Success, Noon);
        }

        order.ShouldBe([0, 1, 3]);
        core.ParkedCount.ShouldBe(0);
    }

    [Fact]
    public void A_record_done_before_its_row_was_confirmed_does_not_run_again()
    {
        var core = Core(new LaneOptions { Ordered = true });
        Offer(core, "a", "a", "a");
        Run(core, new HandlerOutcome.Retry("later", TimeSpan.FromSeconds(10)));
        var (head, second) = (core.ToPark[0], core.ToPark[1]);
        core.Parked(head);
        core.Tick(Noon.AddSeconds(10));
        Run(core, HandlerOutcome.Success);
        var running = core.TryStart(Noon)!;
        running.ShouldBe(second);
        core.Parked(second);
        core.Tick(Noon.AddSeconds(60));
        core.TryStart(Noon).ShouldBeNull();
    }

    [Fact]
    public void Restored_records_wait_for_their_time_and_keep_their_attempts()
    {
        var core = Core(new LaneOptions());
        core.Restore(Parked(7, "a", attempts: 3, dueAt: Noon.AddSeconds(5)));
        core.TryStart(Noon).ShouldBeNull();
        core.WakeAt.ShouldBe(Noon.AddSeconds(5));
        core.Tick(Noon.AddSeconds(5));
        var entry = core.TryStart(Noon)!;
        entry.Attempts.ShouldBe(3);
        core.Completed(entry, HandlerOutcome.Success, Noon);
        core.Finished.ShouldBe([entry]);
        entry.IsParked.ShouldBeTrue();
    }

    [Fact]
    public void Out_of_attempts_is_a_dead_letter_after_one_more_attempt_than_waits()
    {
        var core = Core(new LaneOptions { Backoff = [TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1)] });
        Offer(core, "a");
        for (var attempt = 1; attempt <= 3; attempt++)
        {
            core.ToDeadLetter.ShouldBeEmpty();
            Run(core, new HandlerOutcome.Retry("no")).Attempts.ShouldBe(attempt);
            core.Tick(Noon.AddMinutes(1));
        }

        core.ToDeadLetter.ShouldHaveSingleItem().Reason.ShouldBe("no");
        core.Finished.ShouldBeEmpty();
        core.DeadLettered(core.ToDeadLetter[0]);
        core.Finished.Count.ShouldBe(1);
    }

    [Fact]
    public void A_retry_that_burns_no_attempt_goes_on_for_ever()
    {
        var core = Core(new LaneOptions { Backoff = [] });
        Offer(core, "a");
        for (var n = 0; n < 100; n++)
        {
            Run(core, new HandlerOutcome.Retry("breaker open", TimeSpan.FromSeconds(1), BurnsAttempt: false)).Attempts.ShouldBe(0);
            core.Tick(Noon.AddHours(1));
        }

        core.ToDeadLetter.ShouldBeEmpty();
    }

    [Fact]
    public void Backoff_is_shortened_by_at_most_half()
    {
        var waits = Enumerable.Range(0, 200).Select(seed =>
        {
            var core = new LaneCore(new LaneOptions { LaneWaitMax = TimeSpan.FromMinutes(1) }, new Random(seed));
            Offer(core, "a");
            Run(core, new HandlerOutcome.Retry("no"));
            return (core.WakeAt!.Value - Noon).TotalSeconds;
        }).ToList();
        waits.ShouldAllBe(w => w >= 0.5 && w <= 1);
        (waits.Max() - waits.Min()).ShouldBeGreaterThan(0.3);
    }

    [Fact]
    public void A_handler_past_its_timeout_is_reported_once_and_keeps_its_lane()
    {
        var core = Core(new LaneOptions { HandlerTimeout = TimeSpan.FromSeconds(60) });
        Offer(core, "a", "a");
        var entry = core.TryStart(Noon)!;
        core.WakeAt.ShouldBe(Noon.AddSeconds(60));
        core.Tick(Noon.AddSeconds(59)).ShouldBeEmpty();
        core.Tick(Noon.AddSeconds(60)).ShouldBe([entry]);
        core.Tick(Noon.AddSeconds(61)).ShouldBeEmpty();
        core.TryStart(Noon).ShouldBeNull();
    }

    [Fact]
    public void Draining_starts_nothing_more()
    {
        var core = Core(new LaneOptions());
        Offer(core, "a", "b");
        var running = core.TryStart(Noon)!;
        core.Drain();
        core.TryStart(Noon).ShouldBeNull();
        core.Completed(running, HandlerOutcome.Success, Noon);
        core.Running.ShouldBe(0);
        core.Finished.Count.ShouldBe(1);
    }

    /// <summary>
    /// Commands: offer to one of four keys, start, end the oldest running one in one of five ways, let time pass, confirm writes.
    /// </summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Whatever_happens_keys_run_one_at_a_time_in_order_and_nothing_is_lost(bool ordered) =>
        Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), commands => new LaneModel(ordered).Play(commands))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(500).WithEndSize(300));

    private static LaneCore Core(LaneOptions options) => new(options, new Random(1));

    private void Offer(LaneCore core, params string?[] keys)
    {
        foreach (var key in keys) core.Offer(LaneModel.Record(_offset, key), key, _offset++);
    }

    private static LaneEntry Run(LaneCore core, HandlerOutcome outcome)
    {
        var entry = core.TryStart(Noon)!;
        core.Completed(entry, outcome, Noon);
        return entry;
    }

    private static List<LaneEntry> StartAll(LaneCore core)
    {
        List<LaneEntry> started = [];
        while (core.TryStart(Noon) is { } entry) started.Add(entry);
        return started;
    }

    private static ParkedRecord Parked(long offset, string key, int attempts, DateTimeOffset dueAt) => new()
    {
        Group = "g", Record = LaneModel.Record(offset, key), LaneKey = key, Attempts = attempts, DueAt = dueAt, Reason = "later",
    };
}
