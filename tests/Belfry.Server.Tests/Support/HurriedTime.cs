namespace Belfry.Server.Tests.Support;

/// <summary>The real clock, but long waits by it take a fraction of their time: limits of many seconds can be met for real.</summary>
/// <param name="times">How much faster.</param>
/// <param name="from">What counts as long; shorter waits, such as the patience with a busy store, stay as they are.</param>
internal sealed class HurriedTime(int times, TimeSpan from) : TimeProvider
{
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        base.CreateTimer(callback, state, Hurried(dueTime), Hurried(period));

    private TimeSpan Hurried(TimeSpan length) => length < from ? length : length / times;
}
