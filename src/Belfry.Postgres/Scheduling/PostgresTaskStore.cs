using Belfry.Log;
using Belfry.Scheduling;
using Npgsql;
using static Belfry.Postgres.PostgresCommands;

namespace Belfry.Postgres;

/// <summary>
/// The task store in a PostgreSQL database. A batch is one to three round trips and its commit. Safe for use by several threads. Faults of
/// the server come out as <see cref="Outbox.StoreUnavailableException"/>.
/// </summary>
public sealed class PostgresTaskStore(PostgresDatabase database) : ITaskStore
{
    /// <summary>Of the advisory lock under which an index is made: <c>if not exists</c> alone may collide with itself.</summary>
    private const long IndexLockKey = 0x62656C6672790002;

    /// <summary>New rows from this number on are copied, which takes two more round trips, and half the time for each row.</summary>
    private const int CopyMin = 32;

    private readonly System.Collections.Concurrent.ConcurrentDictionary<int, bool> _indexed = new();

    public async ValueTask<TaskOwnership> TakeOverAsync(TaskPartition partition, CancellationToken cancel)
    {
        await EnsureWindowIndexAsync(partition.Partitions, cancel);
        return await database.WriteAsync(
            async connection =>
            {
                var taken = await connection.Statement(TaskTables.TakeOver, Of(partition.Source.Topic), Of(partition.Source.Partition))
                    .ListAsync(row => new TaskOwnership(row.GetInt64(0), row.GetInt64(1)), cancel);
                await PostgresTaskTopics.ThrowIfRetiredAsync(connection, partition.Source.Topic, cancel);
                return taken.Single();
            },
            cancel);
    }

    /// <inheritdoc cref="PostgresShards.PrepareTasksAsync"/>
    internal ValueTask PrepareAsync(int partitions, CancellationToken cancel) => EnsureWindowIndexAsync(partitions, cancel);

    /// <summary>Takes the epoch that another database has counted: from now on older ones are refused here as well.</summary>
    /// <exception cref="OwnershipLostException">A newer one is here already.</exception>
    internal async ValueTask FenceAsync(TopicPartition source, long epoch, CancellationToken cancel)
    {
        var raised = await database.WriteAsync(
            connection => connection.Statement(TaskTables.Fence, Of(source.Topic), Of(source.Partition), Of(epoch)).RunAsync(cancel),
            cancel);
        if (raised == 0) throw new OwnershipLostException($"{source} has a newer epoch than {epoch} in '{database.Name}'.");
    }

    /// <summary>The same of many owners that nobody follows; where a newer epoch is here already, it stays.</summary>
    internal async ValueTask FenceAsync(IReadOnlyList<(TopicPartition Source, long Epoch)> owners, CancellationToken cancel) =>
        await database.WriteAsync(
            connection => connection.Statement(
                TaskTables.FenceAll, Of(owners.Select(owner => owner.Source.Topic)), Of(owners.Select(owner => owner.Source.Partition)),
                Of(owners.Select(owner => owner.Epoch))).RunAsync(cancel),
            cancel);

    /// <summary>The epochs below which nobody writes for a retired topic.</summary>
    internal async ValueTask<IReadOnlyList<(TopicPartition Source, long Epoch)>> RetiredOwnersAsync(CancellationToken cancel) =>
        await database.ReadAsync(
            connection => connection.Statement(TaskTables.RetiredOwners)
                .ListAsync(row => (new TopicPartition(row.Text(0), row.GetInt32(1)), row.GetInt64(2)), cancel),
            cancel);

    public async ValueTask ApplyAsync(TaskBatch batch, CancellationToken cancel)
    {
        var fresh = batch.Tasks.Where(row => row.IsNew).ToList();
        if (fresh.Count >= CopyMin)
        {
            try
            {
                await ApplyAsync(batch, [.. batch.Tasks.Where(row => !row.IsNew)], fresh, cancel);
                return;
            }
            catch (PostgresException fault) when (fault.SqlState == PostgresErrorCodes.UniqueViolation)
            {
                // An earlier try was committed and its answer lost: some are there already.
            }
        }

        await ApplyAsync(batch, batch.Tasks, [], cancel);
    }

    private async ValueTask ApplyAsync(
        TaskBatch batch, IReadOnlyList<StoredTask> known, List<StoredTask> fresh, CancellationToken cancel) => await database.WriteAsync(
        async connection =>
        {
            var source = batch.Partition.Source;
            await using var writes = new NpgsqlBatch(connection);

            // The first statement locks the owner's row until the commit; a stale epoch finds none, and all the rest is undone.
            writes.With(TaskTables.Advance, Of(source.Topic), Of(source.Partition), Of(batch.Epoch), Of(batch.Position));
            TaskTables.Put(writes, known);
            TaskTables.Put(writes, source, batch.Undecodable);
            await writes.ExecuteNonQueryAsync(cancel);
            if (writes.BatchCommands[0].RecordsAffected == 1)
            {
                if (fresh.Count > 0) await TaskTables.CopyAsync(connection, fresh, cancel);
                return true;
            }

            var newest = await connection.Statement(TaskTables.Epoch, Of(source.Topic), Of(source.Partition)).OneAsync(cancel) ?? 0;
            throw new OwnershipLostException($"{source} is at epoch {newest}; a write of epoch {batch.Epoch} is refused.");
        },
        cancel);

