namespace Belfry.Sqlite.Tests;

public sealed class SqliteReadersTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_read_that_still_waits_when_all_are_closed_can_be_given_up()
    {
        await SqliteFile.Open(_folder.File).DisposeAsync();
        var readers = new SqliteReaders(_folder.File, new SqliteFileOptions { Readers = 1, QueueWaitMax = TimeSpan.FromHours(1) });
        using var free = new ManualResetEventSlim();
        var running = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var first = readers.ReadAsync(_ =>
        {
            running.SetResult();
            return free.Wait(Patience);
        }, default).AsTask();
        await running.Task.WaitAsync(Patience);

        var closing = readers.DisposeAsync().AsTask();
        using var givenUp = new CancellationTokenSource();
        var late = readers.ReadAsync(_ => true, givenUp.Token).AsTask();
        free.Set();
        (await first).ShouldBeTrue();
        await closing.WaitAsync(Patience);
        late.IsCompleted.ShouldBeFalse();
        await givenUp.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(late.WaitAsync(Patience));
    }
}
