using Belfry.Outbox;
using Belfry.Testing;

namespace Belfry.Sqlite.Tests;

public sealed class SqliteMemoryOutboxStoreTests : OutboxStoreSpec
{
    private readonly SqliteMemoryOutboxStore _store = new();

    protected override Task<IOutboxStore> OpenAsync() => Task.FromResult<IOutboxStore>(_store);

    protected override Task CloseAsync()
    {
        _store.Dispose();
        return Task.CompletedTask;
    }

    [Fact]
    public async Task Every_call_completes_on_the_calling_thread()
    {
        var thread = Environment.CurrentManagedThreadId;
        var write = _store.WriteAsync(async tx =>
        {
            await tx.AddAsync("a", [Record("1")]);
            return Environment.CurrentManagedThreadId;
        }, default).AsTask();
        write.IsCompletedSuccessfully.ShouldBeTrue();
        (await write).ShouldBe(thread);
        var read = _store.ReadAsync(c => ValueTask.FromResult(Environment.CurrentManagedThreadId), default).AsTask();
        read.IsCompletedSuccessfully.ShouldBeTrue();
        (await read).ShouldBe(thread);
        var pending = _store.PendingAsync("a", 10, default).AsTask();
        pending.IsCompletedSuccessfully.ShouldBeTrue();
        _store.DeleteAsync("a", [(await pending).Single().Sequence], default).AsTask().IsCompletedSuccessfully.ShouldBeTrue();
    }

    [Fact]
    public async Task A_clone_holds_what_its_template_held_and_neither_sees_the_others_writes()
    {
        await WriteAsync(tx => Insert(tx.Connection, 1, "one"));
        await AddAsync("a", Record("1"));
        using var clone = _store.Clone();
        await WriteAsync(tx => Insert(tx.Connection, 2, "two"));
        await clone.WriteAsync(tx =>
        {
            Insert(tx.Connection, 3, "three");
            Insert(tx.Connection, 4, "four");
            return ValueTask.FromResult(true);
        }, default);
        (await CountAsync()).ShouldBe(2);
        (await clone.ReadAsync(c => ValueTask.FromResult(Count(c)), default)).ShouldBe(3);
        (await clone.PendingAsync("a", 10, default)).Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_call_from_inside_a_work_is_refused()
    {
        await Should.ThrowAsync<InvalidOperationException>(async () => await _store.WriteAsync(
            _ => _store.WriteAsync(_ => ValueTask.FromResult(1), default), default));
        await WriteAsync(tx => Insert(tx.Connection, 1, "one"));
        (await CountAsync()).ShouldBe(1);
    }

    [Fact]
    public async Task A_work_that_awaits_elsewhere_is_refused_and_writes_nothing()
    {
        var never = new TaskCompletionSource<bool>();
        await Should.ThrowAsync<InvalidOperationException>(async () => await _store.WriteAsync(async tx =>
        {
            Insert(tx.Connection, 1, "one");
            return await never.Task;
        }, default));
        (await CountAsync()).ShouldBe(0);
    }

    [Fact]
    public async Task Hundreds_of_clones_are_made_and_dropped_without_trouble()
    {
        await AddAsync("a", Record("1"));
        for (var n = 0; n < 300; n++)
        {
            using var clone = _store.Clone();
            (await clone.PendingAsync("a", 10, default)).Count.ShouldBe(1);
        }
    }
}
