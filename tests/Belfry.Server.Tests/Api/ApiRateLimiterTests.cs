using Belfry.Server.Api;
using Belfry.Testing;

namespace Belfry.Server.Tests.Api;

public sealed class ApiRateLimiterTests
{
    private readonly ManualTime _time = new();

    [Fact]
    public void A_token_has_960_requests_a_minute_and_another_token_its_own()
    {
        var limiter = new ApiRateLimiter(_time);
        for (var left = 959; left >= 0; left--) limiter.Take("a").Remaining.ShouldBe(left);
        limiter.Take("a").Remaining.ShouldBeNegative();
        limiter.Take("b").Remaining.ShouldBe(959);
    }

    [Fact]
    public void The_next_minute_starts_over_when_it_was_said_to()
    {
        var limiter = new ApiRateLimiter(_time);
        _time.Advance(TimeSpan.FromSeconds(13));
        for (var i = 0; i < 961; i++) limiter.Take("a");
        var (remaining, reset) = limiter.Take("a");
        remaining.ShouldBeNegative();
        _time.Advance(TimeSpan.FromSeconds(reset - 1));
        limiter.Take("a").Remaining.ShouldBeNegative();
        _time.Advance(TimeSpan.FromSeconds(1));
        limiter.Take("a").Remaining.ShouldBe(959);
    }
}
