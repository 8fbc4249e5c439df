using System.Diagnostics;

namespace Belfry.Drill;

/// <summary>The drill's one monotonic clock, in nanoseconds from its start, and what the wall clock showed then.</summary>
internal sealed class DrillClock
{
    private readonly long _started = Stopwatch.GetTimestamp();

    public DateTimeOffset StartedAt { get; } = TimeProvider.System.GetUtcNow();

    public long NowNs => (long)(Stopwatch.GetElapsedTime(_started).TotalMicroseconds * 1_000);
}
