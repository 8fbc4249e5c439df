using Belfry.Log;
using Belfry.Outbox;
using Microsoft.Extensions.Logging;

namespace Belfry.Alerting.Events;

/// <summary>
/// Decides whether an event goes behind others that wait in the detour's lane, whichever process put them there: by what this process
/// wrote and by a view of the lane, which is as old as the begin of the question that brought it. Any thread. Decision 2026-11-27, "A
/// lease on what was seen".
/// </summary>
/// <remarks>
/// Whoever puts an event into the lane acknowledges it <see cref="ViewLife"/> later than it is durable. So a view that is younger than
/// that, when an event arrives which was sent after the acknowledgement, shows the former, or the former was published.
/// <code>
/// view                   looks                       its key in the lane     an event goes first
/// younger than ViewLife  any                         not shown, not ours     to the log
/// younger than ViewLife  any                         shown, or ours          behind it: into the lane
/// older, or none         under way, some were late   any                     waits LookPatience for a view, then into the lane
/// older, or none         refused, or late for long:  any                     to the log: to be taken counts for more than to be in
///                        the store is away                                   order
/// </code>
/// In the last case an event may overtake what was left in the lane, or what another process adds to it that the store is not away for.
/// Processes of a version that acknowledges at once keep no order among each other. While no events come nothing is looked at: the first
/// one then waits for a look.
/// </remarks>
internal sealed partial class DetourWatch(IOutboxStore store, string lane, TimeProvider time, ILogger logger)
{
    /// <summary>How long a view counts, from the begin of its question.</summary>
    public static readonly TimeSpan ViewLife = TimeSpan.FromMilliseconds(500);

    /// <summary>While events come, the lane is looked at so often.</summary>
    public static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(100);

    /// <summary>Past it a look is late and the next one begins. With the interval before, less than a view's life.</summary>
    private static readonly TimeSpan LookTimeMax = TimeSpan.FromMilliseconds(300);

    /// <summary>How long an event waits for a view: a pause of the process is over then, and a slow store is no better.</summary>
    private static readonly TimeSpan LookPatience = TimeSpan.FromMilliseconds(250);

    /// <summary>So many late looks in a row, 2 s of them: the store is away, not slow.</summary>
    private const int LateMax = 5;

    /// <summary>A store that was away so long ago may be back: a process that was frozen knows nothing of it.</summary>
    private static readonly TimeSpan AwayLife = TimeSpan.FromSeconds(1);

    /// <summary>A store that is away is looked at for so long after the last event.</summary>
    private static readonly TimeSpan LooksOn = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();

    // All below under the lock. By ordering key, the number of the newest write; one entry a service at most.
    private readonly Dictionary<string, long> _newest = new(StringComparer.Ordinal);
    private readonly SortedSet<long> _underWay = [];
    private long _writes;
    private View? _view;
    private bool _looking;
    private long _lookBegan;
    private long _asked;
    private int _late;
    private bool _refused;
    private long _missed;
    private TaskCompletionSource _looked = NewSignal();

    /// <summary>Told when a look has found some in the lane.</summary>
    public Action? SomeWait { get; init; }

    /// <summary>Ordering keys of which this process has some there.</summary>
    public int Ours
    {
        get
        {
            lock (_lock) return _newest.Count;
        }
    }

    /// <summary>True: some of this process wait, and no write is under way.</summary>
    public bool HasOursAtRest
    {
        get
        {
            lock (_lock) return _newest.Count > 0 && _underWay.Count == 0;
        }
    }

    /// <summary>True while some of it may not be published yet, by what was seen last.</summary>
    public bool HasSome(string orderingKey)
    {
        lock (_lock) return _newest.ContainsKey(orderingKey) || _view?.Shows(orderingKey) == true;
    }

    /// <summary>True: an event of this key that has arrived goes into the lane first, false: to the log. See the remarks.</summary>
    public ValueTask<bool> GoesBehindAsync(string orderingKey, CancellationToken cancel)
    {
        bool? behind;
        bool begins;
        var now = time.GetTimestamp();
        lock (_lock)
        {
            _asked = now;
            behind = Decide_NeedsLock(orderingKey, now);
            begins = !_looking && (_view is null || Since(_lookBegan, now) >= LookInterval);
            _looking |= begins;
        }

        // It ends by itself, and what befalls it is a state of this object.
        if (begins) _ = LookUntilAnsweredAsync();
        return behind is { } known ? new(known) : OnceLookedAsync(orderingKey, cancel);
    }

    /// <summary>Looks once.</summary>
    /// <exception cref="StoreUnavailableException">Retryable.</exception>
    public async ValueTask LookAsync(CancellationToken cancel)
    {
        var mark = Mark();
        var seen = await store.PendingKeysAsync(lane, OutboxRelay.LotMax, cancel);
        Saw(mark, seen);
        if (seen.OrderingKeys.Count > 0) SomeWait?.Invoke();
    }

