using Belfry.Testing;

namespace Belfry.Kafka.Tests;

/// <summary>A clock moved by hand that tells each timer it is given, once that is armed.</summary>
internal sealed class ToldTime : TimeProvider
{
    private readonly ManualTime _time = new();
    private long _passedUnnoticed;

    /// <summary>How long each timer was to wait, in their order.</summary>
    public Watched<TimeSpan> Armed { get; } = new();

    public override long TimestampFrequency => _time.TimestampFrequency;

    public override DateTimeOffset GetUtcNow() => _time.GetUtcNow();

    public override long GetTimestamp() => _time.GetTimestamp() + Volatile.Read(ref _passedUnnoticed);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = _time.CreateTimer(callback, state, dueTime, period);
        Armed.Add(dueTime);
        return timer;
    }

    /// <summary>Time passes in which no timer fires, as on a machine that pauses.</summary>
    public void Pass(double seconds) => Interlocked.Add(ref _passedUnnoticed, TimeSpan.FromSeconds(seconds).Ticks);

    public void Advance(double seconds) => _time.Advance(TimeSpan.FromSeconds(seconds));
}
