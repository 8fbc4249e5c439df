using FsCheck;
using FsCheck.Fluent;

namespace Belfry.Log.Tests;

public sealed class StallDetectorTests
{
    private static readonly TopicPartition Source = new("orders", 0);
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);
    private readonly StallDetector _detector = new("g", new ConsumerOptions(), Interval);
    private ConsumerStatus _status = new() { IsRunning = true };
    private PartitionStatus? _partition = new(Source, 0, 100, 100, false) { Position = 100 };
    private LogOffsets? _log = new(100, 100);
    private Dictionary<TopicPartition, LogOffsets> _unowned = [];
    private bool _pollStalled;
    private TimeSpan _at;

    [Fact]
    public void A_quiet_topic_is_healthy_however_long()
    {
        for (var n = 0; n < 1_000; n++) Look().Health.Class.ShouldBe(StallClass.None);
    }

    [Fact]
    public void A_partition_that_progresses_is_healthy_however_far_behind()
    {
        for (var n = 0; n < 100; n++)
        {
            _partition = _partition! with { Position = 200 + n, LowWaterMark = 150 + n, Committed = 100 + n, Held = 50 };
            _log = new(100 + n, 1_000_000);
            var health = Look().Health;
            health.Class.ShouldBe(StallClass.None);
            health.Partitions.Single().Lag.ShouldBe(1_000_000 - 100 - n);
        }
    }

    [Fact]
    public void Poll_a_loop_that_does_not_come_back_fails_liveness()
    {
        _pollStalled = true;
        var health = Look().Health;
        (health.Class, health.FailsLiveness, health.IsUnhealthy).ShouldBe((StallClass.Poll, true, true));
        _pollStalled = false;
        Look().Health.FailsLiveness.ShouldBeFalse();
    }

    [Fact]
    public void Poll_a_consumer_that_cannot_be_made_anew_fails_liveness()
    {
        _status = _status with { EndedSince = Now };
        Look().Health.FailsLiveness.ShouldBeFalse();
        LookFor(40);
        Look().Health.Class.ShouldBe(StallClass.Poll);
    }

    [Fact]
    public void Head_the_low_water_mark_stands_while_others_finish()
    {
        _partition = _partition! with { Position = 120, Held = 20 };
        _log = new(100, 120);
        AfterStanding(StallClass.Head, () => Ran(running: 1, completed: _partition!.Activity.Completed + 5));
    }

    [Fact]
    public void Handler_it_runs_and_none_ends()
    {
        _partition = _partition! with { Position = 101, Held = 1 };
        _log = new(100, 101);
        Ran(running: 1, completed: 7);
        AfterStanding(StallClass.Handler, () => { });
    }

    [Fact]
    public void Fetch_the_log_has_more_and_nothing_comes()
    {
        _log = new(100, 150);
        AfterStanding(StallClass.Fetch, () => { });
    }

    [Fact]
    public void Commit_the_mark_moves_and_what_is_committed_does_not()
    {
        AfterStanding(StallClass.Commit, () =>
        {
            var next = _partition!.LowWaterMark!.Value + 1;
            _partition = _partition with { LowWaterMark = next, Position = next };
            _log = new(100, next);
        });
    }

    [Fact]
    public void Breaker_paused_on_purpose_is_degraded_and_never_unhealthy()
    {
        _partition = _partition! with
        {
            IsPaused = true, Held = 16_384, Activity = new OwnerActivity { WaitsForBreaker = true },
        };
        _log = new(100, 100_000);
        for (var n = 0; n < 200; n++)
        {
            var health = Look().Health;
            (health.IsUnhealthy, health.FailsLiveness).ShouldBe((false, false));
            if (n > 3) health.Class.ShouldBe(StallClass.Breaker);
        }
    }

    [Fact]
    public void Orphan_it_owns_nothing_while_a_partition_of_the_group_is_behind_and_stands()
    {
        _partition = null;
        _unowned = new() { [Source] = new(100, 150), [new("orders", 1)] = new(7, 7) };
        AfterStanding(StallClass.Orphan, () => { });
        Look().Health.FailsLiveness.ShouldBeFalse();
    }

    [Fact]
    public void A_spare_consumer_is_healthy_while_others_progress()
    {
        _partition = null;
        for (var n = 0; n < 100; n++)
        {
            _unowned = new() { [Source] = new(100 + n, 1_000) };
            Look().Health.Class.ShouldBe(StallClass.None);
        }
    }

    [Fact]
    public void What_the_log_does_not_tell_is_unknown_and_never_unhealthy_and_counts_for_no_time()
    {
        (_partition, _log) = (_partition! with { Position = 120, Held = 20 }, null);
        LookFor(40);
        for (var n = 0; n < 100; n++) (Look().Health is { Class: StallClass.Unknown, IsUnhealthy: false }).ShouldBeTrue();
        _log = new(100, 120);
        LookFor(50);
        Look().Health.Class.ShouldBe(StallClass.None);
        Look().Health.Class.ShouldBe(StallClass.Head);
    }

    [Fact]
    public void A_poll_that_stalls_while_the_log_does_not_answer_fails_no_liveness()
    {
        (_pollStalled, _log) = (true, null);
        for (var n = 0; n < 100; n++) Look().Health.FailsLiveness.ShouldBeFalse();
    }

    [Fact]
    public void A_partition_just_assigned_is_not_judged_and_one_that_left_is_forgotten()
    {
        _log = new(100, 150);
        LookFor(50);
        var owned = _partition;
        _partition = null;
        Look();
        _partition = owned;
        LookFor(60);
        Look().Health.Class.ShouldBe(StallClass.Fetch);
        var grace = new StallDetector("g", new ConsumerOptions { AssignmentGrace = TimeSpan.FromMinutes(5) }, Interval);
        for (var n = 0; n < 30; n++) Look(grace).Health.Class.ShouldBe(StallClass.None);
    }

    [Fact]
    public void A_process_that_was_frozen_is_not_stuck()
    {
        _log = new(100, 150);
        LookFor(20);
        _at += TimeSpan.FromHours(1);
        Look().Health.Class.ShouldBe(StallClass.None);
    }

    [Fact]
    public void What_is_not_fetched_is_resumed_once_then_fetched_by_another_consumer_and_then_fails_liveness_until_it_moves()
    {
        _log = new(100, 150);
        LookFor(60);
        var first = Look();
        first.ToResume.ShouldBe([Source]);
        first.RebuildFor.ShouldBeNull();
        Look().RebuildFor.ShouldBeNull();
        var second = Look();
        (second.ToResume.Count, second.Health.FailsLiveness).ShouldBe((0, false));
        second.RebuildFor.ShouldNotBeNull().ShouldContain("orders");
        Look().RebuildFor.ShouldBeNull("the runner has not come to it yet");

        var owned = _partition! with { Position = null, Committed = null };
        (_status, _partition) = (_status with { Rebuilds = 1 }, null);
        Look();
        _partition = owned;
        LookFor(60);
        var third = Look();
        third.Health.FailsLiveness.ShouldBeTrue();
        third.RebuildFor.ShouldNotBeNull();
        _status = _status with { Rebuilds = 2 };
        Look().Health.FailsLiveness.ShouldBeTrue("nothing has moved");
        _partition = _partition with { Position = 101 };
        Look().Health.FailsLiveness.ShouldBeFalse();
    }

    /// <summary>Each command moves one of the figures, takes the partition away, silences the log, or lets time pass.</summary>
    [Fact]
    public void Whatever_moves_within_the_limit_is_never_unhealthy() =>
        Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), commands =>
        {
            var detector = new StallDetector("g", new ConsumerOptions(), Interval);
            var (committed, mark, position, end, done, at) = (0L, 0L, 0L, 0L, 0L, TimeSpan.Zero);
            foreach (var command in commands)
            {
                // Each look everything that has something to do does some of it, as a sound consumer would within the limit.
                end += command % 7;
                position = Math.Min(end, position + 1 + (command % 5));
                var before = mark;
                mark = Math.Min(position, mark + 1 + (command % 3));
                done += mark - before;
                committed = command % 11 == 0 ? committed : mark;
                at += Interval * (command % 4 / 2.0);
                var owned = command % 13 != 0;
                var status = new PartitionStatus(Source, (int)(position - mark), mark, committed, command % 17 == 0)
                {
                    Position = position,
                    Activity = new OwnerActivity { Running = position > mark ? 1 : 0, Completed = done },
                };
                var report = detector.Look(new ConsumerSnapshot
                {
                    At = at,
                    Now = DateTimeOffset.UnixEpoch + at,
                    Status = new ConsumerStatus { IsRunning = true, Partitions = owned ? [status] : [] },
                    LogAnswers = command % 5 != 0,
                    Owned = command % 5 == 0 ? Offsets() : Offsets(new LogOffsets(committed, end)),
                });
                if (report.Health.IsUnhealthy || report.Health.FailsLiveness || report.RebuildFor is not null) return false;
            }

            return true;
        }).QuickCheckThrowOnFailure();

    /// <summary>Whatever happened before, a partition that stands from then on is told of within the limits, and not before.</summary>
    [Fact]
    public void Whatever_stands_for_longer_than_the_limit_is_told_of() =>
        Prop.ForAll(ArbMap.Default.ArbFor<NonNegativeInt[]>(), Gen.Elements(0, 1, 2).ToArbitrary(), (history, how) =>
        {
            var detector = new StallDetector("g", new ConsumerOptions(), Interval);
            var (next, at) = (0L, TimeSpan.Zero);
            foreach (var step in history)
            {
                next += step.Get;
                at += Interval;
                Look(next, next, next, 0);
            }

            for (var n = 0; n < 12; n++)
            {
                at += Interval;
                var found = how switch
                {
                    0 => Look(next, next, next, 10),
                    1 => Look(next, next, next + 5, 10),
                    _ => Look(next, next + 5, next + 5, 10),
                };
                if (n >= 10) return found == how switch { 0 => StallClass.Fetch, 1 => StallClass.Head, _ => StallClass.Commit };
                if (n < 6 && found != StallClass.None) return false;
            }

            return false;

            StallClass Look(long committed, long mark, long position, long more) => detector.Look(new ConsumerSnapshot
            {
                At = at,
                Now = DateTimeOffset.UnixEpoch + at,
                LogAnswers = true,
                Status = new ConsumerStatus
                {
                    IsRunning = true,
                    Partitions = [new PartitionStatus(Source, 0, mark, committed, false) { Position = position }],
                },
                Owned = Offsets(new LogOffsets(committed, position + more)),
            }).Health.Class;
        }).QuickCheckThrowOnFailure();

    private static Dictionary<TopicPartition, LogOffsets> Offsets(params LogOffsets[] known) => known.ToDictionary(_ => Source);

    private DateTimeOffset Now => DateTimeOffset.UnixEpoch + _at;

    private void Ran(int running, long completed) =>
        _partition = _partition! with { Activity = new OwnerActivity { Running = running, RunningSince = Now, Completed = completed } };

    /// <summary>Nothing for as long as the limit, counted from the first look that saw it stand, then the class, from then on.</summary>
    private void AfterStanding(StallClass expected, Action beforeEach)
    {
        for (var n = 0; n < 12; n++)
        {
            beforeEach();
            var found = Look().Health.Class;
            if (n <= 5) found.ShouldBe(StallClass.None, $"look {n}");
            if (n >= 7) found.ShouldBe(expected, $"look {n}");
        }
    }

    private void LookFor(int seconds)
    {
        for (var n = 0; n < seconds / 10; n++) Look().Health.IsUnhealthy.ShouldBeFalse();
    }

    private StallReport Look(StallDetector? detector = null)
    {
        _at += Interval;
        return (detector ?? _detector).Look(new ConsumerSnapshot
        {
            At = _at,
            Now = Now,
            Status = _status with { Partitions = _partition is null ? [] : [_partition] },
            IsPollStalled = _pollStalled,
            LogAnswers = _log is not null,
            Owned = _log is { } log && _partition is not null ? Offsets(log) : Offsets(),
            Unowned = _unowned,
        });
    }
}
