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

    private readonly Lock _lock = new();
    private readonly CircuitBreaker _breaker = new(
        new BreakerOptions { FailuresToOpen = 3, OpenFor = TimeSpan.FromSeconds(1), OpenForMax = TimeSpan.FromSeconds(10) });

    /// <summary>Completes once the event is durable.</summary>
    /// <exception cref="LogUnavailableException">It may be durable all the same; a repeat does no harm. So with the next two.</exception>
    /// <exception cref="StoreUnavailableException">Log and store are away.</exception>
    /// <exception cref="TimeoutException">Neither acknowledged in time.</exception>
    public ValueTask AppendAsync(OutgoingRecord record, CancellationToken cancel) => detour is null
        ? WithinAsync(log.AppendAsync([record], cancel), AppendTimeMax, cancel)
        : AppendOrDetourAsync(detour, record, cancel);

    private async ValueTask AppendOrDetourAsync(EventDetour detour, OutgoingRecord record, CancellationToken cancel)
    {
        for (var isLast = false; ; isLast = true)
        {
            // While some of a service wait there, whoever took them in, later ones go behind them, or they would overtake.
            var goesBehind = await detour.GoesBehindAsync(record.OrderingKey, cancel);
            if (!goesBehind && await TryLogAsync(record, cancel)) return;
            try
            {
                await detour.TakeAsync(record, cancel);
                return;
            }
            catch (Exception fault) when (goesBehind && fault is (StoreUnavailableException or TimeoutException))
            {
                // It may be this process that was frozen for as long: so it asks once more whether the store is there. If not, those that
                // wait cannot be published either way: to be taken counts for more than to be in order.
                if (!isLast) continue;
                if (!await TryLogAsync(record, cancel)) throw;
                return;
            }
        }
    }

    private async ValueTask<bool> TryLogAsync(OutgoingRecord record, CancellationToken cancel)
    {
        if (TryEnter() is not { } permit) return false;
        try
        {
            await WithinAsync(log.AppendAsync([record], cancel), LogTimeMax, cancel);
            lock (_lock) _breaker.Succeeded(permit);
            return true;
        }
        catch (Exception fault) when (fault is LogUnavailableException or TimeoutException)
        {
            lock (_lock) _breaker.Failed(permit, Monotonic);
            return false;
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
