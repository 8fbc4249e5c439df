namespace Belfry.Log;

/// <summary>
/// Wakes one waiting loop; a wake-up with nobody waiting is kept for the next wait, and several count as one. Timers set it too, so a
/// loop has one thing to await. (Awaiting any of several tasks would hop to the thread pool, and out of the simulator.)
/// </summary>
internal sealed class WakeSignal
{
    private static readonly TimeSpan LongestTimer = TimeSpan.FromDays(1);

    private readonly Lock _lock = new();
    private TaskCompletionSource? _waiter;
    private bool _set;

    public void Set()
    {
        TaskCompletionSource waiter;
        lock (_lock)
        {
            if (_waiter is null)
            {
                _set = true;
                return;
            }

            waiter = _waiter;
            _waiter = null;
        }

        waiter.TrySetResult();
    }

    public Task WaitAsync()
    {
        lock (_lock)
        {
            if (_set)
            {
                _set = false;
                return Task.CompletedTask;
            }

            _waiter ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _waiter.Task;
        }
    }

    /// <summary>Waits for a wake-up, at most for <paramref name="length"/> or a day.</summary>
    public async Task WaitAsync(TimeProvider time, TimeSpan length)
    {
        if (length <= TimeSpan.Zero) return;
        if (length > LongestTimer) length = LongestTimer;
        await using var timer = time.CreateTimer(static signal => ((WakeSignal)signal!).Set(), this, length, Timeout.InfiniteTimeSpan);
        await WaitAsync();
    }
}
