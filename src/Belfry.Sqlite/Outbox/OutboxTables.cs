using System.Buffers;
using Belfry.Log;
using Belfry.Outbox;
using Microsoft.Data.Sqlite;

namespace Belfry.Sqlite;

/// <summary>
/// The outbox's tables: a lane counts its messages itself, so that a sequence never comes back after a restart or a deletion. A row of
/// messages is an <see cref="OutboxPack"/> with those from <c>sequence</c> to <c>last_sequence</c> that are not deleted yet.
/// </summary>
internal static class OutboxTables
{
    private const string First = """
        create table outbox_lane (id integer primary key, name text not null unique, next_sequence integer not null);
        create table outbox_message (lane_id integer not null, sequence integer not null, last_sequence integer not null,
            messages blob not null, primary key (lane_id, sequence)) without rowid;
        """;

    public static void Create(SqliteConnection connection) => SqliteSchema.Apply(connection, "outbox", First);

    public static void Add(SqliteConnection connection, string lane, IReadOnlyList<OutgoingRecord> records)
    {
        if (records.Count == 0) return;
        var (id, sequence) = Take(connection, lane, records.Count);
        var bytes = new ArrayBufferWriter<byte>(OutboxPack.MessagesMax * 512);
        foreach (var chunk in records.Chunk(OutboxPack.MessagesMax))
        {
            var first = sequence;
            var messages = Array.ConvertAll(chunk, record => new OutboxMessage(sequence++, record));
            connection.Statement(
                    "insert into outbox_message (lane_id, sequence, last_sequence, messages) values (?1, ?2, ?3, ?4)")
                .Bind(1, id).Bind(2, first).Bind(3, sequence - 1).BindBlob(4, OutboxPack.Encode(bytes, first, messages)).Run();
        }
    }

    public static List<OutboxMessage> Pending(SqliteConnection connection, string lane, int max)
    {
        var messages = new List<OutboxMessage>();
        var statement = connection.Statement("""
                select m.sequence, m.messages from outbox_lane l join outbox_message m on m.lane_id = l.id
                where l.name = ?1 order by m.sequence
                """).Bind(1, lane);
        try
        {
            while (messages.Count < max && statement.Step())
                messages.AddRange(OutboxPack.Decode(statement.Int64(0), statement.Blob(1)));
        }
        finally
        {
            statement.Reset();
        }

        if (messages.Count > max) messages.RemoveRange(max, messages.Count - max);
        return messages;
    }

    public static void Delete(SqliteConnection connection, string lane, IReadOnlyList<long> sequences)
    {
        if (LogTables.One(connection.Statement("select id from outbox_lane where name = ?1").Bind(1, lane)) is not { } id) return;
        for (var at = 0; at < sequences.Count;)
        {
            var first = sequences[at];
            var last = first;
            while (++at < sequences.Count && sequences[at] == last + 1) last++;
            DeleteRange(connection, id, first, last);
        }
    }

    private static void DeleteRange(SqliteConnection connection, long lane, long first, long last)
    {
        connection.Statement("delete from outbox_message where lane_id = ?1 and sequence between ?2 and ?3 and last_sequence <= ?3")
            .Bind(1, lane).Bind(2, first).Bind(3, last).Run();
        foreach (var (sequence, messages) in Touched(connection, lane, first, last))
        {
            var left = messages.FindAll(message => message.Sequence < first || message.Sequence > last);
            if (left.Count == messages.Count) continue;
            var change = left.Count == 0
                ? connection.Statement("delete from outbox_message where lane_id = ?1 and sequence = ?2")
                : connection.Statement("update outbox_message set messages = ?3 where lane_id = ?1 and sequence = ?2")
                    .BindBlob(3, OutboxPack.Encode(new ArrayBufferWriter<byte>(), sequence, left));
            change.Bind(1, lane).Bind(2, sequence).Run();
        }
    }

    /// <summary>The rows that hold some of a range, and others besides.</summary>
    private static List<(long Sequence, List<OutboxMessage> Messages)> Touched(
        SqliteConnection connection, long lane, long first, long last)
    {
        var rows = new List<(long, List<OutboxMessage>)>();
        var statement = connection.Statement("""
                select sequence, messages from outbox_message
                where lane_id = ?1 and sequence between ?2 and ?3 and last_sequence >= ?4
                """).Bind(1, lane).Bind(2, first - OutboxPack.MessagesMax + 1).Bind(3, last).Bind(4, first);
        try
        {
            while (statement.Step()) rows.Add((statement.Int64(0), OutboxPack.Decode(statement.Int64(0), statement.Blob(1))));
        }
        finally
        {
            statement.Reset();
        }

        return rows;
    }

    /// <summary>The lane's row id, and the first of <paramref name="count"/> sequences that are now the caller's.</summary>
    private static (long Id, long First) Take(SqliteConnection connection, string lane, int count)
    {
        var statement = connection.Statement("""
                insert into outbox_lane (name, next_sequence) values (?1, 1 + ?2)
                on conflict (name) do update set next_sequence = next_sequence + ?2
                returning id, next_sequence
                """).Bind(1, lane).Bind(2, count);
        try
        {
            statement.Step();
            return (statement.Int64(0), statement.Int64(1) - count);
        }
        finally
        {
            statement.Reset();
        }
    }
}
