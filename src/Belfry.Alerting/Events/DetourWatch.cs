using Belfry.Log;
using Belfry.Outbox;
using Microsoft.Extensions.Logging;

namespace Belfry.Alerting.Events;

/// <summary>Where an event goes first.</summary>
internal enum EventWay
{
    Log,

    /// <summary>To the log, since the store is away: nobody knows what is in the lane, and nobody can publish it.</summary>
    LogUnseen,

    /// <summary>Into the lane, behind others of its key.</summary>
    Behind,

    /// <summary>Into the lane, since nobody knows what is in it: the store is slow, or it is away.</summary>
    BehindUnseen,
}

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
/// younger than ViewLife  any                         shown, or ours          behind it: into the lane; with the log there and no write
///                                                                            of ours under way it waits ClearPatience for a view without
/// older, or none         under way, some were late   any                     waits LookPatience for a view, then into the lane
/// older, or none         refused, or late for long:  any                     to the log: to be taken counts for more than to be in
///                        the store is away                                   order
/// </code>
/// The wait for a view without its key ends the detour: each event that goes behind makes the next look show its key once more.
/// In the last case an event may overtake what was left in the lane, or what another process adds to it that the store is not away for.
/// Processes of a version that acknowledges at once keep no order among each other. While no events come nothing is looked at: the first
/// one then waits for a look.
/// </remarks>
internal sealed partial class DetourWatch(IOutboxStore store, string lane, TimeProvider time, ILogger logger)
{
    /// <summary>How long a view counts, from the begin of its question.</summary>
    public static readonly TimeSpan ViewLife = TimeSpan.FromMilliseconds(500);

    /// <summary>While events come, a look begins so often, whatever is under way.</summary>
    public static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(100);

    /// <summary>How long an event waits for a view: a pause of the process is over then, and a slow store is no better.</summary>
    public static readonly TimeSpan LookPatience = TimeSpan.FromMilliseconds(250);

    /// <summary>How long an event waits for a view without its key: a row's life and the looks in between take half of it.</summary>
    public static readonly TimeSpan ClearPatience = TimeSpan.FromMilliseconds(300);

    /// <summary>Past it a look is late. With the interval before, no more than a view's life.</summary>
    public static readonly TimeSpan LookTimeMax = TimeSpan.FromMilliseconds(400);

    /// <summary>Most keys that a look tells of.</summary>
    public const int KeysMax = 2_000;

    private const int LooksMax = 4;

    /// <summary>A look whose end comes later than its limit by this tells of a process that stood still, not of the store.</summary>
    private static readonly TimeSpan StandsStill = TimeSpan.FromMilliseconds(200);

    /// <summary>A process that stood still for so long knows nothing of the store: it may be back.</summary>
    private static readonly TimeSpan AwayLife = TimeSpan.FromSeconds(1);

    /// <summary>A store that does not answer is looked at for so long after the last event.</summary>
    private static readonly TimeSpan LooksOn = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();

    // All below under the lock. By ordering key, what this process wrote; one entry a service at most.
    private readonly Dictionary<string, Own> _own = new(StringComparer.Ordinal);
    private readonly SortedSet<long> _underWay = [];
    private readonly LookOutcomes _outcomes = new();
    private long _writes;
    private View? _view;
    private int _looks;
    private long? _lookBegan;
    private long _asked;
    private int _waiting;
    private bool _missed;
    private bool _ticking;
    private long _tickedAt;
    private bool _toldAway;
    private TaskCompletionSource _looked = NewSignal();

    /// <summary>Told when a look has found some in the lane.</summary>
    public Action? SomeWait { get; init; }

    /// <summary>Ordering keys of which this process has some there.</summary>
    public int Ours
    {
        get
        {
            lock (_lock) return _own.Count;
        }
    }

    /// <summary>True: some of this process wait, and no write is under way.</summary>
    public bool HasOursAtRest
    {
        get
        {
            lock (_lock) return _own.Count > 0 && _underWay.Count == 0;
        }
    }

