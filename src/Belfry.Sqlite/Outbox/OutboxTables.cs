using Belfry.Log;
using Belfry.Outbox;
using Microsoft.Data.Sqlite;

namespace Belfry.Sqlite;

/// <summary>
/// The outbox's tables: a lane counts its messages itself, so that a sequence never comes back after a restart or a deletion.
/// </summary>
internal static class OutboxTables
{
    private const string First = """
        create table outbox_lane (id integer primary key, name text not null unique, next_sequence integer not null);
        create table outbox_message (lane_id integer not null, sequence integer not null, topic text not null, ordering_key text not null,
            key text, headers blob, value blob not null, primary key (lane_id, sequence)) without rowid;
        """;

    public static void Create(SqliteConnection connection) => SqliteSchema.Apply(connection, "outbox", First);

    public static void Add(SqliteConnection connection, string lane, IReadOnlyList<OutgoingRecord> records)
    {
        if (records.Count == 0) return;
        var (id, sequence) = Take(connection, lane, records.Count);
        foreach (var record in records)
        {
            var insert = connection.Statement("""
                    insert into outbox_message (lane_id, sequence, topic, ordering_key, key, headers, value)
                    values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                    """).Bind(1, id).Bind(2, sequence++).Bind(3, record.Topic).Bind(4, record.OrderingKey).Bind(5, record.Key);
            (RecordHeaders.Encode(record.Headers) is { } headers ? insert.BindBlob(6, headers) : insert.BindNull(6))
                .BindBlob(7, record.Value.Span).Run();
        }
    }

    public static List<OutboxMessage> Pending(SqliteConnection connection, string lane, int max)
    {
        var messages = new List<OutboxMessage>();
        var statement = connection.Statement("""
                select m.sequence, m.topic, m.ordering_key, m.key, m.headers, m.value
                from outbox_lane l join outbox_message m on m.lane_id = l.id
                where l.name = ?1 order by m.sequence limit ?2
                """).Bind(1, lane).Bind(2, max);
        try
        {
            while (statement.Step())
                messages.Add(new OutboxMessage(statement.Int64(0), new OutgoingRecord
                {
                    Topic = statement.Text(1)!,
                    OrderingKey = statement.Text(2)!,
                    Key = statement.Text(3),
                    Headers = RecordHeaders.Decode(statement.Blob(4)),
                    Value = statement.Blob(5).ToArray(),
                }));
        }
        finally
        {
            statement.Reset();
        }

        return messages;
    }

    /// <summary>Sequences that follow one another go in one statement.</summary>
    public static void Delete(SqliteConnection connection, string lane, IReadOnlyList<long> sequences)
    {
        for (var at = 0; at < sequences.Count;)
        {
            var first = sequences[at];
            var last = first;
            while (++at < sequences.Count && sequences[at] == last + 1) last++;
            connection.Statement("""
                    delete from outbox_message
                    where lane_id = (select id from outbox_lane where name = ?1) and sequence between ?2 and ?3
                    """)
                .Bind(1, lane).Bind(2, first).Bind(3, last).Run();
        }
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
