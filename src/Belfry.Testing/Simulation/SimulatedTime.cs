namespace Belfry.Testing;

/// <summary>A node's clock: virtual time plus an offset for the wall clock, virtual time alone for timestamps.</summary>
internal sealed class SimulatedTime(SimulatedNode node, TimeSpan offset) : TimeProvider
{
    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow() => node.World.Now + offset;

    public override long GetTimestamp() => node.World.Now.UtcTicks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new NodeTimer(node, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    private sealed class NodeTimer(SimulatedNode node, TimerCallback callback, object? state) : ITimer
    {
        private TimeSpan _period = Timeout.InfiniteTimeSpan;
        private Arming? _armed;
        private bool _disposed;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            if (_disposed) return false;
            _period = period;
            _armed = null;
            if (dueTime != Timeout.InfiniteTimeSpan) Arm(dueTime);
            return true;
        }

        public void Dispose()
        {
            _disposed = true;
            _armed = null;
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        private void Arm(TimeSpan due)
        {
            if (node.IsDead) return;
            _armed = new Arming(this);
            node.World.Enqueue(due, node, EventKind.Timer, static s => ((Arming)s!).Fire(), _armed);
        }

        private void Fire(Arming arming)
        {
            if (_armed != arming) return;
            _armed = null;
            if (_period > TimeSpan.Zero) Arm(_period);
            callback(state);
        }

        /// <summary>One arming of the timer; a later one makes it void.</summary>
        private sealed class Arming(NodeTimer timer)
        {
            public void Fire() => timer.Fire(this);
        }
    }
}
