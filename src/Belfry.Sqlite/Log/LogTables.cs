using Belfry.Log;
using Microsoft.Data.Sqlite;

namespace Belfry.Sqlite;

/// <summary>
/// The tables of the log. A record's key is one integer, its position: the partition's row id in the upper bits, the offset in the
/// lower 40, so that a partition is one run of the table's b-tree.
/// </summary>
internal static class LogTables
{
    /// <summary>About 10^12 offsets a partition, and 2^23 partitions.</summary>
    private const int OffsetBits = 40;

    // end_at_least: the end is derived from the newest record; clean-up that may remove that one notes the end here first.
    private const string First = """
        create table log_topic (name text primary key, partitions integer not null) without rowid;
        create table log_partition (id integer primary key, topic text not null, partition_no integer not null,
            end_at_least integer not null default 0, compacted_to integer not null default 0, unique (topic, partition_no));
        create table log_record (position integer primary key, appended_at integer not null, key text, headers blob, value blob not null);
        create table log_commit (group_name text not null, topic text not null, partition_no integer not null, next_offset integer not null,
            primary key (group_name, topic, partition_no)) without rowid;
        """;

    public static void Create(SqliteConnection connection) => SqliteSchema.Apply(connection, "log", First);

    public static long Position(long partitionId, long offset) => (partitionId << OffsetBits) | offset;

    public static long Offset(long position) => position & ((1L << OffsetBits) - 1);

    /// <summary>Creates the topic unless it is there.</summary>
    /// <returns>For each partition its row id, start and end.</returns>
    /// <exception cref="TopicMismatchException">It is there with another partition count.</exception>
    public static List<(long Id, long Start, long End)> Declare(SqliteConnection connection, TopicDeclaration topic)
    {
        var found = One(connection.Statement("select partitions from log_topic where name = ?1").Bind(1, topic.Name));
        if (found is { } count && count != topic.Partitions) throw new TopicMismatchException(topic.Name, topic.Partitions, (int)count);
        if (found is null)
        {
            connection.Statement("insert into log_topic (name, partitions) values (?1, ?2)")
                .Bind(1, topic.Name).Bind(2, topic.Partitions).Run();
            for (var partition = 0; partition < topic.Partitions; partition++)
                connection.Statement("insert into log_partition (topic, partition_no) values (?1, ?2)")
                    .Bind(1, topic.Name).Bind(2, partition).Run();
        }

        return [.. Enumerable.Range(0, topic.Partitions).Select(partition => Extent(connection, topic.Name, partition))];
    }

    public static void Insert(SqliteConnection connection, long position, long appendedAtMs, string key, byte[]? headers,
        ReadOnlySpan<byte> value)
    {
        var insert = connection.Statement("insert into log_record (position, appended_at, key, headers, value) values (?1, ?2, ?3, ?4, ?5)")
            .Bind(1, position).Bind(2, appendedAtMs).Bind(3, key);
        (headers is null ? insert.BindNull(4) : insert.BindBlob(4, headers)).BindBlob(5, value).Run();
    }

    /// <summary>
    /// Records with offsets from <paramref name="from"/> to below <paramref name="end"/>; stops after so many records or bytes, past the
    /// first.
    /// </summary>
    public static List<LogRecord> Read(
        SqliteConnection connection, long partitionId, TopicPartition source, long from, long end, int max, long bytesMax)
    {
        var records = new List<LogRecord>();
        var statement = connection.Statement(
                "select position, appended_at, key, headers, value from log_record where position >= ?1 and position < ?2 " +
                "order by position limit ?3")
            .Bind(1, Position(partitionId, from)).Bind(2, Position(partitionId, end)).Bind(3, max);
        try
        {
            for (long bytes = 0; bytes < bytesMax && statement.Step();)
            {
                var value = statement.Blob(4).ToArray();
                bytes += value.Length;
                records.Add(new LogRecord
                {
                    Source = source,
                    Offset = Offset(statement.Int64(0)),
                    AppendedAt = DateTimeOffset.FromUnixTimeMilliseconds(statement.Int64(1)),
                    Key = statement.Text(2),
                    Headers = RecordHeaders.Decode(statement.Blob(3)),
                    Value = value,
                });
            }
        }
        finally
        {
            statement.Reset();
        }

        return records;
    }

    public static void Commit(SqliteConnection connection, string group, TopicPartition source, long nextOffset) =>
        connection.Statement("""
            insert into log_commit (group_name, topic, partition_no, next_offset) values (?1, ?2, ?3, ?4)
            on conflict (group_name, topic, partition_no) do update set next_offset = excluded.next_offset
            """).Bind(1, group).Bind(2, source.Topic).Bind(3, source.Partition).Bind(4, nextOffset).Run();

    public static Dictionary<(string Group, TopicPartition Source), long> Commits(SqliteConnection connection)
    {
        var commits = new Dictionary<(string, TopicPartition), long>();
        var statement = connection.Statement("select group_name, topic, partition_no, next_offset from log_commit");
        while (statement.Step())
            commits[(statement.Text(0)!, new TopicPartition(statement.Text(1)!, (int)statement.Int64(2)))] = statement.Int64(3);
        statement.Reset();
        return commits;
    }

    /// <summary>The first offset still there, or <paramref name="end"/>.</summary>
    public static long Start(SqliteConnection connection, long partitionId, long end) =>
        One(connection.Statement("select position from log_record where position >= ?1 and position < ?2 order by position limit 1")
            .Bind(1, Position(partitionId, 0)).Bind(2, Position(partitionId, end))) is { } position ? Offset(position) : end;

    /// <summary>The first column of the first row; null for none, or for a null in it.</summary>
    public static long? One(SqliteStatement statement)
    {
        try
        {
            return statement.Step() && !statement.IsNull(0) ? statement.Int64(0) : null;
        }
        finally
        {
            statement.Reset();
        }
    }

    private static (long Id, long Start, long End) Extent(SqliteConnection connection, string topic, int partition)
    {
        var statement = connection.Statement("select id, end_at_least from log_partition where topic = ?1 and partition_no = ?2")
            .Bind(1, topic).Bind(2, partition);
        statement.Step();
        var (id, endAtLeast) = (statement.Int64(0), statement.Int64(1));
        statement.Reset();
        var newest = One(connection.Statement("select max(position) from log_record where position >= ?1 and position < ?2")
            .Bind(1, Position(id, 0)).Bind(2, Position(id + 1, 0)));
        var end = Math.Max(endAtLeast, newest is { } position ? Offset(position) + 1 : 0);
        return (id, Start(connection, id, end), end);
    }
}
