namespace Belfry.Log;

/// <summary>
/// Waiting for a task or something else, on the caller's own context. The framework's <c>WaitAsync</c> and <c>WhenAny</c> go on through
/// the thread pool where the task's source runs continuations asynchronously, which leaves the simulator's hands.
/// </summary>
public static class TaskWaits
{
    /// <summary>The task's end, or the cancellation, whichever comes first. The task goes on by itself.</summary>
    /// <exception cref="OperationCanceledException">Cancelled first.</exception>
    public static async Task<T> OrCancelledAsync<T>(this Task<T> task, CancellationToken cancel)
    {
        await ((Task)task).OrCancelledAsync(cancel);
        return await task;
    }

    /// <inheritdoc cref="OrCancelledAsync{T}"/>
    public static async Task OrCancelledAsync(this Task task, CancellationToken cancel)
    {
        if (!task.IsCompleted && cancel.CanBeCanceled)
        {
            var either = new TaskCompletionSource();
            task.GetAwaiter().OnCompleted(() =>
            {
                _ = task.Exception;
                either.TrySetResult();
            });
            await using (cancel.UnsafeRegister(static source => ((TaskCompletionSource)source!).TrySetResult(), either))
                await either.Task;
            if (!task.IsCompleted) cancel.ThrowIfCancellationRequested();
        }

        await task;
    }

    /// <summary>Completes when one of the two has ended, however; throws nothing of theirs.</summary>
    public static Task EitherAsync(Task one, Task other) => Task.WhenAny(EndedAsync(one), EndedAsync(other));

    private static async Task EndedAsync(Task task)
    {
        try
        {
            await task;
        }
        catch (Exception) when (task.IsCompleted)
        {
            // Whoever asked for the task looks at how it ended.
        }
    }
}
