using System.Data.Common;
using System.Text;
using Belfry.Log;
using Belfry.Outbox;
using Shouldly;
using Xunit;

namespace Belfry.Testing;

/// <summary>What every <see cref="IOutboxStore"/> must do.</summary>
public abstract class OutboxStoreSpec : IAsyncLifetime
{
    /// <summary>The store under test, opened before each case.</summary>
    protected IOutboxStore Store { get; private set; } = null!;

    /// <summary>Opens an empty store. Called once a case.</summary>
    protected abstract Task<IOutboxStore> OpenAsync();

    /// <summary>Releases what <see cref="OpenAsync"/> made.</summary>
    protected virtual Task CloseAsync() => Task.CompletedTask;

    public virtual async Task InitializeAsync()
    {
        Store = await OpenAsync();
        await WriteAsync(tx => Execute(tx.Connection, "create table spec_row (id bigint primary key, note text not null)"));
    }

    public virtual Task DisposeAsync() => CloseAsync();

    [Fact]
    public virtual async Task A_lane_that_was_never_written_has_nothing_pending() =>
        (await Store.PendingAsync("a", 10, default)).ShouldBeEmpty();

    [Fact]
    public virtual async Task Rows_and_messages_of_one_transaction_are_there_together()
    {
        await Store.WriteAsync(async tx =>
        {
            Insert(tx.Connection, 1, "one");
            await tx.AddAsync("a", [Record("1")]);
            return true;
        }, default);
        (await CountAsync()).ShouldBe(1);
        (await TextsAsync("a")).ShouldBe(["1"]);
    }

    [Fact]
    public virtual async Task An_exception_of_the_work_comes_out_as_it_is_and_neither_row_nor_message_is_there()
    {
        var thrown = new InvalidOperationException("no");
        var caught = await Should.ThrowAsync<InvalidOperationException>(async () => await Store.WriteAsync<bool>(async tx =>
        {
            Insert(tx.Connection, 1, "one");
            await tx.AddAsync("a", [Record("1")]);
            throw thrown;
        }, default));
        caught.ShouldBeSameAs(thrown);
        (await CountAsync()).ShouldBe(0);
        (await TextsAsync("a")).ShouldBeEmpty();
    }

    [Fact]
    public virtual async Task A_store_goes_on_after_a_failed_statement()
    {
        await WriteAsync(tx => Insert(tx.Connection, 1, "one"));
        await Should.ThrowAsync<DbException>(() => WriteAsync(tx => Insert(tx.Connection, 1, "again")));
        await WriteAsync(tx => Insert(tx.Connection, 2, "two"));
        (await CountAsync()).ShouldBe(2);
    }

    [Fact]
    public virtual async Task The_result_of_the_work_comes_back() =>
        (await Store.WriteAsync(tx => ValueTask.FromResult(Count(tx.Connection) + 42), default)).ShouldBe(42);

    [Fact]
    public virtual async Task A_work_sees_its_own_rows_and_those_of_completed_writes()
    {
        await WriteAsync(tx => Insert(tx.Connection, 1, "one"));
        var seen = await Store.WriteAsync(tx =>
        {
            Insert(tx.Connection, 2, "two");
            return ValueTask.FromResult(Count(tx.Connection));
        }, default);
        seen.ShouldBe(2);
    }

    [Fact]
    public virtual async Task Messages_come_back_whole_and_in_order_of_adding()
    {
        KeyValuePair<string, string>[] headers = [new("trace", "00-ä\"1"), new("id", "")];
        await AddAsync("a", Record("1") with { Key = "own", Headers = headers, Value = new byte[] { 0, 1, 0, 255 } }, Record("2"));
        await AddAsync("a", Record("3") with { Value = ReadOnlyMemory<byte>.Empty });
        var pending = await Store.PendingAsync("a", 10, default);
        pending.Select(m => m.Sequence).ShouldBe(pending.Select(m => m.Sequence).Distinct().Order());
        var first = pending[0].Record;
        (first.Topic, first.OrderingKey, first.Key).ShouldBe(("orders", "k", "own"));
        first.Headers.ShouldBe(headers);
        first.Value.ToArray().ShouldBe([0, 1, 0, 255]);
        (pending[1].Record.Key, pending[1].Record.Headers.Count).ShouldBe((null, 0));
        pending.Select(m => m.Record.Value.Length).ShouldBe([4, 1, 0]);
    }

    [Fact]
    public virtual async Task Pending_returns_the_oldest_up_to_the_maximum()
    {
        await AddAsync("a", [.. Enumerable.Range(0, 10).Select(n => Record($"{n}"))]);
        (await Store.PendingAsync("a", 3, default)).Select(Text).ShouldBe(["0", "1", "2"]);
    }

