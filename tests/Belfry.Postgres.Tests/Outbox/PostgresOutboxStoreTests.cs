using Belfry.Outbox;
using Belfry.Testing;
using Npgsql;

namespace Belfry.Postgres.Tests;

public sealed class PostgresOutboxStoreTests : OutboxStoreSpec
{
    private TestSchema? _schema;

    [Fact]
    public async Task A_work_may_await_its_connection()
    {
        await Store.WriteAsync(async tx =>
        {
            await using var command = tx.Connection.CreateCommand();
            command.CommandText = "insert into spec_row (id, note) values (1, 'one')";
            await command.ExecuteNonQueryAsync();
            await Task.Yield();
            await tx.AddAsync("a", [Record("1")]);
            return true;
        }, default);
        (await CountAsync()).ShouldBe(1);
        (await TextsAsync("a")).ShouldBe(["1"]);
    }

    [Fact]
    public async Task A_work_that_swallowed_a_failed_statement_is_not_told_that_it_was_written()
    {
        await WriteAsync(tx => Insert(tx.Connection, 1, "one"));
        await Should.ThrowAsync<InvalidOperationException>(() => WriteAsync(tx =>
        {
            Insert(tx.Connection, 2, "two");
            Should.Throw<PostgresException>(() => Insert(tx.Connection, 1, "again"));
        }));
        (await CountAsync()).ShouldBe(1);
    }

    [Fact]
    public async Task A_unique_violation_comes_out_as_it_is()
    {
        await WriteAsync(tx => Insert(tx.Connection, 1, "one"));
        var fault = await Should.ThrowAsync<PostgresException>(() => WriteAsync(tx => Insert(tx.Connection, 1, "again")));
        fault.SqlState.ShouldBe(PostgresErrorCodes.UniqueViolation);
    }

    [Fact]
    public async Task Of_two_works_that_lock_each_other_out_both_are_written_in_the_end()
    {
        await WriteAsync(tx =>
        {
            Insert(tx.Connection, 1, "");
            Insert(tx.Connection, 2, "");
        });
        using var both = new Barrier(2);
        var runs = 0;
        await Task.WhenAll(LockAsync(1, 2), LockAsync(2, 1));

        // Once as a rule. Where the one that runs again is back before the other one has gone on, they meet again: each conflict costs one
        // run, and a work that had lost all its tries would have thrown.
        var conflicts = _schema!.Database.Conflicts;
        conflicts.ShouldBeGreaterThanOrEqualTo(1);
        ((long)runs).ShouldBe(2 + conflicts);
        (await _schema.ScalarAsync<long>("select sum(length(note)) from spec_row")).ShouldBe(4);

        Task LockAsync(int first, int second) => WriteAsync(tx =>
        {
            Append(first);

            // Only the first runs wait for each other: whoever runs again may find the other one gone.
            if (Interlocked.Increment(ref runs) <= 2) both.SignalAndWait();
            Append(second);

            void Append(int id)
            {
                using var command = tx.Connection.CreateCommand();
                command.CommandText = $"update spec_row set note = note || 'x' where id = {id}";
                command.ExecuteNonQuery();
            }
        });
    }

    [Fact]
    public async Task A_read_is_one_snapshot()
    {
        await WriteAsync(tx => Insert(tx.Connection, 1, "one"));
        var (before, after) = await Store.ReadAsync(connection =>
        {
            var count = Count(connection);
            using var meanwhile = new NpgsqlConnection(_schema!.Options.Unpooled().ToString());
            meanwhile.Open();
            Insert(meanwhile, 2, "two");
            return ValueTask.FromResult((count, Count(connection)));
        }, default);
        (before, after).ShouldBe((1, 1));
        (await CountAsync()).ShouldBe(2);
    }

    [Fact]
    public async Task A_pool_that_stays_busy_is_told_with_its_knob()
    {
        await using var narrow = PostgresDatabase.Open(_schema!.Options with
        {
            ConnectionsMax = 1, WaitMax = TimeSpan.FromSeconds(1), OpenMax = TimeSpan.FromMinutes(1),
        });
        var store = new PostgresOutboxStore(narrow);
        using var started = new SemaphoreSlim(0);
        using var end = new SemaphoreSlim(0);
        var busy = store.ReadAsync(connection =>
        {
            started.Release();
            end.Wait();
            return ValueTask.FromResult(true);
        }, default).AsTask();
        await started.WaitAsync();
        var fault = await Should.ThrowAsync<StoreUnavailableException>(async () => await store.PendingAsync("a", 1, default));
        fault.Message.ShouldContain(nameof(PostgresOptions.ConnectionsMax));
        end.Release();
        (await busy).ShouldBeTrue();
    }

