using Belfry.Log;
using Belfry.Outbox;

namespace Belfry.Alerting.Events;

/// <summary>
/// Writes events into a lane of the outbox: those that come while one transaction runs go into the next together, in the order in which
/// they came. One writes at a time; it belongs to no caller, so that nobody who gives up leaves the others waiting. Any thread.
/// </summary>
internal sealed class DetourWriter(IOutboxStore store, string lane)
{
    /// <summary>Most events of a transaction, and most bytes of them but for a single one.</summary>
    public const int LotMax = 500;
    private const int LotBytesMax = 4 << 20;

    /// <summary>Most that waits.</summary>
    private const int WaitingMax = 20_000;
    private const long WaitingBytesMax = 64 << 20;

    private readonly Lock _lock = new();

    // Under the lock.
    private readonly Queue<Waiting> _waiting = new();
    private long _waitingBytes;
    private bool _writing;

    /// <summary>Completes once the event is durable. Cancelling leaves behind one that has not gone out yet.</summary>
    /// <exception cref="StoreUnavailableException">It may be durable all the same; or too many wait already.</exception>
    public Task WriteAsync(OutgoingRecord record, CancellationToken cancel)
    {
        var waiting = new Waiting(record, cancel);
        lock (_lock)
        {
            if (_waiting.Count >= WaitingMax || _waitingBytes >= WaitingBytesMax)
                throw new StoreUnavailableException(
                    $"{_waiting.Count} events ({_waitingBytes} bytes) wait for the outbox, of at most {WaitingMax} " +
                    $"({WaitingBytesMax} bytes): the store is slower than they come.");
            _waiting.Enqueue(waiting);
            _waitingBytes += record.Value.Length;
            if (_writing) return waiting.Written.Task;
            _writing = true;
        }

        // Every fault goes to those whose events it befell, so the loop itself never fails.
        _ = WriteLotsAsync();
        return waiting.Written.Task;
    }

    private async Task WriteLotsAsync()
    {
        while (TakeLot() is { Count: > 0 } lot)
        {
            if (await TryWriteAsync(lot, last: lot.Count == 1)) continue;
            foreach (var one in lot) await TryWriteAsync([one], last: true);
        }
    }

    /// <summary>False: the fault may lie in one of them; nothing was written and nobody was told.</summary>
    private async ValueTask<bool> TryWriteAsync(List<Waiting> lot, bool last)
    {
        try
        {
            await store.WriteAsync(
                async tx =>
                {
                    await tx.AddAsync(lane, [.. lot.Select(waiting => waiting.Record)]);
                    return true;
                }, CancellationToken.None);
            foreach (var waiting in lot) waiting.Written.TrySetResult();
        }
        catch (Exception fault)
        {
            if (!last && fault is not StoreUnavailableException) return false;
            foreach (var waiting in lot) waiting.Written.TrySetException(fault);
        }

        return true;
    }

    /// <summary>Empty: nobody waits, and the next to come begins anew.</summary>
    private List<Waiting> TakeLot()
    {
        List<Waiting> lot = [];
        lock (_lock)
        {
            for (long bytes = 0; lot.Count < LotMax && _waiting.TryPeek(out var next);)
            {
                bytes += next.Record.Value.Length;
                if (lot.Count > 0 && bytes > LotBytesMax) break;
                _waiting.Dequeue();
                _waitingBytes -= next.Record.Value.Length;
                if (next.Cancel.IsCancellationRequested) next.Written.TrySetCanceled(next.Cancel);
                else lot.Add(next);
            }

            _writing = lot.Count > 0;
        }

        return lot;
    }

    private sealed record Waiting(OutgoingRecord Record, CancellationToken Cancel)
    {
        public TaskCompletionSource Written { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
