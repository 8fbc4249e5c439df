using Belfry.Testing;

namespace Belfry.Log.Tests;

public sealed class PollWatchTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(700);
    private readonly ManualTime _time = new();
    private bool _exempt;

    [Fact]
    public void A_loop_that_comes_by_is_not_stalled_and_one_that_stays_away_is_after_the_limit()
    {
        using var watch = new PollWatch(Limit, _time, () => _exempt);
        for (var n = 0; n < 100; n++)
        {
            _time.Advance(TimeSpan.FromSeconds(9));
            watch.Seen(isFailing: false);
        }

        watch.Stalled.IsCancellationRequested.ShouldBeFalse();
        _time.Advance(Limit - TimeSpan.FromTicks(1));
        watch.Stalled.IsCancellationRequested.ShouldBeFalse();
        _time.Advance(TimeSpan.FromTicks(1));
        watch.Stalled.IsCancellationRequested.ShouldBeTrue();
    }

    [Fact]
    public void A_log_that_fails_has_three_times_as_long()
    {
        using var watch = new PollWatch(Limit, _time, () => _exempt);
        watch.Seen(isFailing: true);
        _time.Advance(TimeSpan.FromSeconds(29));
        watch.Stalled.IsCancellationRequested.ShouldBeFalse();
        _time.Advance(TimeSpan.FromSeconds(1));
        watch.Stalled.IsCancellationRequested.ShouldBeTrue();
    }

    [Fact]
    public void A_loop_with_a_bound_of_its_own_is_not_watched()
    {
        using var watch = new PollWatch(Limit, _time, () => _exempt);
        _exempt = true;
        _time.Advance(TimeSpan.FromMinutes(5));
        watch.Away.ShouldBeNull();
        watch.Stalled.IsCancellationRequested.ShouldBeFalse();
        _exempt = false;
        watch.Seen(isFailing: false);
        _time.Advance(TimeSpan.FromSeconds(20));
        watch.Stalled.IsCancellationRequested.ShouldBeTrue();
    }

    [Fact]
    public void A_bound_of_its_own_that_ends_leaves_the_whole_limit()
    {
        using var watch = new PollWatch(Limit, _time, () => _exempt);
        _exempt = true;
        _time.Advance(TimeSpan.FromSeconds(19));
        watch.Renew();
        _exempt = false;
        _time.Advance(Limit - TimeSpan.FromTicks(1));
        watch.Stalled.IsCancellationRequested.ShouldBeFalse();
        _time.Advance(TimeSpan.FromSeconds(1));
        watch.Stalled.IsCancellationRequested.ShouldBeTrue();
    }

    [Fact]
    public void A_loop_that_is_to_stop_has_as_long_as_it_is_told()
    {
        using var watch = new PollWatch(Limit, _time, () => _exempt);
        watch.Seen(isFailing: true);
        _time.Advance(TimeSpan.FromSeconds(5));
        watch.Hurry(TimeSpan.FromSeconds(1));
        _time.Advance(TimeSpan.FromSeconds(1) - TimeSpan.FromTicks(1));
        watch.Stalled.IsCancellationRequested.ShouldBeFalse();
        _time.Advance(TimeSpan.FromTicks(1));
        watch.Stalled.IsCancellationRequested.ShouldBeTrue();
    }

    [Fact]
    public void However_long_and_whenever_a_process_is_frozen_its_loop_is_not_stalled_for_it()
    {
        for (var began = TimeSpan.Zero; began < Limit * 2; began += Step)
            foreach (var length in (double[])[1, 3, 4.4, 5, 8, 9.5, 10.5, 11.5, 12.4, 60, 3600])
            {
                var time = new FreezableTime();
                using var watch = new PollWatch(Limit, time, () => false);
                for (var at = TimeSpan.Zero; at < began; at += Step)
                {
                    time.Manual.Advance(Step);
                    watch.Seen(isFailing: false);
                }

                time.Manual.Advance(TimeSpan.FromSeconds(1));
                time.Freeze();
                time.Manual.Advance(TimeSpan.FromSeconds(length));
                var what = $"{length} s from {began} on";
                watch.IsStalled.ShouldBeFalse(what);
                time.Thaw();
                watch.IsStalled.ShouldBeFalse(what);
                time.Manual.Advance(TimeSpan.FromSeconds(1));
                watch.Stalled.IsCancellationRequested.ShouldBeFalse(what);
                watch.Seen(isFailing: false);
                time.Manual.Advance(Limit - TimeSpan.FromTicks(1));
                watch.Stalled.IsCancellationRequested.ShouldBeFalse(what);
                time.Manual.Advance(TimeSpan.FromTicks(1));
                (watch.IsStalled, watch.Stalled.IsCancellationRequested).ShouldBe((true, true), what);
            }
    }

    [Fact]
    public void A_loop_that_was_away_before_its_process_was_frozen_has_what_is_left_of_the_limit_and_two_seconds_at_least()
    {
        foreach (var away in (double[])[2, 5, 7.6, 9, 9.9])
        {
            var time = new FreezableTime();
            using var watch = new PollWatch(Limit, time, () => false);
            time.Manual.Advance(TimeSpan.FromSeconds(away));
            time.Freeze();
            time.Manual.Advance(TimeSpan.FromMinutes(1));
            time.Thaw();
            time.Manual.Advance(TimeSpan.FromSeconds(1.9));
            watch.Stalled.IsCancellationRequested.ShouldBeFalse($"{away} s");
            time.Manual.Advance(TimeSpan.FromSeconds(8.1));
            watch.Stalled.IsCancellationRequested.ShouldBeTrue($"{away} s");
        }
    }

    [Fact]
    public void A_process_that_hardly_runs_at_all_still_finds_its_loop_stalled()
    {
        var time = new FreezableTime();
        using var watch = new PollWatch(Limit, time, () => false);
        for (var n = 0; n < 6; n++)
        {
            time.Freeze();
            time.Manual.Advance(TimeSpan.FromSeconds(6));
            time.Thaw();
        }

        watch.IsStalled.ShouldBeTrue();
    }

    [Fact]
    public void A_loop_that_comes_by_after_all_is_stalled_no_more_though_it_was_given_up()
    {
        using var watch = new PollWatch(Limit, _time, () => _exempt);
        _time.Advance(Limit * 3);
        watch.Away.ShouldBe(Limit * 3);
        watch.IsStalled.ShouldBeTrue();
        watch.Seen(isFailing: false);
        watch.IsStalled.ShouldBeFalse();
        watch.Stalled.IsCancellationRequested.ShouldBeTrue();
    }
}