    [Fact]
    public async Task The_keys_of_a_lane_are_told_while_the_pool_is_busy_and_after_their_session_was_ended()
    {
        await AddAsync("a", Record("1"));
        await using var narrow = PostgresDatabase.Open(_schema!.Options with { ConnectionsMax = 1 });
        IOutboxStore store = new PostgresOutboxStore(narrow);
        using var started = new SemaphoreSlim(0);
        using var end = new SemaphoreSlim(0);
        var busy = store.ReadAsync(connection =>
        {
            started.Release();
            end.Wait();
            return ValueTask.FromResult(true);
        }, default).AsTask();
        await started.WaitAsync();
        (await store.PendingKeysAsync("a", 10, default)).OrderingKeys.ShouldBe(["k"]);
        var ended = await _schema.ScalarAsync<long>("""
            select count(pg_terminate_backend(pid)) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid() and query like '%group by ordering_key%'
            """);
        ended.ShouldBeGreaterThanOrEqualTo(1);
        (await store.PendingKeysAsync("a", 10, default)).OrderingKeys.ShouldBe(["k"]);
        end.Release();
        (await busy).ShouldBeTrue();
    }

    [Fact]
    public async Task Who_gives_up_on_the_keys_of_a_lane_is_let_go_at_once_and_the_next_one_is_answered()
    {
        await AddAsync("a", Record("1"));
        (await Store.PendingKeysAsync("a", 10, default)).OrderingKeys.ShouldBe(["k"]);
        await using var blocking = new NpgsqlConnection(_schema!.Options.Unpooled().ToString());
        await blocking.OpenAsync();
        await using var transaction = await blocking.BeginTransactionAsync();
        await using (var command = new NpgsqlCommand("lock table outbox_lane in access exclusive mode", blocking))
            await command.ExecuteNonQueryAsync();
        using var patience = new CancellationTokenSource();
        var asking = Store.PendingKeysAsync("a", 10, patience.Token).AsTask();
        await patience.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => asking);
        await transaction.RollbackAsync();
        (await Store.PendingKeysAsync("a", 10, default)).OrderingKeys.ShouldBe(["k"]);
    }

    [Fact]
    public async Task The_keys_of_a_lane_are_found_by_its_index()
    {
        await _schema!.RunAsync("""
            insert into outbox_lane (name, next_sequence) values ('a', 1), ('b', 1);
            insert into outbox_message (lane_id, sequence, topic, ordering_key, value)
                select (select id from outbox_lane where name = 'b'), n, 't', 'k', '\x00' from generate_series(1, 20000) n;
            analyze outbox_message, outbox_lane;
            """);
        await using var connection = new NpgsqlConnection(_schema.Options.Unpooled().ToString());
        await connection.OpenAsync();
        await using var explain = new NpgsqlCommand("explain " + OutboxTables.PendingKeysText, connection);
        explain.Parameters.Add(PostgresCommands.Of("b"));
        explain.Parameters.Add(PostgresCommands.Of(500));
        explain.Parameters.Add(PostgresCommands.Of(100));
        var plan = new List<string>();
        await using var reader = await explain.ExecuteReaderAsync();
        while (await reader.ReadAsync()) plan.Add(reader.GetString(0));
        string.Join("\n", plan).ShouldContain("Index Scan using outbox_message_pkey");
    }

    [Fact]
    public async Task Works_that_block_hold_up_no_thread_of_the_pool()
    {
        var onPool = await Store.WriteAsync(_ => ValueTask.FromResult(Thread.CurrentThread.IsThreadPoolThread), default);
        onPool.ShouldBeFalse();
        (await Store.ReadAsync(_ => ValueTask.FromResult(Thread.CurrentThread.IsThreadPoolThread), default)).ShouldBeFalse();
    }

    protected override async Task<IOutboxStore> OpenAsync()
    {
        _schema = await TestSchema.CreateAsync(options => options with { LookMax = TimeSpan.FromMinutes(1) });
        return new PostgresOutboxStore(_schema.Database);
    }

    protected override async Task CloseAsync()
    {
        if (_schema is not null) await _schema.DisposeAsync();
    }
}
