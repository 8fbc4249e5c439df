namespace Belfry.Log;

/// <summary>
/// Notices that the poll loop does not get on: a timer that looks, at the earliest instant at which it may be true, when the loop was last
/// seen. Safe for use by several threads.
/// </summary>
internal sealed class PollWatch : IDisposable
{
    /// <summary>Polls of a log that fails may take this many times as long.</summary>
    private const int FailingFactor = 3;

    /// <summary>A timer that is this late tells of a process that was frozen: the poll gets as long to come back.</summary>
    private static readonly TimeSpan LateMax = TimeSpan.FromSeconds(2);

    private readonly TimeSpan _stallAfter;
    private readonly TimeProvider _time;
    private readonly Func<bool> _isExempt;
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stalled = new();
    private readonly ITimer _timer;
    private long _seenAt;
    private long _dueAt;
    private volatile bool _isFailing;

    // Under the lock: set once the loop is to stop.
    private TimeSpan? _hurry;

    /// <param name="stallAfter">The longest a loop may be away.</param>
    /// <param name="time">The clock; its timestamps are what counts.</param>
    /// <param name="isExempt">True while the loop has a bound of its own.</param>
    public PollWatch(TimeSpan stallAfter, TimeProvider time, Func<bool> isExempt)
    {
        (_stallAfter, _time, _isExempt) = (stallAfter, time, isExempt);
        _timer = time.CreateTimer(static watch => ((PollWatch)watch!).Look(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        Seen(isFailing: false);
        lock (_lock) Arm_NeedsLock(stallAfter);
    }

    /// <summary>Cancelled once the loop is away for too long.</summary>
    public CancellationToken Stalled => _stalled.Token;

    /// <summary>How long the loop is away; null while it has a bound of its own.</summary>
    public TimeSpan? Away => _isExempt() ? null : _time.GetElapsedTime(Volatile.Read(ref _seenAt));

    public TimeSpan Limit => _isFailing ? _stallAfter * FailingFactor : _stallAfter;

    /// <summary>The loop has come by.</summary>
    public void Seen(bool isFailing)
    {
        _isFailing = isFailing;
        Volatile.Write(ref _seenAt, _time.GetTimestamp());
    }

    /// <summary>A bound of the loop's own has ended: what comes now has the whole limit.</summary>
    public void Renew() => Volatile.Write(ref _seenAt, _time.GetTimestamp());

    /// <summary>The loop is to stop: whoever it waits for has this long to come back, from now on.</summary>
    public void Hurry(TimeSpan longest)
    {
        lock (_lock)
        {
            _hurry = longest;
            Renew();
            Arm_NeedsLock(longest);
        }
    }

    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        lock (_lock)
        {
            var late = _time.GetElapsedTime(_dueAt);
            var limit = _hurry ?? Limit;
            var left = late > LateMax ? LateMax : Away is { } away ? limit - away : limit;
            if (left > TimeSpan.Zero)
            {
                Arm_NeedsLock(left);
                return;
            }
        }

        _stalled.Cancel();
    }

    private void Arm_NeedsLock(TimeSpan length)
    {
        _dueAt = _time.GetTimestamp() + (long)(length.TotalSeconds * _time.TimestampFrequency);
        _timer.Change(length, Timeout.InfiniteTimeSpan);
    }
}
