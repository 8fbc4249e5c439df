namespace Belfry.Server.Security;

/// <summary>Bounds the costly computation of password hashes, so that a flood of sign-ins cannot take all cores from paging.</summary>
internal sealed class PasswordWork(int atATime, int waitingMax)
{
    private readonly SemaphoreSlim _slots = new(atATime);
    private int _inside;

    /// <summary>Null: too many wait already; nothing was computed.</summary>
    public async ValueTask<bool?> RunAsync(Func<bool> work, CancellationToken cancel) =>
        await EnterAsync(work, cancel) is (true, var value) ? value : null;

    /// <summary>Null: too many wait already; nothing was computed.</summary>
    public async ValueTask<string?> RunAsync(Func<string> work, CancellationToken cancel) =>
        await EnterAsync(work, cancel) is (true, var value) ? value : null;

    private async ValueTask<(bool Ran, T? Value)> EnterAsync<T>(Func<T> work, CancellationToken cancel)
    {
        try
        {
            if (Interlocked.Increment(ref _inside) > atATime + waitingMax) return (false, default);
            await _slots.WaitAsync(cancel);
            try
            {
                return (true, await Task.Run(work, cancel));
            }
            finally
            {
                _slots.Release();
            }
        }
        finally
        {
            Interlocked.Decrement(ref _inside);
        }
    }
}
