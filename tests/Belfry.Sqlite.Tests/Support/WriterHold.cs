namespace Belfry.Sqlite.Tests;

/// <summary>Keeps a file's writer busy inside an item, so that what comes next waits together, and is one lot.</summary>
internal sealed class WriterHold : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly ManualResetEventSlim _free = new();

    private WriterHold()
    {
    }

    public Task Item { get; private set; } = Task.CompletedTask;

    /// <summary>Returns once the writer is in it.</summary>
    public static async Task<WriterHold> TakeAsync(SqliteFile file)
    {
        var hold = new WriterHold();
        var running = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        hold.Item = file.WriteAsync(_ =>
        {
            running.SetResult();
            hold._free.Wait(Patience);
            return 0;
        }, default).AsTask();
        await running.Task.WaitAsync(Patience);
        return hold;
    }

    public void Release() => _free.Set();

    public void Dispose() => _free.Set();
}