    [Fact]
    public virtual async Task The_keys_that_wait_are_told_once_each_and_only_of_their_lane()
    {
        (await KeysAsync("a", 10)).ShouldBe(["whole"]);
        await AddAsync("a", Record("1") with { OrderingKey = "x" }, Record("2") with { OrderingKey = "y\\ä\0" });
        await AddAsync("a", Record("3") with { OrderingKey = "x" });
        await AddAsync("ab", Record("4") with { OrderingKey = "other" });
        (await KeysAsync("a", 10)).ShouldBe(["whole", "x", "y\\ä\0"]);
    }

    [Fact]
    public virtual async Task More_keys_than_were_asked_for_are_told_of()
    {
        await AddAsync("a", [.. Enumerable.Range(0, 5).Select(n => Record($"{n}") with { OrderingKey = $"k{n}" })]);
        (await Store.PendingKeysAsync("a", 5, default)).IsWhole.ShouldBeTrue();
        var some = await Store.PendingKeysAsync("a", 3, default);
        some.IsWhole.ShouldBeFalse();
        some.OrderingKeys.Count.ShouldBe(3);
        some.OrderingKeys.ShouldBeSubsetOf(["k0", "k1", "k2", "k3", "k4"]);
    }

    [Fact]
    public virtual async Task Many_messages_of_few_keys_are_seen_as_a_whole()
    {
        await AddAsync("a", [.. Enumerable.Range(0, 1_000).Select(n => Record($"{n}") with { OrderingKey = $"k{n / 500}" })]);
        (await KeysAsync("a", 2)).ShouldBe(["whole", "k0", "k1"]);
    }

    [Fact]
    public virtual async Task Keys_of_deleted_messages_wait_no_more()
    {
        await AddAsync("a", Record("1") with { OrderingKey = "x" }, Record("2") with { OrderingKey = "y" });
        var first = (await Store.PendingAsync("a", 1, default)).Single().Sequence;
        await Store.DeleteAsync("a", [first], default);
        (await KeysAsync("a", 10)).ShouldBe(["whole", "y"]);
    }