    public ValueTask<TaskWindow> LoadWindowAsync(
        TaskPartition partition, TaskKey after, long untilMs, int max, long bytesMax, CancellationToken cancel) =>
        ReadCutAsync(
            TaskTables.Cut(TaskTables.Window(partition.Partitions), 6, 7),
            [
                Of(partition.Source.Partition), Of(after.DueMs), Of(after.Sequence), Of(untilMs), Of(max + 1L), Of((long)max), Of(bytesMax),
            ],
            cancel);

    public ValueTask<TaskWindow> LoadLaneAsync(
        TaskPartition partition, string orderingId, TaskKey after, TaskKey upTo, int max, long bytesMax, CancellationToken cancel) =>
        ReadCutAsync(
            TaskTables.Cut(TaskTables.Lane, 8, 9),
            [
                Of(Partitioner.Hash(orderingId)), Of(after.DueMs), Of(after.Sequence), Of(upTo.DueMs), Of(upTo.Sequence), Of(orderingId),
                Of(max + 1L), Of((long)max), Of(bytesMax),
            ],
            cancel);

    public async ValueTask<IReadOnlyList<StoredTask>> FindAsync(IReadOnlyList<ScheduledTaskId> ids, CancellationToken cancel)
    {
        if (ids.Count == 0) return [];
        var wanted = new HashSet<ScheduledTaskId>(ids);
        var rows = await ReadAsync(TaskTables.ByIdentity, [Of(wanted.Select(id => id.Hash64()))], cancel);
        rows.RemoveAll(row => !wanted.Contains(row.Id));
        return rows;
    }

    public async ValueTask<IReadOnlyList<StoredTask>> ListAsync(
        TaskState state, long afterSequence, int max, CancellationToken cancel) =>
        await ReadAsync(TaskTables.ByState(state), [Of(afterSequence), Of(max)], cancel);

    public ValueTask<(long Count, long? OldestDueMs)> OverdueAsync(long beforeMs, CancellationToken cancel) => database.ReadAsync(
        async connection => (await connection.Statement(TaskTables.Overdue, Of(beforeMs))
            .ListAsync(row => (row.GetInt64(0), row.LongOrNull(1)), cancel)).Single(),
        cancel);

    public ValueTask<IReadOnlyList<UndecodableTask>> ListUndecodableAsync(
        TopicPartition source, long fromOffset, int max, CancellationToken cancel) => database.ReadAsync<IReadOnlyList<UndecodableTask>>(
        async connection => await connection
            .Statement(TaskTables.Undecodable, Of(source.Topic), Of(source.Partition), Of(fromOffset), Of(max))
            .ListAsync(
                row => new UndecodableTask(
                    row.GetInt64(0), row.GetInt64(1), row.TextOrNull(2), row.GetFieldValue<byte[]>(3), row.Text(4)),
                cancel),
        cancel);

    public ValueTask<int> ForgetAsync(long beforeMs, int max, CancellationToken cancel) => database.WriteAsync(
        connection => connection.Statement(TaskTables.Forget, Of(beforeMs), Of(max)).RunAsync(cancel), cancel);

    /// <summary>
    /// Made at the first take-over under a partition count; writers of tasks wait for it once, when a topic gets a new count.
    /// </summary>
    private async ValueTask EnsureWindowIndexAsync(int partitions, CancellationToken cancel)
    {
        if (_indexed.ContainsKey(partitions)) return;
        await database.WriteAsync(
            async connection =>
            {
                var there = await connection.Statement(
                    "select count(*) from pg_indexes where schemaname = current_schema() and indexname = $1",
                    Of(TaskTables.NameOfWindowIndex(partitions))).OneAsync(cancel);
                if (there > 0) return true;
                await connection.Statement("select pg_advisory_xact_lock($1)", Of(IndexLockKey)).RunAsync(cancel);
                await using var create = connection.Statement(TaskTables.WindowIndex(partitions));
                create.CommandTimeout = PostgresOptions.Seconds(database.Options.MigrationMax);
                return await create.ExecuteNonQueryAsync(cancel) <= 0;
            },
            cancel);
        _indexed[partitions] = true;
    }

    private ValueTask<List<StoredTask>> ReadAsync(string sql, NpgsqlParameter[] parameters, CancellationToken cancel) =>
        database.ReadAsync(connection => connection.Statement(sql, parameters).ListAsync(TaskTables.Read, cancel), cancel);

    private ValueTask<TaskWindow> ReadCutAsync(string sql, NpgsqlParameter[] parameters, CancellationToken cancel) => database.ReadAsync(
        async connection =>
        {
            var rows = await connection.Statement(sql, parameters)
                .ListAsync(row => (Task: TaskTables.Read(row), Found: row.GetInt64(13)), cancel);
            return new TaskWindow(rows.ConvertAll(row => row.Task), rows.Count == 0 || rows.Count == rows[0].Found);
        },
        cancel);
}
