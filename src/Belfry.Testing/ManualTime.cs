namespace Belfry.Testing;

/// <summary>
/// A clock that moves only when told. Timers fire inside <see cref="Advance"/>, on the calling thread, in the order of their due times
/// and, at one instant, of their arming; each sees its own due time as now. Safe for several threads, with one driver that advances.
/// </summary>
public sealed class ManualTime(DateTimeOffset startAt) : TimeProvider
{
    private readonly Lock _lock = new();
    private readonly PriorityQueue<(ManualTimer Timer, long Version), (DateTimeOffset At, long Order)> _timers = new();
    private DateTimeOffset _now = startAt.ToUniversalTime();
    private long _armed;

    /// <summary>Starts on 2026-01-01T00:00:00Z.</summary>
    public ManualTime()
        : this(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero))
    {
    }

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <summary>Timers that will fire, so that a test can wait until what it drives has armed its wait.</summary>
    public int ArmedTimers
    {
        get
        {
            lock (_lock) return _timers.UnorderedItems.Count(i => i.Element.Timer.Version == i.Element.Version);
        }
    }

    public override DateTimeOffset GetUtcNow()
    {
        lock (_lock) return _now;
    }

    public override long GetTimestamp() => GetUtcNow().UtcTicks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ArgumentNullException.ThrowIfNull(callback);
        var timer = new ManualTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Moves on by <paramref name="length"/> (not negative) and fires what falls due, also what is armed meanwhile.</summary>
    public void Advance(TimeSpan length)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(length, TimeSpan.Zero);
        var until = GetUtcNow() + length;
        while (NextDue(until) is { } timer) timer.Fire();
        lock (_lock) _now = until;
    }

    private ManualTimer? NextDue(DateTimeOffset until)
    {
        lock (_lock)
        {
            while (_timers.TryPeek(out var next, out var key) && key.At <= until)
            {
                _timers.Dequeue();
                if (next.Timer.Version != next.Version) continue;
                if (key.At > _now) _now = key.At;
                next.Timer.Rearm_NeedsLock();
                return next.Timer;
            }

            return null;
        }
    }

    private sealed class ManualTimer(ManualTime time, TimerCallback callback, object? state) : ITimer
    {
        private TimeSpan _period = Timeout.InfiniteTimeSpan;
        private bool _disposed;

        internal long Version { get; private set; }

        internal void Fire() => callback(state);

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time._lock)
            {
                if (_disposed) return false;
                Version++;
                _period = period;
                if (dueTime != Timeout.InfiniteTimeSpan) Arm_NeedsLock(dueTime);
                return true;
            }
        }

        internal void Rearm_NeedsLock()
        {
            Version++;
            if (_period > TimeSpan.Zero) Arm_NeedsLock(_period);
        }

        public void Dispose()
        {
            lock (time._lock)
            {
                _disposed = true;
                Version++;
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        private void Arm_NeedsLock(TimeSpan due) => time._timers.Enqueue((this, Version), (time._now + due, time._armed++));
    }
}
