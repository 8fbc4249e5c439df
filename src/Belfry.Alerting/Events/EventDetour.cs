using Belfry.Log;
using Belfry.Outbox;
using Microsoft.Extensions.Logging;

namespace Belfry.Alerting.Events;

/// <summary>
/// Takes events in while the log is away: into the outbox, in a lane that all processes share, from which they are published once the
/// log is back, by whichever process is there. An event that was acknowledged before another one of its service was sent, to whichever
/// process, stands before it in the log (first copies; one may come again), as long as the store can be asked and all processes keep to
/// this: see <see cref="DetourWatch"/>. With the store away, what was left in the lane may be overtaken. Design section 6, and decision
/// 2026-11-27, "A lease on what was seen".
/// </summary>
public sealed partial class EventDetour
{
    public const string Lane = "accepted-events";

    /// <summary>From being durable to being acknowledged: after that, no view that does not show it counts. With room for clocks.</summary>
    internal static readonly TimeSpan KnownToAll = DetourWatch.ViewLife + TimeSpan.FromMilliseconds(50);

    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan OtherPublishes = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan BackoffMin = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan BackoffMax = TimeSpan.FromSeconds(5);
    private static readonly PendingKeys None = new(new HashSet<string>(), IsWhole: true);

    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly OutboxRelay _relay;
    private readonly DetourWriter _writer;
    private readonly DetourWatch _watch;
    private readonly Lock _lock = new();

    // Under the lock.
    private TaskCompletionSource? _waiter;

    public EventDetour(IOutboxStore store, IPartitionedLog log, TimeProvider time, ILogger logger)
    {
        (_time, _logger) = (time, logger);
        _relay = new OutboxRelay(store, log, Lane, time, logger);
        _writer = new DetourWriter(store, Lane);
        _watch = new DetourWatch(store, Lane, time, logger) { SomeWait = Poke };
    }

    /// <summary>True while some of it may not be published yet, by what was seen last.</summary>
    internal bool HasSome(string orderingKey) => _watch.HasSome(orderingKey);

    /// <summary>
    /// Where an event that has arrived goes first. At once, unless no event has come for a while, the store is slow, or its service's
    /// events that wait here will be published soon, for the log is there.
    /// </summary>
    internal ValueTask<EventWay> WayAsync(string orderingKey, Func<bool> logIsThere, CancellationToken cancel) =>
        _watch.WayAsync(orderingKey, logIsThere, cancel);

    /// <summary>Learns what waits there, whoever left it. Call before the first event is taken in.</summary>
    /// <exception cref="StoreUnavailableException">Retryable.</exception>
    public ValueTask LookAsync(CancellationToken cancel) => _watch.LookAsync(cancel);

    /// <summary>
    /// Completes once the event is durable in the outbox and every process knows that its service has some there, half a second later.
    /// What is cancelled may be written all the same.
    /// </summary>
    /// <param name="timeMax">Until it is durable; past it the store counts as away.</param>
    /// <exception cref="StoreUnavailableException">It may be there all the same.</exception>
    /// <exception cref="TimeoutException">Not durable in time. What is not on its way by then is not written any more.</exception>
    internal async ValueTask TakeAsync(OutgoingRecord record, TimeSpan timeMax, CancellationToken cancel)
    {
        await WriteWithinAsync(record, timeMax, cancel);
        await Task.Delay(KnownToAll, _time, cancel);
    }

    /// <summary>Publishes what waits, until cancelled; faults are retried.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        for (var faults = 0; !cancel.IsCancellationRequested;)
        {
            try
            {
                var mark = _watch.Mark();
                var published = await _relay.PublishOnceAsync(cancel);
                faults = 0;
                if (published is null) await Task.Delay(OtherPublishes, _time, cancel);
                // A lot that is not full was the whole lane.
                if (published < OutboxRelay.LotMax) _watch.Saw(mark, None);
                if (published == 0) await WaitAsync(cancel);
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                return;
            }
            catch (Exception fault)
            {
                var backoff = TimeSpan.FromTicks(Math.Min(BackoffMax.Ticks, BackoffMin.Ticks << Math.Min(faults++, 10)));
                PublishingFailed(fault, _watch.Ours, backoff);
                await PauseAsync(backoff, cancel);
            }
        }
    }

    private async ValueTask WriteWithinAsync(OutgoingRecord record, TimeSpan timeMax, CancellationToken cancel)
    {
        using var late = new CancellationTokenSource(timeMax, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancel);
        try
        {
            await WriteAsync(record, _watch.Begin(record.OrderingKey), either.Token).OrCancelledAsync(either.Token);
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested && !cancel.IsCancellationRequested)
        {
            throw new TimeoutException($"Not acknowledged within {timeMax}.");
        }
    }

    /// <summary>Ends with the write itself, not with the caller's patience.</summary>
    private async Task WriteAsync(OutgoingRecord record, long number, CancellationToken cancel)
    {
        try
        {
            await _writer.WriteAsync(record, cancel);
        }
        finally
        {
            _watch.End(record.OrderingKey, number);
            Poke();
        }
    }

    private void Poke()
    {
        lock (_lock) _waiter?.TrySetResult();
    }

    private async Task WaitAsync(CancellationToken cancel)
    {
        var waiter = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock) _waiter = waiter;
        if (_watch.HasOursAtRest) waiter.TrySetResult();
        await using (_time.CreateTimer(
            static state => ((TaskCompletionSource)state!).TrySetResult(), waiter, LookAgain, Timeout.InfiniteTimeSpan))
        await using (cancel.UnsafeRegister(static state => ((TaskCompletionSource)state!).TrySetResult(), waiter))
            await waiter.Task;
        lock (_lock) _waiter = null;
    }

    private async Task PauseAsync(TimeSpan length, CancellationToken cancel)
    {
        try
        {
            await Task.Delay(length, _time, cancel);
        }
        catch (OperationCanceledException)
        {
            // The loop looks at the token next.
        }
    }

    [LoggerMessage(
        121, LogLevel.Warning,
        "Events that were accepted without the log could not be published, {Services} services wait; again in {Backoff}")]
    private partial void PublishingFailed(Exception fault, int services, TimeSpan backoff);
}
