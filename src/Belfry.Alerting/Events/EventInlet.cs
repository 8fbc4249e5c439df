using System.Diagnostics.Metrics;
using Belfry.Deliveries;
using Belfry.Log;
using Belfry.Outbox;

namespace Belfry.Alerting.Events;

/// <summary>
/// Makes accepted events durable: on the log, or while that is away through the <see cref="EventDetour"/>, where there is one. Either
/// alone is enough. Design section 6. Any thread.
/// </summary>
/// <param name="log">With the topics declared.</param>
/// <param name="detour">Null where log and store share their fate, as on one disk.</param>
/// <param name="time">The clock of its limits.</param>
public sealed class EventInlet(IPartitionedLog log, EventDetour? detour, TimeProvider time)
{
    /// <summary>Past it the sender is told to come again: most give up waiting after 10 s.</summary>
    private static readonly TimeSpan AppendTimeMax = TimeSpan.FromSeconds(8);

    /// <summary>Past it an event takes the detour, if there is one.</summary>
    private static readonly TimeSpan LogTimeMax = TimeSpan.FromMilliseconds(250);

    /// <summary>Past it the store counts as away. The wait until all know of an event comes on top.</summary>
    private static readonly TimeSpan WriteMax = TimeSpan.FromSeconds(2);

    /// <summary>The same where nobody has seen the lane of late.</summary>
    private static readonly TimeSpan UnseenWriteMax = TimeSpan.FromMilliseconds(750);

    /// <summary>
    /// For all tries to go behind others, with the waits for a view: with the log after that, or with the wait until all know of it, an
    /// event is answered within 3 s.
    /// </summary>
    private static readonly TimeSpan BehindMax = TimeSpan.FromSeconds(2);

    /// <summary>A write is given at least this, and in less than twice of it no other try begins.</summary>
    private static readonly TimeSpan BehindMin = TimeSpan.FromMilliseconds(100);

    /// <summary>A timer that comes later than this: the process stood still, and what it waited for may be there.</summary>
    private static readonly TimeSpan StandsStill = TimeSpan.FromMilliseconds(100);

    private readonly Counter<long> _accepted = new Meter("Belfry.Alerting.Events").CreateCounter<long>(
        "belfry.events.accepted", description: "Events made durable, by where and why.");

    private readonly Lock _lock = new();
    private readonly CircuitBreaker _breaker = new(
        new BreakerOptions { FailuresToOpen = 3, OpenFor = TimeSpan.FromSeconds(1), OpenForMax = TimeSpan.FromSeconds(10) });

    /// <summary>Completes once the event is durable.</summary>
    /// <exception cref="LogUnavailableException">It may be durable all the same; a repeat does no harm. So with the next two.</exception>
    /// <exception cref="StoreUnavailableException">Log and store are away.</exception>
    /// <exception cref="TimeoutException">Neither acknowledged in time.</exception>
    public async ValueTask AppendAsync(OutgoingRecord record, CancellationToken cancel)
    {
        var route = EventRoute.Log;
        if (detour is null) await WithinAsync(log.AppendAsync([record], cancel), AppendTimeMax, cancel);
        else route = await AppendOrDetourAsync(detour, record, cancel);
        _accepted.Add(1, KeyValuePair.Create("route", (object?)NameOf(route)));
    }

    /// <summary>For tests, which have many of these in one process.</summary>
    internal Instrument Accepted => _accepted;

