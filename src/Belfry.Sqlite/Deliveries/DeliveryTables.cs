using Belfry.Deliveries;
using Belfry.Log;
using Microsoft.Data.Sqlite;

namespace Belfry.Sqlite;

/// <summary>The delivery tables' SQL. States are the numbers of <see cref="DeliveryState"/>; 3 and 4 are unknown and dead.</summary>
internal static class DeliveryTables
{
    public const string First = """
        create table delivery_owner (group_name text not null, topic text not null, partition_no integer not null, epoch integer not null,
            primary key (group_name, topic, partition_no)) without rowid;
        create index delivery_owner_epoch on delivery_owner (epoch);
        create table delivery (day integer not null, idem_key text not null, channel text not null, recipient text not null,
            state integer not null, epoch integer not null, attempt integer not null, generation integer not null,
            attempts_before integer not null, reason text, provider_ref text, next_at integer, updated_at integer not null,
            record_key text, record_value blob, primary key (day, idem_key)) without rowid;
        create index delivery_dead on delivery (day, idem_key) where state in (3, 4);
        """;

    public const string Second = "alter table delivery add column attempts_lost integer not null default 0";

    private const string Columns = """
        day, idem_key, channel, recipient, state, epoch, attempt, generation, attempts_before, reason, provider_ref, next_at, updated_at,
        record_key, record_value, attempts_lost
        """;

    public static long TakeOver(SqliteConnection connection, string group, TopicPartition source) => One(connection.Statement("""
        insert into delivery_owner (group_name, topic, partition_no, epoch)
        values (?1, ?2, ?3, (select coalesce(max(epoch), 0) + 1 from delivery_owner))
        on conflict (group_name, topic, partition_no) do update set epoch = excluded.epoch
        returning epoch
        """).Bind(1, group).Bind(2, source.Topic).Bind(3, source.Partition));

    /// <summary>0: nobody has taken over yet.</summary>
    public static long Epoch(SqliteConnection connection, string group, TopicPartition source) => One(connection.Statement(
        "select epoch from delivery_owner where group_name = ?1 and topic = ?2 and partition_no = ?3")
        .Bind(1, group).Bind(2, source.Topic).Bind(3, source.Partition));

    public static DeliveryRow? Find(SqliteConnection connection, DateOnly day, string key) => All(connection.Statement(
        $"select {Columns} from delivery where day = ?1 and idem_key = ?2").Bind(1, day.DayNumber).Bind(2, key)).SingleOrDefault();

    public static void Put(SqliteConnection connection, DeliveryRow row)
    {
        var put = connection.Statement($"""
                insert or replace into delivery ({Columns})
                values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
                """)
            .Bind(1, row.Day.DayNumber).Bind(2, row.IdempotencyKey).Bind(3, row.Channel).Bind(4, row.Recipient).Bind(5, (int)row.State)
            .Bind(6, row.Epoch).Bind(7, row.Attempt).Bind(8, row.Generation).Bind(9, row.AttemptsBefore).Bind(10, row.Reason)
            .Bind(11, row.ProviderReference).Bind(13, row.UpdatedAt.ToUnixTimeMilliseconds()).Bind(14, row.RecordKey)
            .Bind(16, row.AttemptsLost);
        if (row.NextAt is { } nextAt) put.Bind(12, nextAt.ToUnixTimeMilliseconds());
        else put.BindNull(12);
        if (row.RecordValue is { } value) put.BindBlob(15, value.Span);
        else put.BindNull(15);
        put.Run();
    }

    public static List<DeliveryRow> ListDead(
        SqliteConnection connection, string? channel, (DateOnly Day, string IdempotencyKey)? after, int max) =>
        All(connection.Statement($"""
        select {Columns} from delivery
        where state in (3, 4) and (day, idem_key) > (?1, ?2) and (?3 is null or channel = ?3)
        order by day, idem_key limit ?4
        """).Bind(1, after?.Day.DayNumber ?? -1).Bind(2, after?.IdempotencyKey ?? "").Bind(3, channel).Bind(4, max));

    public static long CountDead(SqliteConnection connection, string? channel) => One(connection.Statement(
        "select count(*) from delivery where state in (3, 4) and (?1 is null or channel = ?1)").Bind(1, channel));

    public static int Forget(SqliteConnection connection, DateOnly before, int max) => (int)Count(connection.Statement("""
        delete from delivery where (day, idem_key) in
            (select day, idem_key from delivery where day < ?1 and state not in (0, 2) order by day, idem_key limit ?2)
        returning 1
        """).Bind(1, before.DayNumber).Bind(2, max));

    private static long One(SqliteStatement statement)
    {
        try
        {
            return statement.Step() ? statement.Int64(0) : 0;
        }
        finally
        {
            statement.Reset();
        }
    }

    private static long Count(SqliteStatement statement)
    {
        try
        {
            var count = 0L;
            while (statement.Step()) count++;
            return count;
        }
        finally
        {
            statement.Reset();
        }
    }

    private static List<DeliveryRow> All(SqliteStatement statement)
    {
        var rows = new List<DeliveryRow>();
        try
        {
            while (statement.Step()) rows.Add(Row(statement));
        }
        finally
        {
            statement.Reset();
        }

        return rows;
    }

    private static DeliveryRow Row(SqliteStatement statement) => new()
    {
        Day = DateOnly.FromDayNumber((int)statement.Int64(0)),
        IdempotencyKey = statement.Text(1)!,
        Channel = statement.Text(2)!,
        Recipient = statement.Text(3)!,
        State = (DeliveryState)statement.Int64(4),
        Epoch = statement.Int64(5),
        Attempt = (int)statement.Int64(6),
        Generation = (int)statement.Int64(7),
        AttemptsBefore = (int)statement.Int64(8),
        Reason = statement.Text(9),
        ProviderReference = statement.Text(10),
        NextAt = statement.IsNull(11) ? null : DateTimeOffset.FromUnixTimeMilliseconds(statement.Int64(11)),
        UpdatedAt = DateTimeOffset.FromUnixTimeMilliseconds(statement.Int64(12)),
        RecordKey = statement.Text(13),
        AttemptsLost = (int)statement.Int64(15),
        RecordValue = statement.IsNull(14) ? default(ReadOnlyMemory<byte>?) : statement.Blob(14).ToArray(),
    };
}
