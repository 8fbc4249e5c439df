using Belfry.Alerting.Events;
using FsCheck;
using FsCheck.Fluent;
using static Belfry.Alerting.Tests.Events.EventSamples;

namespace Belfry.Alerting.Tests.Events;

public sealed class RateLimiterTests
{
    [Fact]
    public void The_limit_is_accepted_and_the_next_one_is_not()
    {
        var limiter = new RateLimiter();
        for (var i = 0; i < 5; i++) limiter.TryAccept(Inlet, 5, Now).ShouldBeNull();
        limiter.TryAccept(Inlet, 5, Now).ShouldBe(TimeSpan.FromSeconds(61));
        limiter.TryAccept(new IntegrationId(Guid.Empty), 5, Now).ShouldBeNull();
    }

    [Fact]
    public void After_the_time_it_names_another_is_accepted_and_just_before_it_is_not()
    {
        var limiter = new RateLimiter();
        for (var i = 0; i < 3; i++) limiter.TryAccept(Inlet, 3, Now.AddSeconds(i * 7.3));
        var wait = limiter.TryAccept(Inlet, 3, Now.AddSeconds(30))!.Value;
        limiter.TryAccept(Inlet, 3, Now.AddSeconds(30) + wait - TimeSpan.FromMilliseconds(1)).ShouldNotBeNull();
        limiter.TryAccept(Inlet, 3, Now.AddSeconds(30) + wait).ShouldBeNull();
    }

    [Fact]
    public void A_raised_limit_counts_at_once()
    {
        var limiter = new RateLimiter();
        limiter.TryAccept(Inlet, 1, Now).ShouldBeNull();
        limiter.TryAccept(Inlet, 1, Now).ShouldNotBeNull();
        limiter.TryAccept(Inlet, 2, Now).ShouldBeNull();
    }

    [Fact]
    public void A_clock_that_goes_back_opens_nothing()
    {
        var limiter = new RateLimiter();
        limiter.TryAccept(Inlet, 1, Now).ShouldBeNull();
        limiter.TryAccept(Inlet, 1, Now.AddHours(-1)).ShouldNotBeNull();
    }

    [Fact]
    public void No_sixty_seconds_hold_more_than_the_limit() =>
        Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), gaps =>
        {
            const int Limit = 7;
            var limiter = new RateLimiter();
            var at = Now;
            var accepted = new List<DateTimeOffset>();
            foreach (var gap in gaps.Concat(gaps))
            {
                at += TimeSpan.FromMilliseconds(gap * 61);
                if (limiter.TryAccept(Inlet, Limit, at) is null) accepted.Add(at);
            }

            return accepted.All(start => accepted.Count(other => other >= start && other < start.AddSeconds(60)) <= Limit);
        }).QuickCheckThrowOnFailure();
}
