using Belfry.Sqlite;

namespace Belfry.Server.Hosting;

/// <summary>
/// The threads that hops run on: as many as there are processors, behind those that answer senders when all are busy. An event that is
/// taken can wait; one that cannot be taken may be lost. What a hop awaits goes on here, since owners keep to their context.
/// </summary>
internal sealed class HopThreads : SynchronizationContext, IDisposable
{
    private readonly Queue<(SendOrPostCallback Callback, object? State)> _work = new();
    private readonly ILogger _logger;
    private bool _closed;

    public HopThreads(ILogger logger)
    {
        _logger = logger;
        for (var number = 1; number <= Math.Max(2, Environment.ProcessorCount); number++)
            new Thread(Loop) { IsBackground = true, Name = $"hops {number}" }.Start();
    }

    public override SynchronizationContext CreateCopy() => this;

    public override void Post(SendOrPostCallback d, object? state)
    {
        lock (_work)
        {
            if (!_closed)
            {
                _work.Enqueue((d, state));
                Monitor.Pulse(_work);
                return;
            }
        }

        // What ends after the threads must not be lost: its caller may wait for it.
        ThreadPool.QueueUserWorkItem(static work => work.Callback(work.State), (Callback: d, State: state), preferLocal: false);
    }

    /// <summary>Runs <paramref name="work"/> here from its first line on.</summary>
    public Task RunAsync(Func<Task> work)
    {
        var end = new TaskCompletionSource<Task>(TaskCreationOptions.RunContinuationsAsynchronously);
        Post(_ => end.SetResult(work()), null);
        return end.Task.Unwrap();
    }

    public void Dispose()
    {
        lock (_work)
        {
            _closed = true;
            Monitor.PulseAll(_work);
        }
    }

    private void Loop()
    {
        ThreadPriorities.StepBack();
        SetSynchronizationContext(this);
        while (Take() is { Callback: { } callback } work)
        {
            try
            {
                callback(work.State);
            }
            catch (Exception fault)
            {
                // An async void of a library, say: on a thread of the pool it would end the process.
                _logger.LogCritical(fault, "Work between hops threw; the hop it belonged to may hang. Restart the process.");
            }
        }
    }

    private (SendOrPostCallback? Callback, object? State) Take()
    {
        lock (_work)
        {
            while (true)
            {
                if (_work.TryDequeue(out var work)) return work;
                if (_closed) return default;
                Monitor.Wait(_work);
            }
        }
    }
}
