using Belfry.Outbox;
using Belfry.Testing;

namespace Belfry.Sqlite.Tests;

public sealed class SqliteOutboxStoreTests : OutboxStoreSpec
{
    private readonly TempFolder _folder = new();
    private SqliteFile _file = null!;

    protected override async Task<IOutboxStore> OpenAsync()
    {
        _file = SqliteFile.Open(_folder.File);
        return await SqliteOutboxStore.OpenAsync(_file, default);
    }

    protected override async Task CloseAsync()
    {
        await _file.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_work_that_awaits_elsewhere_is_refused_and_writes_nothing()
    {
        var never = new TaskCompletionSource<bool>();
        var error = await Should.ThrowAsync<InvalidOperationException>(async () => await Store.WriteAsync(async tx =>
        {
            await tx.AddAsync("a", [Record("1")]);
            return await never.Task;
        }, default));
        error.Message.ShouldContain("complete synchronously");
        (await TextsAsync("a")).ShouldBeEmpty();
    }

    [Fact]
    public async Task Sequences_go_on_after_a_restart_of_an_emptied_lane()
    {
        await AddAsync("a", Record("1"));
        var before = (await Store.PendingAsync("a", 10, default)).Single().Sequence;
        await Store.DeleteAsync("a", [before], default);
        await _file.DisposeAsync();
        _file = SqliteFile.Open(_folder.File);
        var again = await SqliteOutboxStore.OpenAsync(_file, default);
        await again.WriteAsync(async tx =>
        {
            await tx.AddAsync("a", [Record("2")]);
            return true;
        }, default);
        (await again.PendingAsync("a", 10, default)).Single().Sequence.ShouldBeGreaterThan(before);
    }
}
