namespace Belfry.Log;

/// <summary>
/// Notices that the poll loop does not get on: a timer that looks often, and in the end at the earliest instant at which it may be true,
/// when the loop was last seen. Time counts only as far as the timer was in time: while a process is frozen, or gets no processor, nothing
/// of it could have come by. Safe for use by several threads.
/// </summary>
internal sealed class PollWatch : IDisposable
{
    /// <summary>Polls of a log that fails may take this many times as long.</summary>
    private const int FailingFactor = 3;

    /// <summary>So many looks within the limit: of a time in which the process was frozen, the part that counts is below one.</summary>
    private const int Looks = 4;

    /// <summary>A timer that is this late tells of a process that was frozen: the poll gets as long to come back, once.</summary>
    private static readonly TimeSpan LateMax = TimeSpan.FromSeconds(2);

    private readonly TimeSpan _stallAfter;
    private readonly TimeProvider _time;
    private readonly Func<bool> _isExempt;
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stalled = new();
    private readonly ITimer _timer;

    // Under the lock. Timestamps: when the timer is due, how much of the time was past that, and of the rest when the loop was seen.
    private long _dueAt;
    private long _lost;
    private long _seenAt;
    private bool _hadGrace;
    private bool _isFailing;

    // Set once the loop is to stop.
    private TimeSpan? _hurry;

    /// <param name="stallAfter">The longest a loop may be away.</param>
    /// <param name="time">The clock; its timestamps are what counts.</param>
    /// <param name="isExempt">True while the loop has a bound of its own.</param>
    public PollWatch(TimeSpan stallAfter, TimeProvider time, Func<bool> isExempt)
    {
        (_stallAfter, _time, _isExempt) = (stallAfter, time, isExempt);
        _timer = time.CreateTimer(static watch => ((PollWatch)watch!).Look(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        lock (_lock)
        {
            _dueAt = time.GetTimestamp();
            Seen_NeedsLock();
            Arm_NeedsLock(stallAfter);
        }
    }

    /// <summary>Cancelled once the loop is away for too long.</summary>
    public CancellationToken Stalled => _stalled.Token;

    /// <summary>True while the loop is away for too long.</summary>
    public bool IsStalled
    {
        get
        {
            lock (_lock) return _stalled.IsCancellationRequested && Away_NeedsLock() >= Limit_NeedsLock;
        }
    }

    /// <summary>How long the loop is away, as far as that counts; null while it has a bound of its own.</summary>
    public TimeSpan? Away
    {
        get
        {
            lock (_lock) return Away_NeedsLock();
        }
    }

    /// <summary>The loop has come by.</summary>
    public void Seen(bool isFailing)
    {
        lock (_lock)
        {
            _isFailing = isFailing;
            Seen_NeedsLock();
        }
    }

    /// <summary>A bound of the loop's own has ended: what comes now has the whole limit.</summary>
    public void Renew()
    {
        lock (_lock) Seen_NeedsLock();
    }

    /// <summary>The loop is to stop: whoever it waits for has this long to come back, from now on.</summary>
    public void Hurry(TimeSpan longest)
    {
        lock (_lock)
        {
            _hurry = longest;
            Arm_NeedsLock(longest);
            Seen_NeedsLock();
        }
    }

    public void Dispose() => _timer.Dispose();

    private TimeSpan Limit_NeedsLock => _hurry ?? (_isFailing ? _stallAfter * FailingFactor : _stallAfter);

    private void Look()
    {
        bool isStalled;
        lock (_lock)
        {
            var wasFrozen = _time.GetElapsedTime(_dueAt) > LateMax;
            var limit = Limit_NeedsLock;
            var left = Away_NeedsLock() is { } away ? limit - away : limit;
            if (left <= TimeSpan.Zero && wasFrozen && !_hadGrace) (left, _hadGrace) = (LateMax, true);
            isStalled = left <= TimeSpan.Zero;
            Arm_NeedsLock(isStalled ? _stallAfter : left);
        }

        if (isStalled) _stalled.Cancel();
    }

    private TimeSpan? Away_NeedsLock() => _isExempt() ? null : _time.GetElapsedTime(_seenAt, Counted_NeedsLock);

    /// <summary>A timestamp that stands still while the timer is late.</summary>
    private long Counted_NeedsLock => Math.Min(_time.GetTimestamp(), _dueAt) - _lost;

    private void Seen_NeedsLock() => (_seenAt, _hadGrace) = (Counted_NeedsLock, false);

    private void Arm_NeedsLock(TimeSpan left)
    {
        var next = _stallAfter / Looks;
        if (next > left) next = left;
        var now = _time.GetTimestamp();
        if (now > _dueAt) _lost += now - _dueAt;
        _dueAt = now + (long)((Int128)next.Ticks * _time.TimestampFrequency / TimeSpan.TicksPerSecond);
        _timer.Change(next, Timeout.InfiniteTimeSpan);
    }
}
