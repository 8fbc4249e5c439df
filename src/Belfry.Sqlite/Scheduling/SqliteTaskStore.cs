using System.Globalization;
using Belfry.Log;
using Belfry.Scheduling;
using Microsoft.Data.Sqlite;

namespace Belfry.Sqlite;

/// <summary>The task store in a SQLite file. Batches of all partitions share the file's commits. Safe for use by several threads.</summary>
public sealed class SqliteTaskStore : ITaskStore
{
    private readonly SqliteFile _file;

    private SqliteTaskStore(SqliteFile file) => _file = file;

    /// <summary>Opens the store in <paramref name="file"/>, bringing its tables up to date.</summary>
    public static async ValueTask<SqliteTaskStore> OpenAsync(SqliteFile file, CancellationToken cancel)
    {
        await file.WriteAsync(
            connection =>
            {
                TaskTables.Apply(connection);
                return 0;
            },
            cancel);
        return new SqliteTaskStore(file);
    }

    public ValueTask<TaskOwnership> TakeOverAsync(TaskPartition partition, CancellationToken cancel) => _file.WriteAsync(
        connection =>
        {
            TaskTables.EnsureWindowIndex(connection, partition.Partitions);
            connection.Statement("update task_epoch set epoch = epoch + 1").Run();
            connection.Statement(
                """
                insert into task_owner (topic, partition, epoch, position) select ?1, ?2, epoch, 0 from task_epoch where true
                on conflict (topic, partition) do update set epoch = excluded.epoch
                """).Bind(1, partition.Source.Topic).Bind(2, partition.Source.Partition).Run();
            return OwnerOf(connection, partition.Source)!.Value;
        },
        cancel);

    public async ValueTask ApplyAsync(TaskBatch batch, CancellationToken cancel) => await _file.WriteAsync(
        connection =>
        {
            var source = batch.Partition.Source;
            var newest = OwnerOf(connection, source)?.Epoch ?? 0;
            if (newest != batch.Epoch)
                throw new OwnershipLostException($"{source} is at epoch {newest}; a write of epoch {batch.Epoch} is refused.");
            foreach (var row in batch.Tasks) TaskTables.Put(connection, row);
            foreach (var record in batch.Undecodable) Put(connection, source, record);
            connection.Statement("update task_owner set position = ?3 where topic = ?1 and partition = ?2")
                .Bind(1, source.Topic).Bind(2, source.Partition).Bind(3, batch.Position).Run();
            return batch.Tasks.Count;
        },
        cancel);

    public ValueTask<TaskWindow> LoadWindowAsync(
        TaskPartition partition, TaskKey after, long untilMs, int max, long bytesMax, CancellationToken cancel)
    {
        var sql = TaskTables.Window(partition.Partitions);
        return _file.ReadAsync(
            connection => ReadWindow(
                connection.Statement(sql).Bind(1, partition.Source.Partition)
                    .Bind(2, after.DueMs).Bind(3, after.Sequence).Bind(4, untilMs),
                max, bytesMax),
            cancel);
    }

    public ValueTask<TaskWindow> LoadLaneAsync(
        TaskPartition partition, string orderingId, TaskKey after, TaskKey upTo, int max, long bytesMax, CancellationToken cancel) =>
        _file.ReadAsync(
            connection => ReadWindow(
                connection.Statement(TaskTables.Lane).Bind(1, Partitioner.Hash(orderingId))
                    .Bind(2, after.DueMs).Bind(3, after.Sequence).Bind(4, upTo.DueMs).Bind(5, upTo.Sequence).Bind(6, orderingId),
                max, bytesMax),
            cancel);

    public ValueTask<IReadOnlyList<StoredTask>> FindAsync(IReadOnlyList<ScheduledTaskId> ids, CancellationToken cancel)
    {
        if (ids.Count == 0) return new([]);
        var hashes = $"[{string.Join(',', ids.Select(id => id.Hash64().ToString(CultureInfo.InvariantCulture)))}]";
        var wanted = new HashSet<ScheduledTaskId>(ids);
        return _file.ReadAsync<IReadOnlyList<StoredTask>>(
            connection =>
            {
                var rows = ReadAll(connection.Statement(TaskTables.ByIdentity).Bind(1, hashes));
                rows.RemoveAll(row => !wanted.Contains(row.Id));
                return rows;
            },
            cancel);
    }

