using Belfry.Deliveries;
using Belfry.Log;
using Belfry.Outbox;
using Belfry.Scheduling;
using Npgsql;

namespace Belfry.Postgres.Tests;

/// <summary>
/// What the stores make of a server that dies under them. One collection by itself: other tests would lose their connections too.
/// </summary>
[Collection(nameof(PostgresFaultTests))]
[CollectionDefinition(nameof(PostgresFaultTests), DisableParallelization = true)]
public sealed class PostgresFaultTests : IAsyncLifetime
{
    private static readonly TopicPartition Source = new("t", 0);
    private TestSchema _schema = null!;
    private PostgresOutboxStore _outbox = null!;

    public async Task InitializeAsync()
    {
        _schema = await TestSchema.CreateAsync();
        _outbox = new PostgresOutboxStore(_schema.Database);
        await _schema.RunAsync("create table spec_row (id bigint primary key)");
    }

    public async Task DisposeAsync() => await _schema.DisposeAsync();

    [Fact]
    public async Task A_backend_killed_in_a_write_makes_the_store_unavailable_and_it_recovers()
    {
        var stores = await StoresAsync();
        await Should.ThrowAsync<StoreUnavailableException>(async () => await _outbox.WriteAsync(async tx =>
        {
            await tx.AddAsync("a", [Record("lost")]);
            await _schema.Server.KillBackendAsync((int)Scalar(tx, "select pg_backend_pid()"));
            await tx.AddAsync("a", [Record("never")]);
            return true;
        }, default));
        await _schema.Server.WaitUntilReadyAsync();
        await AllWriteAsync(stores);
        (await _outbox.PendingAsync("a", 10, default)).Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_server_restarted_in_a_write_makes_the_store_unavailable_and_what_was_committed_is_there()
    {
        var stores = await StoresAsync();
        await AllWriteAsync(stores);
        await Should.ThrowAsync<StoreUnavailableException>(async () => await _outbox.WriteAsync(async tx =>
        {
            await tx.AddAsync("a", [Record("lost")]);
            await _schema.Server.RestartAsync();
            await tx.AddAsync("a", [Record("never")]);
            return true;
        }, default));

        // Idle connections of the pool are dead, and nobody has told it: a call may meet one, and is to be repeated.
        await AllWriteAsync(stores);
        (await _outbox.PendingAsync("a", 10, default)).Count.ShouldBe(2);
    }

    [Fact]
    public async Task Dead_connections_make_each_store_unavailable_in_its_own_words()
    {
        var stores = await StoresAsync();
        await FaultsAsync<StoreUnavailableException>(stores, () => stores.Tasks.ApplyAsync(stores.Batch, default));
        await FaultsAsync<StoreUnavailableException>(stores, async () => await stores.Deliveries.CountDeadAsync(null, default));
        await FaultsAsync<LogUnavailableException>(stores, async () => await stores.Parked.LoadAsync("g", Source, 0, 1, default));
        await AllWriteAsync(stores);
    }

    [Fact]
    public async Task A_server_that_is_not_there_makes_the_store_unavailable()
    {
        await using var nowhere = PostgresDatabase.Open(
            new PostgresOptions { ConnectionString = "Host=127.0.0.1;Port=1;Username=x", WaitMax = TimeSpan.FromSeconds(2) });
        await Should.ThrowAsync<StoreUnavailableException>(
            async () => await new PostgresOutboxStore(nowhere).PendingAsync("a", 1, default));
        await Should.ThrowAsync<StoreUnavailableException>(
            async () => await PostgresSchema.MigrateAsync(nowhere.Options, default));
    }

    [Fact]
    public async Task A_transaction_left_idle_is_ended_by_the_server_and_a_new_owner_gets_in()
    {
        await using var schema = await TestSchema.CreateAsync();
        await using var hasty = PostgresDatabase.Open(schema.Options with { IdleInTransactionMax = TimeSpan.FromSeconds(2) });
        var source = new TaskPartition(Source, 1);
        var tasks = new PostgresTaskStore(schema.Database);
        var epoch = (await tasks.TakeOverAsync(source, default)).Epoch;
        var holds = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var frozen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var old = hasty.WriteAsync(async connection =>
        {
            await connection.Statement("update task_owner set position = 9").RunAsync(default);
            holds.SetResult();
            await frozen.Task;
            return true;
        }, default).AsTask();

        // Where it stood still for too long before, it has ended already.
        await Task.WhenAny(holds.Task, old);
        await using var other = schema.OpenAnother();
        (await new PostgresTaskStore(other).TakeOverAsync(source, default)).Epoch.ShouldBeGreaterThan(epoch);
        frozen.SetResult();
        await Should.ThrowAsync<StoreUnavailableException>(() => old);
        (await tasks.TakeOverAsync(source, default)).Position.ShouldBe(0);
    }

    [Fact]
    public async Task A_column_whose_type_changes_under_a_prepared_statement_fails_no_write_and_a_read_as_retryable()
    {
        await using var narrow = PostgresDatabase.Open(_schema.Options with { ConnectionsMax = 1 });
        await _schema.RunAsync("create table changing (n integer); insert into changing values (7)");
        ValueTask<long> WriteAsync() => narrow.WriteAsync(NumberAsync, default);
        ValueTask<long> ReadAsync() => narrow.ReadAsync(NumberAsync, default);

        // It is prepared from the second run on.
        for (var run = 1; run <= 3; run++) (await WriteAsync()).ShouldBe(7);
        await _schema.RunAsync("alter table changing alter n type bigint");
        (await WriteAsync()).ShouldBe(7);
        for (var run = 1; run <= 3; run++) (await ReadAsync()).ShouldBe(7);
        await _schema.RunAsync("alter table changing alter n type integer");
        (await Should.ThrowAsync<StoreUnavailableException>(async () => await ReadAsync())).Message.ShouldContain("cached plan");
        (await ReadAsync()).ShouldBe(7);

        static async ValueTask<long> NumberAsync(NpgsqlConnection connection) =>
            Convert.ToInt64(await connection.Statement("select n from changing").ExecuteScalarAsync(), null);
    }

    [Fact]
    public async Task What_the_server_does_not_support_is_no_conflict()
    {
        var runs = 0;
        var refused = await Should.ThrowAsync<PostgresException>(async () => await _schema.Database.WriteAsync(async connection =>
        {
            runs++;
            return await connection.Statement("select count(*) over () from spec_row for update").ExecuteScalarAsync();
        }, default));
        refused.SqlState.ShouldBe(PostgresErrorCodes.FeatureNotSupported);
        runs.ShouldBe(1);
    }

    [Fact]
    public async Task A_cancelled_call_is_a_cancelled_call_and_gives_its_connection_back()
    {
        await using var narrow = PostgresDatabase.Open(_schema.Options with { ConnectionsMax = 1 });
        using var cancel = new CancellationTokenSource();
        var sleeping = narrow.WriteAsync(async connection =>
        {
            cancel.CancelAfter(100);
            await connection.Statement("select pg_sleep(60)").RunAsync(cancel.Token);
            return true;
        }, cancel.Token);
        await Should.ThrowAsync<OperationCanceledException>(async () => await sleeping);
        (await new PostgresOutboxStore(narrow).PendingAsync("a", 1, default)).ShouldBeEmpty();
    }

    private async Task FaultsAsync<TFault>(Stores stores, Func<ValueTask> call) where TFault : Exception
    {
        await AllWriteAsync(stores);
        await _schema.Server.RestartAsync();
        await Should.ThrowAsync<TFault>(async () => await call());
    }

    private async Task<Stores> StoresAsync()
    {
        var tasks = new PostgresTaskStore(_schema.Database);
        var partition = new TaskPartition(Source, 1);
        var epoch = (await tasks.TakeOverAsync(partition, default)).Epoch;
        var deliveries = new PostgresDeliveryStore(_schema.Database);
        var parked = new PostgresParkedRecordStore(_schema.Database);
        return new Stores(
            tasks, new TaskBatch { Partition = partition, Epoch = epoch, Position = 7 }, deliveries,
            new DeliveryFence("g", Source, await deliveries.TakeOverAsync("g", Source, default)), parked,
            await parked.TakeOverAsync("g", Source, default));
    }

    /// <summary>Each store until its call goes through: the pool may hold dead connections, at most as many as it may have.</summary>
    private async Task AllWriteAsync(Stores stores)
    {
        await RepeatAsync(() => stores.Tasks.ApplyAsync(stores.Batch, default));
        await RepeatAsync(async () => await stores.Deliveries.ClaimAsync(stores.Fence, [], default, default));
        await RepeatAsync(() => stores.Parked.ApplyAsync("g", Source, stores.ParkedEpoch, [], [1], default));
        await RepeatAsync(async () => await _outbox.WriteAsync(async tx =>
        {
            await tx.AddAsync("a", [Record("1")]);
            return true;
        }, default));
    }

    private async Task RepeatAsync(Func<ValueTask> call)
    {
        for (var faults = 0; ; faults++)
        {
            try
            {
                await call();
                return;
            }
            catch (Exception fault) when (fault is StoreUnavailableException or LogUnavailableException
                && faults < _schema.Options.ConnectionsMax)
            {
                await _schema.Server.WaitUntilReadyAsync();
            }
        }
    }

    private static OutgoingRecord Record(string value) =>
        new() { Topic = "t", OrderingKey = "k", Value = System.Text.Encoding.UTF8.GetBytes(value) };

    private static long Scalar(OutboxTransaction tx, string sql)
    {
        using var command = tx.Connection.CreateCommand();
        command.CommandText = sql;
        return Convert.ToInt64(command.ExecuteScalar(), null);
    }

    private sealed record Stores(
        PostgresTaskStore Tasks, TaskBatch Batch, PostgresDeliveryStore Deliveries, DeliveryFence Fence, PostgresParkedRecordStore Parked,
        long ParkedEpoch);
}
