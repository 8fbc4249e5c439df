using Belfry.Testing;

namespace Belfry.Log.Tests;

public sealed class PollWatchTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);
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
}
