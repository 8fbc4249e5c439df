namespace Belfry.Deliveries;

/// <summary>Leave to send. Its result counts only in the era of the breaker in which it was given.</summary>
public readonly record struct BreakerPermit(long Era);

/// <summary>Where a breaker stands.</summary>
public enum BreakerState
{
    /// <summary>All is let through.</summary>
    Closed,

    /// <summary>Nothing is let through for a while.</summary>
    Open,

    /// <summary>One probe at a time is let through.</summary>
    HalfOpen,
}

/// <summary>
/// The breaker of one endpoint: closed until failures in a row reach the limit, then open for a while, then half-open with one probe
/// at a time; the probe's success closes it, its failure opens it for twice as long. Pure: time is passed in, on any monotonic scale.
/// For one thread at a time.
/// </summary>
public sealed class CircuitBreaker(BreakerOptions options)
{
    private int _failures;
    private long _era;
    private bool _probing;
    private TimeSpan _openFor = options.OpenFor;
    private TimeSpan _openUntil;

    public BreakerState State { get; private set; }

    /// <summary>Null: not now, ask again after <paramref name="wait"/>.</summary>
    public BreakerPermit? TryEnter(TimeSpan now, out TimeSpan wait)
    {
        wait = TimeSpan.Zero;
        if (State == BreakerState.Open)
        {
            wait = _openUntil - now;
            if (wait > TimeSpan.Zero) return null;
            Turn(BreakerState.HalfOpen);
        }

        if (State == BreakerState.HalfOpen)
        {
            wait = options.OpenFor;
            if (_probing) return null;
            _probing = true;
        }

        wait = TimeSpan.Zero;
        return new BreakerPermit(_era);
    }

    public void Succeeded(BreakerPermit permit)
    {
        if (permit.Era != _era) return;
        _failures = 0;
        if (State != BreakerState.HalfOpen) return;
        _openFor = options.OpenFor;
        Turn(BreakerState.Closed);
    }

    public void Failed(BreakerPermit permit, TimeSpan now)
    {
        if (permit.Era != _era) return;
        if (State == BreakerState.HalfOpen)
        {
            _openFor = _openFor * 2 < options.OpenForMax ? _openFor * 2 : options.OpenForMax;
        }
        else if (++_failures < options.FailuresToOpen)
        {
            return;
        }

        _failures = 0;
        _openUntil = now + _openFor;
        Turn(BreakerState.Open);
    }

    /// <summary>The send did not happen.</summary>
    public void Cancelled(BreakerPermit permit)
    {
        if (permit.Era == _era) _probing = false;
    }

    private void Turn(BreakerState state)
    {
        State = state;
        _probing = false;
        _era++;
    }
}
