using Belfry.Log;

namespace Belfry.Deliveries;

/// <summary>
/// Turns single calls into batches: what arrives while one call of the store runs goes out with the next. No timer, so a lone call
/// waits for nobody. A batch holds a key once. What waits is bounded by the callers, each of which waits for its own item.
/// </summary>
internal sealed class Batcher<TItem, TResult>(
    Func<IReadOnlyList<TItem>, ValueTask<IReadOnlyList<TResult>>> run, Func<TItem, string> keyOf, int batchMax,
    Func<Exception, bool> isTransient)
{
    private readonly Lock _lock = new();
    private readonly LinkedList<Waiting> _waiting = new();
    private bool _running;

    /// <summary>
    /// The item's result, or the exception of the call that carried it. Cancelling leaves an item that has not gone out behind.
    /// </summary>
    public async ValueTask<TResult> AddAsync(TItem item, CancellationToken cancel)
    {
        var waiting = new Waiting(item, cancel);
        bool first;
        lock (_lock)
        {
            _waiting.AddLast(waiting);
            first = !_running;
            _running = true;
        }

        // Every fault of a batch goes to those who wait for it, so the pump itself never fails.
        if (first) _ = PumpAsync();
        return await waiting.Result.Task.OrCancelledAsync(cancel);
    }

    private async Task PumpAsync()
    {
        while (Take() is { Count: > 0 } batch)
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

    private List<Waiting> Take()
    {
        List<Waiting> batch = [];
        HashSet<string> keys = new(StringComparer.Ordinal);
        lock (_lock)
        {
            for (var node = _waiting.First; node is not null && batch.Count < batchMax;)
            {
                var next = node.Next;
                var waiting = node.Value;
                if (waiting.Cancel.IsCancellationRequested)
                {
                    _waiting.Remove(node);
                    waiting.Result.TrySetCanceled(waiting.Cancel);
                }
                else if (keys.Add(keyOf(waiting.Item)))
                {
                    _waiting.Remove(node);
                    batch.Add(waiting);
                }

                node = next;
            }

            _running = batch.Count > 0;
        }

        return batch;
    }

    private sealed record Waiting(TItem Item, CancellationToken Cancel)
    {
        public TaskCompletionSource<TResult> Result { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
