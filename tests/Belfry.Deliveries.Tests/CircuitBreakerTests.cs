using Belfry.Testing;
using FsCheck;
using FsCheck.Fluent;

namespace Belfry.Deliveries.Tests;

public sealed class CircuitBreakerTests
{
    private static readonly BreakerOptions Options = new()
    {
        FailuresToOpen = 3, OpenFor = TimeSpan.FromSeconds(5), OpenForMax = TimeSpan.FromSeconds(20), EndpointsMax = 2,
    };

    [Fact]
    public void A_failed_probe_doubles_the_wait_up_to_its_limit_and_a_good_one_resets_it()
    {
        var breaker = new CircuitBreaker(Options);
        var now = TimeSpan.Zero;
        for (var i = 0; i < 3; i++) breaker.Failed(breaker.TryEnter(now, out _)!.Value, now);
        foreach (var seconds in new[] { 5, 10, 20, 20 })
        {
            breaker.TryEnter(now, out var wait).ShouldBeNull();
            wait.ShouldBe(TimeSpan.FromSeconds(seconds));
            now += wait;
            breaker.Failed(breaker.TryEnter(now, out _)!.Value, now);
        }

        now += TimeSpan.FromSeconds(20);
        breaker.Succeeded(breaker.TryEnter(now, out _)!.Value);
        breaker.State.ShouldBe(BreakerState.Closed);
        for (var i = 0; i < 3; i++) breaker.Failed(breaker.TryEnter(now, out _)!.Value, now);
        breaker.TryEnter(now, out var again).ShouldBeNull();
        again.ShouldBe(TimeSpan.FromSeconds(5));
    }

    [Fact]
    public void A_result_from_before_the_opening_does_not_close_it()
    {
        var breaker = new CircuitBreaker(Options);
        var early = breaker.TryEnter(TimeSpan.Zero, out _)!.Value;
        for (var i = 0; i < 3; i++) breaker.Failed(breaker.TryEnter(TimeSpan.Zero, out _)!.Value, TimeSpan.Zero);
        breaker.TryEnter(TimeSpan.FromSeconds(5), out _).ShouldNotBeNull();
        breaker.Succeeded(early);
        breaker.State.ShouldBe(BreakerState.HalfOpen);
    }

    [Fact]
    public void A_probe_that_was_not_sent_makes_room_for_another()
    {
        var breaker = new CircuitBreaker(Options);
        for (var i = 0; i < 3; i++) breaker.Failed(breaker.TryEnter(TimeSpan.Zero, out _)!.Value, TimeSpan.Zero);
        var now = TimeSpan.FromSeconds(5);
        var probe = breaker.TryEnter(now, out _)!.Value;
        breaker.TryEnter(now, out _).ShouldBeNull();
        breaker.Cancelled(probe);
        breaker.TryEnter(now, out _).ShouldNotBeNull();
    }

    /// <summary>Commands: seconds to wait (0 to 6), then succeed, fail or cancel.</summary>
    [Fact]
    public void It_does_what_ten_lines_of_model_do()
    {
        var commands = Gen.Choose(0, 6).SelectMany(wait => Gen.Choose(0, 5).Select(what => (wait, what))).ListOf(100)
            .Select(l => l.ToArray());
        Prop.ForAll(commands.ToArbitrary(), run =>
        {
            var breaker = new CircuitBreaker(Options);
            var (now, failures, openFor, openUntil, probing) = (0, 0, 5, -1, false);
            foreach (var (wait, what) in run)
            {
                now += wait;
                var permit = breaker.TryEnter(TimeSpan.FromSeconds(now), out _);
                var expected = openUntil < 0 || now >= openUntil;
                if (permit.HasValue != expected) return false;
                if (!expected) continue;
                probing = openUntil >= 0;
                if (what == 0)
                {
                    breaker.Succeeded(permit!.Value);
                    (failures, openFor, openUntil) = (0, probing ? 5 : openFor, -1);
                }
                else if (what == 1)
                {
                    breaker.Cancelled(permit!.Value);
                }
                else
                {
                    breaker.Failed(permit!.Value, TimeSpan.FromSeconds(now));
                    failures++;
                    if (probing) openFor = Math.Min(20, openFor * 2);
                    if (probing || failures == 3) (failures, openUntil) = (0, now + openFor);
                }
            }

            return true;
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Endpoints_are_apart_and_bounded()
    {
        var set = new BreakerSet(Options, new ManualTime());
        for (var i = 0; i < 3; i++) set.TryEnter("bad", out _)!.Ended(endpointAnswered: false);
        set.TryEnter("bad", out _).ShouldBeNull();
        set.TryEnter("good", out _).ShouldNotBeNull();
        set.TryEnter("third", out _).ShouldNotBeNull();
        set.Count.ShouldBe(2);
    }
}
