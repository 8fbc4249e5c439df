using Belfry.Log;
using Belfry.Outbox;
using Microsoft.Extensions.Logging;

namespace Belfry.Alerting.Events;

/// <summary>
/// Takes events in while the log is away: into the outbox, in a lane that all processes share, from which they are published once the
/// log is back, by whichever process is there. Knows which services have some of this process waiting there. Design section 6.
/// </summary>
public sealed partial class EventDetour(IOutboxStore store, IPartitionedLog log, TimeProvider time, ILogger logger)
{
    public const string Lane = "accepted-events";
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan OtherPublishes = TimeSpan.FromMilliseconds(200);

    // A lot that hangs keeps the lane from processes that could publish it.
    private static readonly TimeSpan LotTimeMax = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan BackoffMin = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan BackoffMax = TimeSpan.FromSeconds(5);

    private readonly OutboxRelay _relay = new(store, log, Lane, time, logger);
    private readonly DetourWriter _writer = new(store, Lane);
    private readonly Lock _lock = new();

    // Under the lock. By ordering key, the number of the newest write, 0 for what was there before; one entry a service at most.
    private readonly Dictionary<string, long> _newest = new(StringComparer.Ordinal);
    private bool _anyMayHave;
    private readonly SortedSet<long> _underWay = [];
    private long _writes;
    private TaskCompletionSource? _waiter;

    /// <summary>True while some of it may not be published yet.</summary>
    public bool HasSome(string orderingKey)
    {
        lock (_lock) return _anyMayHave || (_newest.Count > 0 && _newest.ContainsKey(orderingKey));
    }

    /// <summary>
    /// Learns what waits there, whoever left it: until the lane was seen empty, later events of those services go behind. Call before the
    /// first event is taken in.
    /// </summary>
    /// <exception cref="StoreUnavailableException">Retryable.</exception>
    public async ValueTask LookAsync(CancellationToken cancel)
    {
        var waiting = await store.PendingAsync(Lane, OutboxRelay.LotMax, cancel);
        lock (_lock)
        {
            // One look shows no more than a lot: behind that, any service may have some.
            _anyMayHave = waiting.Count >= OutboxRelay.LotMax;
            foreach (var message in waiting) _newest.TryAdd(message.Record.OrderingKey, 0);
        }
    }

    /// <summary>Completes once the event is durable in the outbox. What is cancelled may be written all the same.</summary>
    /// <exception cref="StoreUnavailableException">It may be there all the same.</exception>
    public async ValueTask TakeAsync(OutgoingRecord record, CancellationToken cancel)
    {
        var number = Begin(record.OrderingKey);
        await WriteAsync(record, number, cancel).OrCancelledAsync(cancel);
    }

    /// <summary>Publishes what waits, until cancelled; faults are retried.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        for (var faults = 0; !cancel.IsCancellationRequested;)
        {
            try
            {
                var ended = NewestEnded();
                using var late = new CancellationTokenSource(LotTimeMax, time);
                using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancel);
                var published = await _relay.PublishOnceAsync(either.Token);
                faults = 0;
                if (published is null) await Task.Delay(OtherPublishes, time, cancel);
                // A lot that is not full was the whole lane.
                if (published < OutboxRelay.LotMax) Forget(ended);
                if (published == 0) await WaitAsync(cancel);
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                return;
            }
            catch (Exception fault)
            {
                var backoff = TimeSpan.FromTicks(Math.Min(BackoffMax.Ticks, BackoffMin.Ticks << Math.Min(faults++, 10)));
                PublishingFailed(fault, Waiting, backoff);
                await PauseAsync(backoff, cancel);
            }
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
            End(number);
        }
    }

    private int Waiting
    {
        get
        {
            lock (_lock) return _newest.Count;
        }
    }

    private long Begin(string orderingKey)
    {
        lock (_lock)
        {
            _newest[orderingKey] = ++_writes;
            _underWay.Add(_writes);
            return _writes;
        }
    }

    private void End(long number)
    {
        lock (_lock)
        {
            _underWay.Remove(number);
            _waiter?.TrySetResult();
        }
    }

    /// <summary>All writes up to this one have ended: whatever they wrote is in the lane, or was published.</summary>
    private long NewestEnded()
    {
        lock (_lock) return _underWay.Count == 0 ? _writes : _underWay.Min - 1;
    }

    /// <summary>The lane was seen empty after those writes had ended.</summary>
    private void Forget(long ended)
    {
        lock (_lock)
        {
            _anyMayHave = false;
            foreach (var (key, newest) in _newest)
                if (newest <= ended) _newest.Remove(key);
        }
    }

    private async Task WaitAsync(CancellationToken cancel)
    {
        var waiter = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (_newest.Count > 0 && _underWay.Count == 0) return;
            _waiter = waiter;
        }

        await using (time.CreateTimer(
            static state => ((TaskCompletionSource)state!).TrySetResult(), waiter, LookAgain, Timeout.InfiniteTimeSpan))
        await using (cancel.UnsafeRegister(static state => ((TaskCompletionSource)state!).TrySetResult(), waiter))
            await waiter.Task;
        lock (_lock) _waiter = null;
    }

    private async Task PauseAsync(TimeSpan length, CancellationToken cancel)
    {
        try
        {
            await Task.Delay(length, time, cancel);
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
