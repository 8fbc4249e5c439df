namespace Belfry.Server.Tests.Support;

/// <summary>The real clock, but what waits by it waits a fraction of the time: limits of many seconds can be met for real.</summary>
internal sealed class HurriedTime(int times) : TimeProvider
{
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        base.CreateTimer(callback, state, Hurried(dueTime), Hurried(period));

    private TimeSpan Hurried(TimeSpan length) => length == Timeout.InfiniteTimeSpan ? length : length / times;
}