    [Fact]
    public virtual async Task Keys_are_seen_from_the_end_of_the_write_on_by_all_who_ask()
    {
        for (var n = 0; n < 20; n++)
        {
            await AddAsync("a", Record("1") with { OrderingKey = $"k{n}" });
            var seen = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => KeysAsync("a", 100)));
            foreach (var keys in seen) keys.Count.ShouldBe(n + 2);
        }
    }

    [Fact]
    public virtual async Task Lanes_are_kept_apart()
    {
        await AddAsync("a", Record("1"));
        await AddAsync("ab", Record("2"));
        await Store.DeleteAsync("a", [.. (await Store.PendingAsync("ab", 10, default)).Select(m => m.Sequence + 1000)], default);
        (await TextsAsync("a")).ShouldBe(["1"]);
        (await TextsAsync("ab")).ShouldBe(["2"]);
    }

    [Fact]
    public virtual async Task One_transaction_may_add_to_several_lanes_and_several_times()
    {
        await Store.WriteAsync(async tx =>
        {
            await tx.AddAsync("a", [Record("1")]);
            await tx.AddAsync("b", [Record("2")]);
            await tx.AddAsync("a", [Record("3")]);
            await tx.AddAsync("a", []);
            return true;
        }, default);
        (await TextsAsync("a")).ShouldBe(["1", "3"]);
        (await TextsAsync("b")).ShouldBe(["2"]);
    }

    [Fact]
    public virtual async Task Deleted_messages_are_gone_and_deleting_them_again_is_harmless()
    {
        await AddAsync("a", Record("1"), Record("2"), Record("3"));
        var pending = await Store.PendingAsync("a", 2, default);
        await Store.DeleteAsync("a", [.. pending.Select(m => m.Sequence)], default);
        await Store.DeleteAsync("a", [.. pending.Select(m => m.Sequence)], default);
        (await TextsAsync("a")).ShouldBe(["3"]);
    }

    [Fact]
    public virtual async Task Of_many_added_at_once_any_may_go_first()
    {
        await AddAsync("a", [.. Enumerable.Range(0, 200).Select(n => Record($"{n}") with
        {
            OrderingKey = $"k{n}", Key = n % 4 == 0 ? null : n % 4 == 1 ? "" : $"own{n}",
            Headers = n % 5 == 0 ? [] : [new("n", $"{n}"), new("", "")],
        })]);
        var pending = await Store.PendingAsync("a", 1_000, default);
        long[] gone = [.. pending.Where((_, n) => n % 3 == 0 || n is > 60 and < 140).Select(m => m.Sequence)];
        await Store.DeleteAsync("a", gone, default);
        pending.Select(m => (m.Record.OrderingKey, m.Record.Key)).Take(4)
            .ShouldBe([("k0", null), ("k1", ""), ("k2", "own2"), ("k3", "own3")]);
        (await Store.PendingAsync("a", 1_000, default)).ShouldBe(
            pending.Where(m => !gone.Contains(m.Sequence)), MessageComparer.Instance);
        await Store.DeleteAsync("a", [.. pending.Select(m => m.Sequence)], default);
        (await Store.PendingAsync("a", 1_000, default)).ShouldBeEmpty();
    }

    [Fact]
    public virtual async Task Sequences_go_on_growing_after_a_lane_was_emptied()
    {
        await AddAsync("a", Record("1"), Record("2"));
        var before = await Store.PendingAsync("a", 10, default);
        await Store.DeleteAsync("a", [.. before.Select(m => m.Sequence)], default);
        await AddAsync("a", Record("3"));
        (await Store.PendingAsync("a", 10, default)).Single().Sequence.ShouldBeGreaterThan(before[^1].Sequence);
    }

    [Fact]
    public virtual async Task Writers_side_by_side_lose_nothing_and_keep_the_order_of_each()
    {
        await Task.WhenAll(Enumerable.Range(0, 8).Select(async writer =>
        {
            for (var n = 0; n < 10; n++)
            {
                var number = (writer * 10) + n;
                await Store.WriteAsync(async tx =>
                {
                    Insert(tx.Connection, number, "x");
                    await tx.AddAsync($"lane-{writer}", [Record($"{n}")]);
                    return true;
                }, default);
            }
        }));
        (await CountAsync()).ShouldBe(80);
        for (var writer = 0; writer < 8; writer++)
            (await TextsAsync($"lane-{writer}")).ShouldBe(Enumerable.Range(0, 10).Select(n => $"{n}"));
    }

    [Fact]
    public virtual async Task A_transaction_kept_past_its_work_is_refused()
    {
        OutboxTransaction? kept = null;
        await WriteAsync(tx => kept = tx);
        await Should.ThrowAsync<InvalidOperationException>(async () => await kept!.AddAsync("a", [Record("1")]));
        (await TextsAsync("a")).ShouldBeEmpty();
    }

    [Fact]
    public virtual async Task A_call_that_was_cancelled_before_writes_nothing()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(async () => await Store.WriteAsync(tx =>
        {
            Insert(tx.Connection, 1, "one");
            return ValueTask.FromResult(true);
        }, cancelled.Token));
        (await CountAsync()).ShouldBe(0);
    }

    private sealed class MessageComparer : IEqualityComparer<OutboxMessage>
    {
        public static readonly MessageComparer Instance = new();

        public bool Equals(OutboxMessage? one, OutboxMessage? other) =>
            one!.Sequence == other!.Sequence && Text(one) == Text(other)
            && one.Record.Topic == other.Record.Topic && one.Record.OrderingKey == other.Record.OrderingKey
            && one.Record.Key == other.Record.Key
            && one.Record.Headers.SequenceEqual(other.Record.Headers);

        public int GetHashCode(OutboxMessage message) => message.Sequence.GetHashCode();
    }

    protected static OutgoingRecord Record(string value) =>
        new() { Topic = "orders", OrderingKey = "k", Value = Encoding.UTF8.GetBytes(value) };

    protected static void Insert(DbConnection connection, long id, string note) =>
        Execute(connection, $"insert into spec_row (id, note) values ({id}, '{note}')");

    protected static long Count(DbConnection connection)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "select count(*) from spec_row";
        return Convert.ToInt64(command.ExecuteScalar(), null);
    }

    protected async Task<long> CountAsync() => await Store.ReadAsync(connection => ValueTask.FromResult(Count(connection)), default);

    protected async Task WriteAsync(Action<OutboxTransaction> work) => await Store.WriteAsync(tx =>
    {
        work(tx);
        return ValueTask.FromResult(true);
    }, default);

    protected async Task AddAsync(string lane, params OutgoingRecord[] records) => await Store.WriteAsync(async tx =>
    {
        await tx.AddAsync(lane, records);
        return true;
    }, default);

    private async Task<List<string>> KeysAsync(string lane, int max)
    {
        var seen = await Store.PendingKeysAsync(lane, max, default);
        return [seen.IsWhole ? "whole" : "more", .. seen.OrderingKeys.Order(StringComparer.Ordinal)];
    }

    protected async Task<List<string>> TextsAsync(string lane) => [.. (await Store.PendingAsync(lane, 1000, default)).Select(Text)];

    private static string Text(OutboxMessage message) => Encoding.UTF8.GetString(message.Record.Value.Span);

    private static void Execute(DbConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
