using System.Text.Json;
using Belfry.Log;
using Belfry.Outbox;
using Npgsql;
using static Belfry.Postgres.PostgresCommands;

namespace Belfry.Postgres;

/// <summary>
/// The outbox's SQL. A lane's row counts its messages and stays locked from the first message to the commit: sequences become visible in
/// their order, so a relay never passes one by.
/// </summary>
internal static class OutboxTables
{
    private const string Insert = """
        with lane as (
            insert into outbox_lane (name, next_sequence) values ($1, 1 + $2)
            on conflict (name) do update set next_sequence = outbox_lane.next_sequence + $2
            returning id, next_sequence - $2 as first)
        insert into outbox_message (lane_id, sequence, topic, ordering_key, record_key, headers, value)
        select lane.id, lane.first + m.n - 1, m.topic, m.ordering_key, m.record_key, m.headers, m.value
        from lane, unnest($3, $4, $5, $6, $7) with ordinality as m (topic, ordering_key, record_key, headers, value, n)
        """;

    internal const string PendingKeysText = """
        select ordering_key, count(*) from (
            select ordering_key from outbox_message
            where lane_id = (select id from outbox_lane where name = $1) order by sequence limit $2) oldest
        group by ordering_key limit $3
        """;

    public static NpgsqlCommand Add(
        NpgsqlConnection connection, string lane, IReadOnlyList<OutgoingRecord> records) => connection.Statement(
        Insert, Of(lane), Of((long)records.Count), Of(records.Select(r => r.Topic)), Of(records.Select(r => r.OrderingKey)),
        Of(records.Select(r => r.Key)), Of(records.Select(r => Headers.Encode(r.Headers))), Of(records.Select(r => r.Value.ToArray())));

    public static NpgsqlCommand Pending(NpgsqlConnection connection, string lane, int max) => connection.Statement("""
        select sequence, topic, ordering_key, record_key, headers, value from outbox_message
        where lane_id = (select id from outbox_lane where name = $1) order by sequence limit $2
        """, Of(lane), Of(max));

    /// <summary>A key and how many of the oldest messages are its own, a row each, in no order; bodies are not read.</summary>
    public static NpgsqlCommand PendingKeys(NpgsqlConnection connection, string lane, int messagesMax, int keysMax) =>
        connection.Statement(PendingKeysText, Of(lane), Of(messagesMax), Of(keysMax));

    public static NpgsqlCommand Delete(NpgsqlConnection connection, string lane, IReadOnlyList<long> sequences) => connection.Statement("""
        delete from outbox_message where lane_id = (select id from outbox_lane where name = $1) and sequence = any ($2)
        """, Of(lane), Of(sequences));

    public static OutboxMessage Read(NpgsqlDataReader row) => new(row.GetInt64(0), new OutgoingRecord
    {
        Topic = row.Text(1),
        OrderingKey = row.Text(2),
        Key = row.TextOrNull(3),
        Headers = Headers.Decode(row.TextOrNull(4)),
        Value = row.GetFieldValue<byte[]>(5),
    });
}

/// <summary>The headers of a record as a JSON array of names and values by turns; none are a SQL null.</summary>
internal static class Headers
{
    public static string? Encode(IReadOnlyList<KeyValuePair<string, string>> headers) =>
        headers.Count == 0 ? null : JsonSerializer.Serialize(headers.SelectMany(header => (string[])[header.Key, header.Value]));

    public static IReadOnlyList<KeyValuePair<string, string>> Decode(string? json) =>
        json is null ? [] : [.. JsonSerializer.Deserialize<string[]>(json)!.Chunk(2).Select(pair => KeyValuePair.Create(pair[0], pair[1]))];
}
