using Belfry.Log;

namespace Belfry.Deliveries;

/// <summary>
/// Turns single calls into batches: what arrives while as many calls of the store run as may goes out with the next. No timer, so a lone
/// call waits for nobody. A key is in one call at a time, and once. What waits is bounded by the callers, each of which waits for its own
/// item.
/// </summary>
internal sealed class Batcher<TItem, TResult>(
    Func<IReadOnlyList<TItem>, ValueTask<IReadOnlyList<TResult>>> run, Func<TItem, string> keyOf, int batchMax, int runningMax,
    Func<Exception, bool> isTransient)
{
    private readonly Lock _lock = new();
    private readonly LinkedList<Waiting> _waiting = new();
    private readonly HashSet<string> _out = new(StringComparer.Ordinal);
    private int _running;

    /// <summary>
    /// The item's result, or the exception of the call that carried it. Cancelling leaves an item that has not gone out behind.
    /// </summary>
    public async ValueTask<TResult> AddAsync(TItem item, CancellationToken cancel)
    {
        var waiting = new Waiting(item, cancel);
        bool mayRun;
        lock (_lock)
        {
            _waiting.AddLast(waiting);
            mayRun = _running < runningMax;
            if (mayRun) _running++;
        }

        // Every fault of a batch goes to those who wait for it, so the pump itself never fails.
        if (mayRun) _ = PumpAsync();
        return await waiting.Result.Task.OrCancelledAsync(cancel);
    }

    private async Task PumpAsync()
    {
        List<Waiting> batch = [];
        while ((batch = Next(batch)).Count > 0)
        {
            if (await RunAsync(batch, batch.Count == 1)) continue;
            foreach (var one in batch) await RunAsync([one], last: true);
        }
    }

    /// <summary>False: the batch failed for a reason that may lie in one item; nothing was told to anybody.</summary>
    private async ValueTask<bool> RunAsync(List<Waiting> batch, bool last)
    {
        try
        {
            var results = await run([.. batch.Select(w => w.Item)]);
            for (var i = 0; i < batch.Count; i++) batch[i].Result.TrySetResult(results[i]);
        }
        catch (Exception fault)
        {
            if (!last && fault is not OwnershipLostException && !isTransient(fault)) return false;
            foreach (var waiting in batch) waiting.Result.TrySetException(fault);
        }

        return true;
    }

    /// <summary>What goes out after <paramref name="done"/>; empty: nothing, and the pump has ended.</summary>
    private List<Waiting> Next(List<Waiting> done)
    {
        List<Waiting> batch = [];
        lock (_lock)
        {
            foreach (var waiting in done) _out.Remove(keyOf(waiting.Item));
            for (var node = _waiting.First; node is not null && batch.Count < batchMax;)
            {
                var next = node.Next;
                var waiting = node.Value;
                if (waiting.Cancel.IsCancellationRequested)
                {
                    _waiting.Remove(node);
                    waiting.Result.TrySetCanceled(waiting.Cancel);
                }
                else if (_out.Add(keyOf(waiting.Item)))
                {
                    _waiting.Remove(node);
                    batch.Add(waiting);
                }

                node = next;
            }

            if (batch.Count == 0) _running--;
        }

        return batch;
    }

    private sealed record Waiting(TItem Item, CancellationToken Cancel)
    {
        public TaskCompletionSource<TResult> Result { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
