using System.Globalization;
using Belfry.Log;
using Belfry.Scheduling;
using Npgsql;
using NpgsqlTypes;
using static Belfry.Postgres.PostgresCommands;

namespace Belfry.Postgres;

/// <summary>The scheduler's SQL, and how rows go in and come out.</summary>
internal static class TaskTables
{
    private const int RowsMax = 2_000;

    private const string Columns =
        "sequence, ordering_id, kind, unique_key, due_ms, generation, state, attempts, next_attempt_ms, log_offset, " +
        "payload, reason, ended_ms";

    private const string Written =
        "sequence, id_hash, hash, bucket, state, due_ms, generation, attempts, next_attempt_ms, log_offset, ended_ms, keep_from_ms, " +
        "ordering_id, kind, unique_key, reason, payload";

    private const string Upsert = $"""
        insert into task ({Written})
        select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
        on conflict (sequence) do update set state = excluded.state, due_ms = excluded.due_ms, generation = excluded.generation,
            attempts = excluded.attempts, next_attempt_ms = excluded.next_attempt_ms, log_offset = excluded.log_offset,
            ended_ms = excluded.ended_ms, keep_from_ms = excluded.keep_from_ms, reason = excluded.reason, payload = excluded.payload
        """;

    private const string UpsertUndecodable = """
        insert into task_undecodable (topic, partition_no, log_offset, appended_ms, key, value, reason)
        select $1, $2, * from unnest($3, $4, $5, $6, $7)
        on conflict (topic, partition_no, log_offset) do update set
            appended_ms = excluded.appended_ms, key = excluded.key, value = excluded.value, reason = excluded.reason
        """;

    public const string TakeOver = """
        with next as (update task_epoch set epoch = epoch + 1 returning epoch)
        insert into task_owner (topic, partition_no, epoch, position) select $1, $2, epoch, 0 from next
        on conflict (topic, partition_no) do update set epoch = excluded.epoch
        returning epoch, position
        """;

    public const string Fence = """
        insert into task_owner (topic, partition_no, epoch, position) values ($1, $2, $3, 0)
        on conflict (topic, partition_no) do update set epoch = excluded.epoch where task_owner.epoch <= excluded.epoch
        """;

    public const string FenceAll = """
        insert into task_owner (topic, partition_no, epoch, position)
        select topic, partition_no, epoch, 0 from unnest($1, $2, $3) as owner (topic, partition_no, epoch) order by topic, partition_no
        on conflict (topic, partition_no) do update set epoch = excluded.epoch where task_owner.epoch < excluded.epoch
        """;

    public const string RetiredOwners = """
        select topic, partition_no, epoch from task_owner join task_topic using (topic) where retired_ms is not null
        """;

    public const string Advance = "update task_owner set position = $4 where topic = $1 and partition_no = $2 and epoch = $3";

    public const string Epoch = "select epoch from task_owner where topic = $1 and partition_no = $2";

    public const string Lane =
        $"select {Columns} from task where state < 2 and hash = $1 and (due_ms, sequence) > ($2, $3) and (due_ms, sequence) <= ($4, $5) " +
        "and ordering_id = $6 order by due_ms, sequence limit $7";

    public const string ByIdentity = $"select {Columns} from task where id_hash = any ($1)";

    public const string Overdue = "select count(*), min(due_ms) from task where state < 2 and due_ms < $1";

    public const string Undecodable = """
        select log_offset, appended_ms, key, value, reason from task_undecodable
        where topic = $1 and partition_no = $2 and log_offset >= $3 order by log_offset limit $4
        """;

    public const string Forget = """
        delete from task where sequence in
            (select sequence from task where state in (2, 3) and keep_from_ms < $1 order by keep_from_ms limit $2)
        """;

    /// <summary>Dead letters and parked tasks have an index of their own, which takes the state as text of the statement.</summary>
    public static string ByState(TaskState state) => string.Create(CultureInfo.InvariantCulture,
        $"select {Columns} from task where state = {(int)state} and sequence > $1 order by sequence limit $2");

    public static string Window(int partitions) => string.Create(CultureInfo.InvariantCulture,
        $"select {Columns} from task where state < 2 and hash % {partitions} = $1 and (due_ms, sequence) > ($2, $3) and due_ms <= $4 " +
        $"order by due_ms, sequence limit $5");

    /// <summary>
    /// One index per partition count in use puts the open tasks of a partition in due order, without rewriting a row when the count
    /// changes. The count is a number of ours, never text of a user.
    /// </summary>
    public static string WindowIndex(int partitions) => string.Create(CultureInfo.InvariantCulture,
        $"create index if not exists task_window_{partitions} on task ((hash % {partitions}), due_ms, sequence) where state < 2");

    public static string NameOfWindowIndex(int partitions) =>
        string.Create(CultureInfo.InvariantCulture, $"task_window_{partitions}");

    /// <summary>
    /// Cuts a query of tasks at a number of rows and once their payloads pass a number of bytes, past the first row; the last column is how
    /// many rows there were before. The inner query takes one row more than the number, so that a cut is seen.
    /// </summary>
    public static string Cut(string query, int max, int bytesMax) => string.Create(CultureInfo.InvariantCulture, $"""
        select {Columns}, found from (
            select *, count(*) over () as found, row_number() over (order by due_ms, sequence) as n,
                coalesce(sum(octet_length(payload)) over (
                    order by due_ms, sequence rows between unbounded preceding and 1 preceding), 0) as bytes
            from ({query}) as inner_rows) as cut
        where n <= ${max} and bytes <= ${bytesMax} order by due_ms, sequence
        """);

