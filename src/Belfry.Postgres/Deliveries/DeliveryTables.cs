using Belfry.Deliveries;
using Belfry.Log;
using Npgsql;
using static Belfry.Postgres.PostgresCommands;

namespace Belfry.Postgres;

/// <summary>The delivery tables' SQL. States are the numbers of <see cref="DeliveryState"/>; 3 and 4 are unknown and dead.</summary>
internal static class DeliveryTables
{
    private const string Columns = """
        day, idem_key, channel, recipient, state, epoch, attempt, generation, attempts_before, reason, provider_ref, next_at, updated_at,
        record_key, record_value, attempts_lost
        """;

    private const string Insert =
        $"insert into delivery ({Columns}) select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) ";

    private const string Replace = """
        on conflict (day, idem_key) do update set channel = excluded.channel, recipient = excluded.recipient, state = excluded.state,
            epoch = excluded.epoch, attempt = excluded.attempt, generation = excluded.generation,
            attempts_before = excluded.attempts_before, reason = excluded.reason, provider_ref = excluded.provider_ref,
            next_at = excluded.next_at, updated_at = excluded.updated_at, record_key = excluded.record_key,
            record_value = excluded.record_value, attempts_lost = excluded.attempts_lost
        """;

    /// <summary>One counter, so that epochs of any two partitions and groups compare.</summary>
    public static NpgsqlCommand TakeOver(NpgsqlConnection connection, string group, TopicPartition source) => connection.Statement("""
        with next as (update delivery_epoch set epoch = epoch + 1 returning epoch)
        insert into delivery_owner (group_name, topic, partition_no, epoch) select $1, $2, $3, epoch from next
        on conflict (group_name, topic, partition_no) do update set epoch = excluded.epoch
        returning epoch
        """, Of(group), Of(source.Topic), Of(source.Partition));

    public static NpgsqlCommand Fence(NpgsqlConnection connection, DeliveryFence fence) => connection.Statement("""
        insert into delivery_owner (group_name, topic, partition_no, epoch) values ($1, $2, $3, $4)
        on conflict (group_name, topic, partition_no) do update set epoch = excluded.epoch where delivery_owner.epoch <= excluded.epoch
        """, Of(fence.Group), Of(fence.Source.Topic), Of(fence.Source.Partition), Of(fence.Epoch));

    /// <summary>
    /// Two results: the newest epoch, its row locked until the commit (not shared: those who share would keep a take-over waiting for
    /// ever), and the rows of the keys, locked as well. The second sees what the first had to wait for.
    /// </summary>
    public static NpgsqlBatch Lock(
        NpgsqlConnection connection, DeliveryFence fence, IReadOnlyCollection<(DateOnly Day, string Key)> keys) =>
        new NpgsqlBatch(connection)
            .With(
                "select epoch from delivery_owner where group_name = $1 and topic = $2 and partition_no = $3 for update",
                Of(fence.Group), Of(fence.Source.Topic), Of(fence.Source.Partition))
            .With(
                $"""
                select {Columns} from delivery where (day, idem_key) in (select * from unnest($1, $2))
                order by day, idem_key for update
                """,
                Of(keys.Select(key => key.Day.DayNumber)), Of(keys.Select(key => (string?)key.Key)));

    public static NpgsqlCommand Find(NpgsqlConnection connection, DateOnly day, string key) =>
        connection.Statement($"select {Columns} from delivery where day = $1 and idem_key = $2", Of(day.DayNumber), Of(key));

    /// <summary>Rows that were not there when the keys were locked. One that is now was another partition's: fewer rows are told.</summary>
    public static NpgsqlCommand Add(NpgsqlConnection connection, IReadOnlyList<DeliveryRow> rows) =>
        connection.Statement(Insert + "on conflict (day, idem_key) do nothing", Values(rows));

    /// <summary>Rows that are locked.</summary>
    public static NpgsqlCommand Put(NpgsqlConnection connection, IReadOnlyList<DeliveryRow> rows) =>
        connection.Statement(Insert + Replace, Values(rows));

    public static NpgsqlCommand ListDead(
        NpgsqlConnection connection, string? channel, (DateOnly Day, string IdempotencyKey)? after, int max) => connection.Statement($"""
        select {Columns} from delivery
        where state in (3, 4) and (day, idem_key) > ($1, $2) and ($3 is null or channel = $3)
        order by day, idem_key limit $4
        """, Of(after?.Day.DayNumber ?? -1), Of(after?.IdempotencyKey ?? ""), Of(channel), Of(max));

    public static NpgsqlCommand CountDead(NpgsqlConnection connection, string? channel) => connection.Statement(
        "select count(*) from delivery where state in (3, 4) and ($1 is null or channel = $1)", Of(channel));

    public static NpgsqlCommand Forget(NpgsqlConnection connection, DateOnly before, int max) => connection.Statement("""
        delete from delivery where (day, idem_key) in
            (select day, idem_key from delivery where day < $1 and state not in (0, 2) order by day, idem_key limit $2)
        """, Of(before.DayNumber), Of(max));

    public static DeliveryRow Read(NpgsqlDataReader row) => new()
    {
        Day = DateOnly.FromDayNumber(row.GetInt32(0)),
        IdempotencyKey = row.Text(1),
        Channel = row.Text(2),
        Recipient = row.Text(3),
        State = (DeliveryState)row.GetInt32(4),
        Epoch = row.GetInt64(5),
        Attempt = row.GetInt32(6),
        Generation = row.GetInt32(7),
        AttemptsBefore = row.GetInt32(8),
        Reason = row.TextOrNull(9),
        ProviderReference = row.TextOrNull(10),
        NextAt = row.LongOrNull(11) is { } nextAt ? DateTimeOffset.FromUnixTimeMilliseconds(nextAt) : null,
        UpdatedAt = DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(12)),
        RecordKey = row.TextOrNull(13),
        RecordValue = row.IsDBNull(14) ? default(ReadOnlyMemory<byte>?) : row.GetFieldValue<byte[]>(14),
        AttemptsLost = row.GetInt32(15),
    };

    private static NpgsqlParameter[] Values(IReadOnlyList<DeliveryRow> rows) =>
    [
        Of(rows.Select(r => r.Day.DayNumber)), Of(rows.Select(r => (string?)r.IdempotencyKey)), Of(rows.Select(r => (string?)r.Channel)),
        Of(rows.Select(r => (string?)r.Recipient)), Of(rows.Select(r => (int)r.State)), Of(rows.Select(r => r.Epoch)),
        Of(rows.Select(r => r.Attempt)), Of(rows.Select(r => r.Generation)), Of(rows.Select(r => r.AttemptsBefore)),
        Of(rows.Select(r => r.Reason)), Of(rows.Select(r => r.ProviderReference)),
        Of(rows.Select(r => r.NextAt?.ToUnixTimeMilliseconds())), Of(rows.Select(r => r.UpdatedAt.ToUnixTimeMilliseconds())),
        Of(rows.Select(r => r.RecordKey)), Of(rows.Select(r => r.RecordValue?.ToArray())),
        Of(rows.Select(r => r.AttemptsLost)),
    ];
}
