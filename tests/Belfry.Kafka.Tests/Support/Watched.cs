namespace Belfry.Kafka.Tests;

/// <summary>What happened so far, in its order, for a test that waits until enough has. Any thread.</summary>
internal sealed class Watched<T>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly Lock _lock = new();
    private readonly List<T> _items = [];
    private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public IReadOnlyList<T> Items
    {
        get
        {
            lock (_lock) return [.. _items];
        }
    }

    public void Add(T item)
    {
        TaskCompletionSource more;
        lock (_lock)
        {
            _items.Add(item);
            (more, _more) = (_more, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        more.SetResult();
    }

    public async Task UntilAsync(Func<IReadOnlyList<T>, bool> reached)
    {
        while (true)
        {
            Task more;
            lock (_lock)
            {
                if (reached(_items)) return;
                more = _more.Task;
            }

            try
            {
                await more.WaitAsync(Patience, TimeProvider.System);
            }
            catch (TimeoutException)
            {
                throw new TimeoutException($"Not reached; so far: {string.Join(", ", Items)}");
            }
        }
    }
}
