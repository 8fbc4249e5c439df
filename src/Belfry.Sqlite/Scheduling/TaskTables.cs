using System.Globalization;
using Belfry.Log;
using Belfry.Scheduling;
using Microsoft.Data.Sqlite;

namespace Belfry.Sqlite;

/// <summary>The scheduler's tables, and how rows go in and come out.</summary>
internal static class TaskTables
{
    /// <summary>
    /// Rows are keyed by the task's sequence, which grows. Identity is found by 64 bits of its digest, the text compared afterwards.
    /// <c>bucket</c> (of 4,096) is for sharding; <c>hash</c> gives the partition under any partition count.
    /// </summary>
    private const string Create =
        """
        create table task_owner (
            topic text not null, partition integer not null, epoch integer not null, position integer not null,
            primary key (topic, partition)) without rowid;
        create table task_epoch (one integer primary key check (one = 1), epoch integer not null);
        insert into task_epoch (one, epoch) values (1, 0);
        create table task (
            sequence integer primary key, id_hash integer not null, hash integer not null, bucket integer not null,
            state integer not null, due_ms integer not null, generation integer not null, attempts integer not null,
            next_attempt_ms integer, log_offset integer not null, ended_ms integer, keep_from_ms integer,
            ordering_id text not null, kind text not null, unique_key text not null, reason text, payload blob not null);
        create index task_identity on task (id_hash);
        create index task_due on task (due_ms, sequence) where state < 2;
        create index task_lane on task (hash, due_ms, sequence) where state < 2;
        create index task_keep on task (keep_from_ms) where state in (2, 3);
        create index task_dead on task (sequence) where state = 4;
        create index task_parked on task (sequence) where state = 1;
        create table task_undecodable (
            topic text not null, partition integer not null, log_offset integer not null,
            appended_ms integer not null, key text, value blob not null, reason text not null,
            primary key (topic, partition, log_offset));
        """;

    private const string Columns =
        "sequence, ordering_id, kind, unique_key, due_ms, generation, state, attempts, next_attempt_ms, log_offset, " +
        "payload, reason, ended_ms";

    private const string Upsert =
        """
        insert into task (sequence, id_hash, hash, bucket, state, due_ms, generation, attempts, next_attempt_ms, log_offset, ended_ms,
            keep_from_ms, ordering_id, kind, unique_key, reason, payload)
        values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
        on conflict (sequence) do update set state = ?5, due_ms = ?6, generation = ?7, attempts = ?8, next_attempt_ms = ?9,
            log_offset = ?10,
            ended_ms = ?11, keep_from_ms = ?12, reason = ?16, payload = ?17
        """;

    public static void Apply(SqliteConnection connection) => SqliteSchema.Apply(connection, "scheduling", Create);

    /// <summary>
    /// One index per partition count in use puts the open tasks of a partition in due order, without rewriting a row when the count
    /// changes. Made at the first take-over under a count; the count is a number of ours, never text of a user.
    /// </summary>
    public static void EnsureWindowIndex(SqliteConnection connection, int partitions)
    {
        using var command = connection.CreateCommand();
        command.CommandText = string.Create(CultureInfo.InvariantCulture,
            $"create index if not exists task_window_{partitions} on task (hash % {partitions}, due_ms, sequence) where state < 2");
        command.ExecuteNonQuery();
    }

    public static string Window(int partitions) => string.Create(CultureInfo.InvariantCulture,
        $"select {Columns} from task where state < 2 and hash % {partitions} = ?1 and (due_ms, sequence) > (?2, ?3) and due_ms <= ?4 " +
        $"order by due_ms, sequence");

    public const string Lane =
        $"select {Columns} from task where state < 2 and hash = ?1 and (due_ms, sequence) > (?2, ?3) and (due_ms, sequence) <= (?4, ?5) " +
        "and ordering_id = ?6 order by due_ms, sequence";

    public const string ByIdentity = $"select {Columns} from task where id_hash in (select value from json_each(?1))";

    public const string ByState = $"select {Columns} from task where state = ?1 and sequence > ?2 order by sequence limit ?3";

    public static void Put(SqliteConnection connection, StoredTask row)
    {
        var hash = Partitioner.Hash(row.Id.OrderingId);
        var statement = connection.Statement(Upsert)
            .Bind(1, row.Sequence).Bind(2, row.Id.Hash64()).Bind(3, hash).Bind(4, hash % 4_096)
            .Bind(5, (int)row.State).Bind(6, row.DueMs).Bind(7, row.Generation).Bind(8, row.Attempts);
        BindOrNull(statement, 9, row.NextAttemptMs);
        statement.Bind(10, row.Offset);
        BindOrNull(statement, 11, row.EndedMs);
        BindOrNull(statement, 12, row.KeepFromMs);
        statement.Bind(13, row.Id.OrderingId).Bind(14, row.Id.Kind).Bind(15, row.Id.UniqueKey).Bind(16, row.Reason)
            .BindBlob(17, row.Payload.Span).Run();
    }

    public static StoredTask Read(SqliteStatement row) => new()
    {
        Sequence = row.Int64(0),
        Id = new ScheduledTaskId(row.Text(1)!, row.Text(2)!, row.Text(3)!),
        DueMs = row.Int64(4),
        Generation = row.Int64(5),
        State = (TaskState)row.Int64(6),
        Attempts = (int)row.Int64(7),
        NextAttemptMs = row.IsNull(8) ? null : row.Int64(8),
        Offset = row.Int64(9),
        Payload = row.Blob(10).ToArray(),
        Reason = row.Text(11),
        EndedMs = row.IsNull(12) ? null : row.Int64(12),
    };

    private static void BindOrNull(SqliteStatement statement, int at, long? value)
    {
        if (value is { } number) statement.Bind(at, number);
        else statement.BindNull(at);
    }
}
