using Belfry.Log;
using Belfry.Outbox;
using Microsoft.Data.Sqlite;

namespace Belfry.Sqlite;

/// <summary>Parked records of the embedded shape, among the stores. Safe for use by several threads.</summary>
public sealed class SqliteParkedRecordStore : IParkedRecordStore
{
    private const string First = """
        create table parked_owner (id integer primary key, group_name text not null, topic text not null, partition_no integer not null,
            epoch integer not null, unique (group_name, topic, partition_no));
        create table parked_record (owner_id integer not null, offset integer not null, lane_key text not null, attempts integer not null,
            due_at integer not null, reason text not null, appended_at integer not null, key text, headers blob, value blob not null,
            primary key (owner_id, offset)) without rowid;
        """;

    private readonly SqliteFile _file;

    private SqliteParkedRecordStore(SqliteFile file) => _file = file;

    /// <summary>Creates or opens the store's tables in the file.</summary>
    public static async ValueTask<SqliteParkedRecordStore> OpenAsync(SqliteFile file, CancellationToken cancel)
    {
        await file.WriteAsync(connection =>
        {
            SqliteSchema.Apply(connection, "parked", First);
            return true;
        }, cancel);
        return new SqliteParkedRecordStore(file);
    }

    public ValueTask<long> TakeOverAsync(string group, TopicPartition source, CancellationToken cancel) =>
        Guarded(_file.WriteAsync(connection => LogTables.One(connection.Statement("""
            insert into parked_owner (group_name, topic, partition_no, epoch) values (?1, ?2, ?3, 1)
            on conflict (group_name, topic, partition_no) do update set epoch = epoch + 1
            returning epoch
            """).Bind(1, group).Bind(2, source.Topic).Bind(3, source.Partition))!.Value, cancel));

    public async ValueTask ApplyAsync(
        string group, TopicPartition source, long epoch,
        IReadOnlyList<ParkedRecord> parked, IReadOnlyList<long> doneOffsets, CancellationToken cancel) =>
        await Guarded(_file.WriteAsync(connection =>
        {
            var owner = Owner(connection, group, source);
            if (owner is null || owner.Value.Epoch != epoch)
                throw new OwnershipLostException(
                    $"Parked records of {source} for group '{group}' are at epoch {owner?.Epoch ?? 0}, and this writer has {epoch}.");
            foreach (var record in parked) Upsert(connection, owner.Value.Id, record);
            foreach (var offset in doneOffsets)
                connection.Statement("delete from parked_record where owner_id = ?1 and offset = ?2")
                    .Bind(1, owner.Value.Id).Bind(2, offset).Run();
            return true;
        }, cancel));

    public ValueTask<IReadOnlyList<ParkedRecord>> LoadAsync(
        string group, TopicPartition source, long fromOffset, int max, CancellationToken cancel) =>
        Guarded(_file.ReadAsync<IReadOnlyList<ParkedRecord>>(connection =>
            Owner(connection, group, source) is { } owner ? Load(connection, owner.Id, group, source, fromOffset, max) : [], cancel));

    private static (long Id, long Epoch)? Owner(SqliteConnection connection, string group, TopicPartition source)
    {
        var statement = connection.Statement(
            "select id, epoch from parked_owner where group_name = ?1 and topic = ?2 and partition_no = ?3")
            .Bind(1, group).Bind(2, source.Topic).Bind(3, source.Partition);
        try
        {
            return statement.Step() ? (statement.Int64(0), statement.Int64(1)) : null;
        }
        finally
        {
            statement.Reset();
        }
    }

    private static void Upsert(SqliteConnection connection, long ownerId, ParkedRecord parked)
    {
        var upsert = connection.Statement("""
                insert or replace into parked_record
                    (owner_id, offset, lane_key, attempts, due_at, reason, appended_at, key, headers, value)
                values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
                """)
            .Bind(1, ownerId).Bind(2, parked.Record.Offset).Bind(3, parked.LaneKey).Bind(4, parked.Attempts).Bind(5, DueMs(parked.DueAt))
            .Bind(6, parked.Reason).Bind(7, parked.Record.AppendedAt.ToUnixTimeMilliseconds()).Bind(8, parked.Record.Key);
        (RecordHeaders.Encode(parked.Record.Headers) is { } headers ? upsert.BindBlob(9, headers) : upsert.BindNull(9))
            .BindBlob(10, parked.Record.Value.Span).Run();
    }

    /// <summary>Rounded up: a record never runs before it is due.</summary>
    private static long DueMs(DateTimeOffset dueAt) => (dueAt.AddTicks(TimeSpan.TicksPerMillisecond - 1)).ToUnixTimeMilliseconds();

    private static List<ParkedRecord> Load(
        SqliteConnection connection, long ownerId, string group, TopicPartition source, long fromOffset, int max)
    {
        var records = new List<ParkedRecord>();
        var statement = connection.Statement("""
                select offset, lane_key, attempts, due_at, reason, appended_at, key, headers, value from parked_record
                where owner_id = ?1 and offset >= ?2 order by offset limit ?3
                """).Bind(1, ownerId).Bind(2, fromOffset).Bind(3, max);
        try
        {
            while (statement.Step())
                records.Add(new ParkedRecord
                {
                    Group = group,
                    LaneKey = statement.Text(1)!,
                    Attempts = (int)statement.Int64(2),
                    DueAt = DateTimeOffset.FromUnixTimeMilliseconds(statement.Int64(3)),
                    Reason = statement.Text(4)!,
                    Record = new LogRecord
                    {
                        Source = source,
                        Offset = statement.Int64(0),
                        AppendedAt = DateTimeOffset.FromUnixTimeMilliseconds(statement.Int64(5)),
                        Key = statement.Text(6),
                        Headers = RecordHeaders.Decode(statement.Blob(7)),
                        Value = statement.Blob(8).ToArray(),
                    },
                });
        }
        finally
        {
            statement.Reset();
        }

        return records;
    }

    /// <summary>The seam beside the log speaks of the log's faults.</summary>
    private static async ValueTask<T> Guarded<T>(ValueTask<T> call)
    {
        try
        {
            return await call;
        }
        catch (StoreUnavailableException exception)
        {
            throw new LogUnavailableException(exception.Message, exception);
        }
    }
}