    public ValueTask<IReadOnlyList<StoredTask>> ListAsync(TaskState state, long afterSequence, int max, CancellationToken cancel) =>
        _file.ReadAsync<IReadOnlyList<StoredTask>>(
            connection => ReadAll(connection.Statement(TaskTables.ByState).Bind(1, (int)state).Bind(2, afterSequence).Bind(3, max)),
            cancel);

    public ValueTask<(long Count, long? OldestDueMs)> OverdueAsync(long beforeMs, CancellationToken cancel) => _file.ReadAsync(
        connection =>
        {
            var statement = connection.Statement("select count(*), min(due_ms) from task where state < 2 and due_ms < ?1")
                .Bind(1, beforeMs);
            try
            {
                statement.Step();
                return (statement.Int64(0), statement.IsNull(1) ? (long?)null : statement.Int64(1));
            }
            finally
            {
                statement.Reset();
            }
        },
        cancel);

    public ValueTask<IReadOnlyList<UndecodableTask>> ListUndecodableAsync(
        TopicPartition source, long fromOffset, int max, CancellationToken cancel) => _file.ReadAsync<IReadOnlyList<UndecodableTask>>(
        connection =>
        {
            var statement = connection.Statement(
                """
                select log_offset, appended_ms, key, value, reason from task_undecodable
                where topic = ?1 and partition = ?2 and log_offset >= ?3 order by log_offset limit ?4
                """).Bind(1, source.Topic).Bind(2, source.Partition).Bind(3, fromOffset).Bind(4, max);
            var records = new List<UndecodableTask>();
            try
            {
                while (statement.Step())
                    records.Add(new UndecodableTask(
                        statement.Int64(0), statement.Int64(1), statement.Text(2), statement.Blob(3).ToArray(), statement.Text(4)!));
                return records;
            }
            finally
            {
                statement.Reset();
            }
        },
        cancel);

    public ValueTask<int> ForgetAsync(long beforeMs, int max, CancellationToken cancel) => _file.WriteAsync(
        connection =>
        {
            connection.Statement(
                """
                delete from task where sequence in
                    (select sequence from task where state in (2, 3) and keep_from_ms < ?1 order by keep_from_ms limit ?2)
                """).Bind(1, beforeMs).Bind(2, max).Run();
            var statement = connection.Statement("select changes()");
            try
            {
                statement.Step();
                return (int)statement.Int64(0);
            }
            finally
            {
                statement.Reset();
            }
        },
        cancel);

    private static TaskOwnership? OwnerOf(SqliteConnection connection, TopicPartition source)
    {
        var statement = connection.Statement("select epoch, position from task_owner where topic = ?1 and partition = ?2")
            .Bind(1, source.Topic).Bind(2, source.Partition);
        try
        {
            return statement.Step() ? new TaskOwnership(statement.Int64(0), statement.Int64(1)) : null;
        }
        finally
        {
            statement.Reset();
        }
    }

    private static void Put(SqliteConnection connection, TopicPartition source, UndecodableTask record) => connection.Statement(
        """
        insert or replace into task_undecodable (topic, partition, log_offset, appended_ms, key, value, reason)
        values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        """).Bind(1, source.Topic).Bind(2, source.Partition).Bind(3, record.Offset).Bind(4, record.AppendedMs).Bind(5, record.Key)
        .BindBlob(6, record.Value.Span).Bind(7, record.Reason).Run();

    private static List<StoredTask> ReadAll(SqliteStatement statement)
    {
        var rows = new List<StoredTask>();
        try
        {
            while (statement.Step()) rows.Add(TaskTables.Read(statement));
            return rows;
        }
        finally
        {
            statement.Reset();
        }
    }

    private static TaskWindow ReadWindow(SqliteStatement statement, int max, long bytesMax)
    {
        var rows = new List<StoredTask>();
        var bytes = 0L;
        try
        {
            while (statement.Step())
            {
                if (rows.Count == max || bytes > bytesMax) return new TaskWindow(rows, false);
                rows.Add(TaskTables.Read(statement));
                bytes += rows[^1].Payload.Length;
            }

            return new TaskWindow(rows, true);
        }
        finally
        {
            statement.Reset();
        }
    }
}