    /// <summary>True while some of it may not be published yet, by what was seen last.</summary>
    public bool HasSome(string orderingKey)
    {
        lock (_lock) return _own.ContainsKey(orderingKey) || _view?.Shows(orderingKey) == true;
    }

    /// <summary>Where an event of this key that has arrived goes first. See the remarks.</summary>
    /// <param name="logIsThere">The log takes events, or it is time to try; asked under the lock.</param>
    public ValueTask<EventWay> WayAsync(string orderingKey, Func<bool> logIsThere, CancellationToken cancel)
    {
        Decision decision;
        bool looks;
        var now = time.GetTimestamp();
        lock (_lock)
        {
            NoticeStandstill_NeedsLock(now);
            _asked = now;
            decision = Decide_NeedsLock(orderingKey, logIsThere, now);
            looks = TryBegin_NeedsLock(now);
        }

        if (looks) _ = LookOnceAsync(now);
        return decision.IsFinal ? new(decision.Way) : OnceSeenAsync(orderingKey, logIsThere, cancel);
    }

    /// <summary>Looks once.</summary>
    /// <exception cref="StoreUnavailableException">Retryable.</exception>
    public async ValueTask LookAsync(CancellationToken cancel)
    {
        var mark = Mark();
        var seen = await store.PendingKeysAsync(lane, KeysMax, cancel);
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
            back = _toldAway;
            (_toldAway, _missed) = (false, false);
            _outcomes.Answered();
            if (_view is null || mark.At >= _view.At) _view = new View(mark.At, seen);
            if (seen.IsWhole)
                foreach (var (key, own) in _own)
                    if (own.Newest <= mark.NewestEnded && !seen.OrderingKeys.Contains(key)) _own.Remove(key);
        }

