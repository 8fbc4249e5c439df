using System.Collections.Concurrent;

namespace Belfry.Postgres;

/// <summary>
/// Threads for works that block on their connection, so that these never hold threads of the pool on which everything else goes on. They
/// are made when needed, at most as many as there are connections; works queue only behind as many others.
/// </summary>
internal sealed class WorkThreads(int max) : IDisposable
{
    private readonly BlockingCollection<Action> _queue = [];
    private readonly Lock _lock = new();
    private int _threads;
    private int _running;

    /// <summary>Runs the synchronous part of the work on one of the threads; what it awaits goes on wherever it may.</summary>
    public async ValueTask<T> RunAsync<T>(Func<ValueTask<T>> work)
    {
        var started = new TaskCompletionSource<Task<T>>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            _queue.Add(() =>
            {
                try
                {
                    started.SetResult(work().AsTask());
                }
                catch (Exception exception)
                {
                    started.SetException(exception);
                }
            });
            _running++;
            if (_threads < Math.Min(max, _running)) StartOne_NeedsLock();
        }

        try
        {
            return await await started.Task;
        }
        finally
        {
            lock (_lock) _running--;
        }
    }

    public void Dispose() => _queue.CompleteAdding();

    private void StartOne_NeedsLock()
    {
        _threads++;
        new Thread(() =>
        {
            foreach (var work in _queue.GetConsumingEnumerable()) work();
        }) { IsBackground = true, Name = $"belfry-postgres-{_threads}" }.Start();
    }
}