    private async ValueTask<EventRoute> AppendOrDetourAsync(EventDetour detour, OutgoingRecord record, CancellationToken cancel)
    {
        var began = time.GetTimestamp();
        for (var isLast = false; ; isLast = true)
        {
            // While some of a service wait there, whoever took them in, later ones go behind them, or they would overtake.
            var way = await detour.WayAsync(record.OrderingKey, LogIsThere, cancel);
            var isBehind = way is EventWay.Behind or EventWay.BehindUnseen;
            var route = isBehind ? EventRoute.OutboxBehind : await TryLogAsync(record, cancel);
            if (route == EventRoute.Log) return way == EventWay.LogUnseen ? EventRoute.LogPast : route;
            var timeMax = way == EventWay.BehindUnseen ? UnseenWriteMax : WriteMax;
            if (isBehind) timeMax = Shorter(timeMax, BehindMax - time.GetElapsedTime(began));
            var writeBegan = time.GetTimestamp();
            try
            {
                await detour.TakeAsync(record, timeMax, cancel);
                return route;
            }
            catch (Exception fault) when (isBehind && fault is (StoreUnavailableException or TimeoutException))
            {
                // It may be this process that was frozen for as long: so it asks once more whether the store is there, and its time
                // begins anew. If not, those that wait cannot be published either way: to be taken counts for more than to be in order.
                if (time.GetElapsedTime(writeBegan) > timeMax + StandsStill) began = time.GetTimestamp();
                if (!isLast && BehindMax - time.GetElapsedTime(began) > 2 * BehindMin) continue;
                if (await TryLogAsync(record, cancel) != EventRoute.Log) throw;
                return EventRoute.LogPast;
            }
        }
    }

    /// <summary>It takes events, or it is time to try.</summary>
    private bool LogIsThere()
    {
        lock (_lock)
        {
            if (_breaker.TryEnter(Monotonic, out _) is not { } permit) return _breaker.State == BreakerState.HalfOpen;
            _breaker.Cancelled(permit);
            return true;
        }
    }

    private static TimeSpan Shorter(TimeSpan one, TimeSpan other) => one < other ? one : other > BehindMin ? other : BehindMin;

    /// <summary>The log, or why the event goes elsewhere.</summary>
    private async ValueTask<EventRoute> TryLogAsync(OutgoingRecord record, CancellationToken cancel)
    {
        if (TryEnter() is not { } permit) return EventRoute.OutboxAway;
        try
        {
            await WithinAsync(log.AppendAsync([record], cancel), LogTimeMax, cancel);
            lock (_lock) _breaker.Succeeded(permit);
            return EventRoute.Log;
        }
        catch (Exception fault) when (fault is LogUnavailableException or TimeoutException)
        {
            lock (_lock) _breaker.Failed(permit, Monotonic);
            return EventRoute.OutboxSlow;
        }
        catch
        {
            lock (_lock) _breaker.Cancelled(permit);
            throw;
        }
    }

    private BreakerPermit? TryEnter()
    {
        lock (_lock) return _breaker.TryEnter(Monotonic, out _);
    }

    private static string NameOf(EventRoute route) => route switch
    {
        EventRoute.Log => "log",
        EventRoute.OutboxSlow => "outbox_slow",
        EventRoute.OutboxAway => "outbox_away",
        EventRoute.OutboxBehind => "outbox_behind",
        _ => "log_past",
    };

    private TimeSpan Monotonic => time.GetElapsedTime(0);

    private ValueTask WithinAsync(ValueTask append, TimeSpan timeMax, CancellationToken cancel) =>
        append.IsCompleted ? append : EndedWithinAsync(append.AsTask(), timeMax, cancel);

    private async ValueTask EndedWithinAsync(Task append, TimeSpan timeMax, CancellationToken cancel)
    {
        using var late = new CancellationTokenSource(timeMax, time);
        await using var given = cancel.UnsafeRegister(static late => ((CancellationTokenSource)late!).Cancel(), late);
        try
        {
            await append.OrCancelledAsync(late.Token);
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested)
        {
            // It may have ended in this moment.
            if (append.IsCompletedSuccessfully) return;
            cancel.ThrowIfCancellationRequested();
            throw new TimeoutException($"Not acknowledged within {timeMax}.");
        }
    }
}

/// <summary>Where an event was made durable, and why there.</summary>
internal enum EventRoute
{
    Log,

    /// <summary>In the outbox: the log refused it or did not acknowledge it in time.</summary>
    OutboxSlow,

    /// <summary>In the outbox: the log has failed so often that it is left alone for a while.</summary>
    OutboxAway,

    /// <summary>In the outbox, behind others of its service, or since nobody knows what waits there.</summary>
    OutboxBehind,

    /// <summary>On the log, maybe past others of its service that wait in an outbox that is away.</summary>
    LogPast,
}
