using System.Collections.Concurrent;

namespace Belfry.Kafka;

/// <summary>
/// A thread of its own that runs what is posted to it, in order. It may block: in the client, and in a rebalance handler, where it goes on
/// serving until what it waits for has come.
/// </summary>
internal sealed class PollThread(string name)
{
    private readonly BlockingCollection<Action> _posted = [];
    private readonly Lock _lock = new();
    private Thread? _thread;

    /// <summary>Runs it on the thread, which starts with the first. Must not throw.</summary>
    public void Post(Action call)
    {
        Start();
        _posted.Add(call);
    }

    /// <summary>As <see cref="Post"/>, but does nothing on a thread that is complete.</summary>
    public void TryPost(Action call)
    {
        try
        {
            Post(call);
        }
        catch (InvalidOperationException)
        {
            // It ends, and with it whatever the call was for.
        }
    }

    /// <summary>As <see cref="Post"/>; the task ends as the call does, and goes on elsewhere.</summary>
    public Task RunAsync(Action call)
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Post(() =>
        {
            try
            {
                call();
                ended.SetResult();
            }
            catch (Exception fault)
            {
                ended.SetException(fault);
            }
        });
        return ended.Task;
    }

    /// <summary>On the thread: runs what is posted until <paramref name="done"/>, which only a posted call can bring about.</summary>
    public void ServeUntil(Func<bool> done)
    {
        while (!done()) _posted.Take()();
    }

    /// <summary>Ends the thread once all that was posted has run.</summary>
    public void Complete() => _posted.CompleteAdding();

    private void Start()
    {
        lock (_lock)
        {
            if (_thread is not null) return;
            _thread = new Thread(Run) { IsBackground = true, Name = name };
            _thread.Start();
        }
    }

    private void Run()
    {
        // Not disposed of at the end: whoever completes it may still be doing so, and it holds nothing but memory.
        foreach (var call in _posted.GetConsumingEnumerable()) call();
    }
}