        if (back) StoreIsBack();
    }

    /// <summary>A write begins, and counts until the lane was seen without its key after it had ended.</summary>
    public long Begin(string orderingKey)
    {
        lock (_lock)
        {
            _own[orderingKey] = new(++_writes, _own.GetValueOrDefault(orderingKey).UnderWay + 1);
            _underWay.Add(_writes);
            return _writes;
        }
    }

    /// <summary>Whatever that write has written is in the lane, or was published.</summary>
    public void End(string orderingKey, long number)
    {
        lock (_lock)
        {
            _underWay.Remove(number);
            var own = _own[orderingKey];
            _own[orderingKey] = own with { UnderWay = own.UnderWay - 1 };
        }
    }

    private Decision Decide_NeedsLock(string orderingKey, Func<bool> logIsThere, long now)
    {
        if (_view is not { } view || Since(view.At, now) >= ViewLife)
            return _outcomes.IsAway ? new(EventWay.LogUnseen, IsFinal: true) : new(EventWay.BehindUnseen, IsFinal: false);
        var ours = _own.TryGetValue(orderingKey, out var own);
        var waits = ours || view.Shows(orderingKey);
        return waits ? new(EventWay.Behind, IsFinal: own.UnderWay > 0 || !logIsThere()) : new(EventWay.Log, IsFinal: true);
    }

    private async ValueTask<EventWay> OnceSeenAsync(string orderingKey, Func<bool> logIsThere, CancellationToken cancel)
    {
        var seen = await WhileAsync(
            orderingKey, logIsThere, static decision => decision.Way == EventWay.BehindUnseen, LookPatience, cancel);
        if (seen.Way == EventWay.BehindUnseen || seen.IsFinal) return seen.Way;
        return (await WhileAsync(orderingKey, logIsThere, static decision => !decision.IsFinal, ClearPatience, cancel)).Way;
    }

    /// <summary>Looks on while it holds, up to the limit.</summary>
    private async ValueTask<Decision> WhileAsync(
        string orderingKey, Func<bool> logIsThere, Func<Decision, bool> holds, TimeSpan timeMax, CancellationToken cancel)
    {
        if (Decide(orderingKey, logIsThere, out _) is var decision && !holds(decision)) return decision;
        using var late = new CancellationTokenSource(timeMax, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancel);
        lock (_lock) _waiting++;
        Tick();
        try
        {
            while (true)
            {
                decision = Decide(orderingKey, logIsThere, out var looked);
                if (!holds(decision)) return decision;
                await looked.OrCancelledAsync(either.Token);
            }
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return Decide(orderingKey, logIsThere, out _);
        }
        finally
        {
            lock (_lock) _waiting--;
        }
    }

    private Decision Decide(string orderingKey, Func<bool> logIsThere, out Task looked)
    {
        lock (_lock)
        {
            looked = _looked.Task;
            return Decide_NeedsLock(orderingKey, logIsThere, time.GetTimestamp());
        }
    }

    /// <summary>Begins looks while somebody waits for one, or the last got no answer; otherwise the events do that.</summary>
    private void Tick()
    {
        lock (_lock)
        {
            var now = time.GetTimestamp();
            if (_ticking || !NeedsTicks_NeedsLock(now)) return;
            (_ticking, _tickedAt) = (true, now);
        }

        // It ends by itself, and what befalls a look is a state of this object.
        _ = TickWhileNeededAsync();
    }

    private async Task TickWhileNeededAsync()
    {
        while (true)
        {
            await Task.Delay(LookInterval, time, CancellationToken.None);
            var now = time.GetTimestamp();
            bool looks;
            lock (_lock)
            {
                NoticeStandstill_NeedsLock(now);
                _tickedAt = now;
                _ticking = NeedsTicks_NeedsLock(now);
                if (!_ticking) return;
                looks = TryBegin_NeedsLock(now);
            }

            if (looks) _ = LookOnceAsync(now);
        }
    }

    private bool NeedsTicks_NeedsLock(long now) => _waiting > 0 || (_missed && Since(_asked, now) <= LooksOn);

    private bool TryBegin_NeedsLock(long now)
    {
        if (_looks >= LooksMax || (_lookBegan is { } began && Since(began, now) < LookInterval)) return false;
        _lookBegan = now;
        _looks++;
        return true;
    }

    /// <summary>Its own timer tells: whatever was known of the store is as old as that is late.</summary>
    private void NoticeStandstill_NeedsLock(long now)
    {
        if (!_ticking || Since(_tickedAt, now) <= LookInterval + AwayLife) return;
        _tickedAt = now;
        _outcomes.Forget();
    }

    private async Task LookOnceAsync(long began)
    {
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

        Ended(began, fault);
    }

    private void Ended(long began, Exception? fault)
    {
        TaskCompletionSource looked;
        var gone = false;
        lock (_lock)
        {
            _looks--;

            // A newer question may have been answered meanwhile.
            if (fault is not null && !(_view?.At > began))
            {
                _missed = true;
                Missed_NeedsLock(fault, Since(began, time.GetTimestamp()));
                gone = _outcomes.IsAway && !_toldAway;
                _toldAway |= gone;
            }

            (looked, _looked) = (_looked, NewSignal());
        }

        looked.SetResult();
        Tick();
        if (gone) StoreIsAway(fault!);
    }

    private void Missed_NeedsLock(Exception fault, TimeSpan took)
    {
        if (fault is not (OperationCanceledException or StoreBusyException)) _outcomes.Refused();
        else if (took <= LookTimeMax + StandsStill) _outcomes.Late();
    }

    private TimeSpan Since(long timestamp, long now) => time.GetElapsedTime(timestamp, now);

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    [LoggerMessage(
        122, LogLevel.Warning,
        "The store does not tell what waits in the outbox: until it does, events go to the log first and may overtake what waits there")]
    private partial void StoreIsAway(Exception fault);

    [LoggerMessage(123, LogLevel.Information, "The store tells again what waits in the outbox; events go behind it")]
    private partial void StoreIsBack();

    /// <param name="IsFinal">False: a look may change it.</param>
    private readonly record struct Decision(EventWay Way, bool IsFinal);

    /// <param name="Newest">Number of the newest write of a key.</param>
    private readonly record struct Own(long Newest, int UnderWay);

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
