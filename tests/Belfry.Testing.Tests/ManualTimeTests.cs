namespace Belfry.Testing.Tests;

public sealed class ManualTimeTests
{
    private readonly ManualTime _time = new();
    private readonly List<string> _fired = [];

    [Fact]
    public void Timers_fire_in_the_order_of_their_due_times_and_see_them_as_now()
    {
        var start = _time.GetUtcNow();
        Arm("c", 3);
        Arm("a", 1);
        Arm("b", 1);
        _time.Advance(TimeSpan.FromSeconds(5));
        _fired.ShouldBe(["a@1", "b@1", "c@3"]);
        (_time.GetUtcNow() - start).ShouldBe(TimeSpan.FromSeconds(5));
        _time.ArmedTimers.ShouldBe(0);
    }

    [Fact]
    public void A_timer_armed_by_a_timer_fires_in_the_same_advance_if_it_falls_due()
    {
        using var outer = _time.CreateTimer(_ => Arm("inner", 1), null, TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan);
        _time.Advance(TimeSpan.FromSeconds(2));
        _fired.ShouldBe(["inner@2"]);
    }

    [Fact]
    public void A_period_repeats_until_the_timer_is_disposed()
    {
        var timer = _time.CreateTimer(_ => _fired.Add("tick"), null, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2));
        _time.Advance(TimeSpan.FromSeconds(5));
        _fired.Count.ShouldBe(3);
        timer.Dispose();
        _time.Advance(TimeSpan.FromSeconds(5));
        _fired.Count.ShouldBe(3);
    }

    [Fact]
    public void A_changed_timer_fires_at_its_new_time_only()
    {
        using var timer = _time.CreateTimer(_ => _fired.Add("late"), null, TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan);
        timer.Change(TimeSpan.FromSeconds(3), Timeout.InfiniteTimeSpan).ShouldBeTrue();
        _time.Advance(TimeSpan.FromSeconds(2));
        _fired.ShouldBeEmpty();
        _time.Advance(TimeSpan.FromSeconds(1));
        _fired.ShouldBe(["late"]);
    }

    [Fact]
    public async Task A_delay_ends_when_its_time_has_come()
    {
        var delay = Task.Delay(TimeSpan.FromHours(1), _time);
        _time.Advance(TimeSpan.FromMinutes(59));
        delay.IsCompleted.ShouldBeFalse();
        _time.Advance(TimeSpan.FromMinutes(1));
        await delay;
    }

    private void Arm(string name, int seconds)
    {
        var start = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
        _time.CreateTimer(
            _ => _fired.Add($"{name}@{(_time.GetUtcNow() - start).TotalSeconds}"), null, TimeSpan.FromSeconds(seconds),
            Timeout.InfiniteTimeSpan);
    }
}
