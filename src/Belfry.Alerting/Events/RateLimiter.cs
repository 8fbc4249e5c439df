namespace Belfry.Alerting.Events;

/// <summary>
/// Bounds the accepted events of each integration over a sliding minute, counted in slices of a second: in no 60 seconds are more than
/// the limit accepted. Refused events do not count. Reads no clock; any thread.
/// </summary>
public sealed class RateLimiter
{
    private const int IdleCheckEvery = 1_024;
    private readonly Lock _lock = new();
    private readonly Dictionary<IntegrationId, Window> _windows = [];

    /// <summary>Null: accepted and counted. Else the time after which at least one more will be accepted, more than zero.</summary>
    /// <param name="integration">Whose limit.</param>
    /// <param name="eventsPerMinute">The limit as configured now; 0 or less accepts nothing.</param>
    /// <param name="now">Never goes back for the limiter: an earlier time counts as the latest seen.</param>
    public TimeSpan? TryAccept(IntegrationId integration, int eventsPerMinute, DateTimeOffset now)
    {
        lock (_lock)
        {
            if (!_windows.TryGetValue(integration, out var window))
            {
                if (_windows.Count % IdleCheckEvery == IdleCheckEvery - 1) ForgetIdle_NeedsLock(now);
                window = _windows[integration] = new Window();
            }

            return window.TryAccept(eventsPerMinute, now);
        }
    }

    private void ForgetIdle_NeedsLock(DateTimeOffset now)
    {
        foreach (var (integration, window) in _windows.ToList())
            if (window.IsIdleAt(now)) _windows.Remove(integration);
    }

    /// <summary>A ring of one-second slices: the present one and the 60 whole ones before it.</summary>
    private sealed class Window
    {
        private const int Slices = 61;
        private readonly int[] _counts = new int[Slices];
        private long _newest;
        private int _total;

        public bool IsIdleAt(DateTimeOffset now) => now.ToUnixTimeSeconds() - _newest >= Slices;

        public TimeSpan? TryAccept(int limit, DateTimeOffset now)
        {
            Advance(now.ToUnixTimeSeconds());
            if (_total < limit)
            {
                _counts[_newest % Slices]++;
                _total++;
                return null;
            }

            var freeAt = DateTimeOffset.FromUnixTimeSeconds(OldestCounted() + Slices);
            var wait = freeAt - now;
            return wait > TimeSpan.Zero ? wait : TimeSpan.FromSeconds(1);
        }

        private void Advance(long second)
        {
            for (var steps = Math.Min(second - _newest, Slices); steps > 0; steps--)
            {
                var slice = (second - steps + 1) % Slices;
                _total -= _counts[slice];
                _counts[slice] = 0;
            }

            _newest = Math.Max(_newest, second);
        }

        private long OldestCounted()
        {
            for (var second = _newest - Slices + 1; second <= _newest; second++)
                if (_counts[second % Slices] > 0) return second;
            return _newest;
        }
    }
}