    public static void Put(NpgsqlBatch batch, IReadOnlyList<StoredTask> tasks)
    {
        foreach (var rows in LastOfEach(tasks, row => row.Sequence).Chunk(RowsMax))
        {
            var hashes = Array.ConvertAll(rows, row => Partitioner.Hash(row.Id.OrderingId));
            batch.With(
                Upsert, Of(rows.Select(r => r.Sequence)), Of(rows.Select(r => r.Id.Hash64())), Of(hashes),
                Of(hashes.Select(hash => hash % 4_096)), Of(rows.Select(r => (int)r.State)), Of(rows.Select(r => r.DueMs)),
                Of(rows.Select(r => r.Generation)), Of(rows.Select(r => r.Attempts)), Of(rows.Select(r => r.NextAttemptMs)),
                Of(rows.Select(r => r.Offset)), Of(rows.Select(r => r.EndedMs)), Of(rows.Select(r => r.KeepFromMs)),
                Of(rows.Select(r => r.Id.OrderingId)), Of(rows.Select(r => r.Id.Kind)), Of(rows.Select(r => r.Id.UniqueKey)),
                Of(rows.Select(r => r.Reason)), Of(rows.Select(r => r.Payload.ToArray())));
        }
    }

    /// <summary>Rows of which none is there; any that is ends the whole with a unique violation.</summary>
    public static async ValueTask CopyAsync(NpgsqlConnection connection, List<StoredTask> rows, CancellationToken cancel)
    {
        await using var copy = await connection.BeginBinaryImportAsync($"copy task ({Written}) from stdin (format binary)", cancel);
        foreach (var row in rows)
        {
            var hash = Partitioner.Hash(row.Id.OrderingId);
            await copy.StartRowAsync(cancel);
            await copy.WriteAsync(row.Sequence, NpgsqlDbType.Bigint, cancel);
            await copy.WriteAsync(row.Id.Hash64(), NpgsqlDbType.Bigint, cancel);
            await copy.WriteAsync(hash, NpgsqlDbType.Integer, cancel);
            await copy.WriteAsync((short)(hash % 4_096), NpgsqlDbType.Smallint, cancel);
            await copy.WriteAsync((short)row.State, NpgsqlDbType.Smallint, cancel);
            await copy.WriteAsync(row.DueMs, NpgsqlDbType.Bigint, cancel);
            await copy.WriteAsync(row.Generation, NpgsqlDbType.Bigint, cancel);
            await copy.WriteAsync(row.Attempts, NpgsqlDbType.Integer, cancel);
            await WriteAsync(copy, row.NextAttemptMs, cancel);
            await copy.WriteAsync(row.Offset, NpgsqlDbType.Bigint, cancel);
            await WriteAsync(copy, row.EndedMs, cancel);
            await WriteAsync(copy, row.KeepFromMs, cancel);
            await copy.WriteAsync(PostgresText.Encode(row.Id.OrderingId), NpgsqlDbType.Text, cancel);
            await copy.WriteAsync(PostgresText.Encode(row.Id.Kind), NpgsqlDbType.Text, cancel);
            await copy.WriteAsync(PostgresText.Encode(row.Id.UniqueKey), NpgsqlDbType.Text, cancel);
            if (row.Reason is null) await copy.WriteNullAsync(cancel);
            else await copy.WriteAsync(PostgresText.Encode(row.Reason), NpgsqlDbType.Text, cancel);
            await copy.WriteAsync(row.Payload, NpgsqlDbType.Bytea, cancel);
        }

        await copy.CompleteAsync(cancel);
    }

    private static Task WriteAsync(NpgsqlBinaryImporter copy, long? value, CancellationToken cancel) =>
        value is { } number ? copy.WriteAsync(number, NpgsqlDbType.Bigint, cancel) : copy.WriteNullAsync(cancel);

    public static void Put(NpgsqlBatch batch, TopicPartition source, IReadOnlyList<UndecodableTask> records)
    {
        foreach (var rows in LastOfEach(records, row => row.Offset).Chunk(RowsMax))
            batch.With(
                UpsertUndecodable, Of(source.Topic), Of(source.Partition), Of(rows.Select(r => r.Offset)),
                Of(rows.Select(r => r.AppendedMs)), Of(rows.Select(r => r.Key)), Of(rows.Select(r => r.Value.ToArray())),
                Of(rows.Select(r => r.Reason)));
    }

    public static StoredTask Read(NpgsqlDataReader row) => new()
    {
        Sequence = row.GetInt64(0),
        Id = new ScheduledTaskId(row.Text(1), row.Text(2), row.Text(3)),
        DueMs = row.GetInt64(4),
        Generation = row.GetInt64(5),
        State = (TaskState)row.GetInt16(6),
        Attempts = row.GetInt32(7),
        NextAttemptMs = row.LongOrNull(8),
        Offset = row.GetInt64(9),
        Payload = row.GetFieldValue<byte[]>(10),
        Reason = row.TextOrNull(11),
        EndedMs = row.LongOrNull(12),
    };

    /// <summary>One statement may touch a row once; of several writes of a row the last one counts.</summary>
    private static IEnumerable<T> LastOfEach<T>(IReadOnlyList<T> rows, Func<T, long> key) =>
        rows.Count < 2 ? rows : rows.GroupBy(key).Select(writes => writes.Last());
}