    /// <summary>To be taken before the lane is asked; what is answered holds for then.</summary>
    public LookMark Mark()
    {
        var now = time.GetTimestamp();
        lock (_lock) return new(now, _underWay.Count == 0 ? _writes : _underWay.Min - 1);
    }

    /// <summary>Of all that was durable at the mark, no more than this is left to be published.</summary>
    public void Saw(LookMark mark, PendingKeys seen)
    {
        bool back;
        lock (_lock)
        {
            back = IsAway_NeedsLock(time.GetTimestamp());
            (_late, _refused) = (0, false);
            if (_view is null || mark.At >= _view.At) _view = new View(mark.At, seen);
            if (seen.IsWhole)
                foreach (var (key, newest) in _newest)
                    if (newest <= mark.NewestEnded && !seen.OrderingKeys.Contains(key)) _newest.Remove(key);
        }

        if (back) StoreIsBack();
    }

    /// <summary>A write begins, and counts until the lane was seen without its key after it had ended.</summary>
    public long Begin(string orderingKey)
    {
        lock (_lock)
        {
            _newest[orderingKey] = ++_writes;
            _underWay.Add(_writes);
            return _writes;
        }
    }

    /// <summary>Whatever that write has written is in the lane, or was published.</summary>
    public void End(long number)
    {
        lock (_lock) _underWay.Remove(number);
    }

    private bool? Decide_NeedsLock(string orderingKey, long now)
    {
        if (_view is { } view && Since(view.At, now) < ViewLife)
            return (_newest.Count > 0 && _newest.ContainsKey(orderingKey)) || view.Shows(orderingKey);
        return IsAway_NeedsLock(now) ? false : null;
    }

    private bool IsAway_NeedsLock(long now) => (_refused || _late >= LateMax) && Since(_missed, now) < AwayLife;

    private async ValueTask<bool> OnceLookedAsync(string orderingKey, CancellationToken cancel)
    {
        using var late = new CancellationTokenSource(LookPatience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancel);
        try
        {
            while (true)
            {
                Task looked;
                lock (_lock)
                {
                    if (Decide_NeedsLock(orderingKey, time.GetTimestamp()) is { } behind) return behind;
                    looked = _looked.Task;
                }

                await looked.OrCancelledAsync(either.Token);
            }
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return true;
        }
    }

    /// <summary>One look, or as many as it takes while events come.</summary>
    private async Task LookUntilAnsweredAsync()
    {
        while (!await TryLookAsync())
            await Task.Delay(LookInterval, time, CancellationToken.None);
    }

    /// <summary>False: look again.</summary>
    private async ValueTask<bool> TryLookAsync()
    {
        lock (_lock) _lookBegan = time.GetTimestamp();
        Exception? fault = null;
        using var late = new CancellationTokenSource(LookTimeMax, time);
        try
        {
            await LookAsync(late.Token);
        }
        catch (Exception missed)
        {
            fault = missed;
        }

        return Ended(fault);
    }

    private bool Ended(Exception? fault)
    {
        TaskCompletionSource looked;
        bool gone, done;
        lock (_lock)
        {
            var now = time.GetTimestamp();
            var wasAway = IsAway_NeedsLock(now);
            if (fault is OperationCanceledException) _late++;
            else if (fault is not null) _refused = true;
            if (fault is not null) _missed = now;
            gone = !wasAway && IsAway_NeedsLock(now);
            done = fault is null || Since(_asked, now) > LooksOn;
            if (done) _looking = false;
            (looked, _looked) = (_looked, NewSignal());
        }

        looked.SetResult();
        if (gone) StoreIsAway(fault!);
        return done;
    }

    private TimeSpan Since(long timestamp, long now) => time.GetElapsedTime(timestamp, now);

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    [LoggerMessage(
        122, LogLevel.Warning,
        "The store does not tell what waits in the outbox: until it does, events go to the log first and may overtake what waits there")]
    private partial void StoreIsAway(Exception fault);

    [LoggerMessage(123, LogLevel.Information, "The store tells again what waits in the outbox; events go behind it")]
    private partial void StoreIsBack();

    /// <param name="At">When the question began.</param>
    private sealed record View(long At, PendingKeys Seen)
    {
        public bool Shows(string orderingKey) => !Seen.IsWhole || Seen.OrderingKeys.Contains(orderingKey);
    }
}

/// <summary>A moment before the lane was asked.</summary>
/// <param name="At">By the process's monotonic clock.</param>
/// <param name="NewestEnded">All writes up to this one had ended: whatever they wrote was in the lane, or published.</param>
internal readonly record struct LookMark(long At, long NewestEnded);
