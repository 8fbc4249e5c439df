using System.Data.Common;
using System.Text.Json;
using Belfry.Alerting.Events;
using Belfry.Alerting.Storage;
using Dapper;

namespace Belfry.Alerting.Incidents;

/// <summary>The SQL of the incidents module's writer. Every method runs inside the caller's transaction or read.</summary>
internal static class IncidentTables
{
    public static readonly TimeSpan EventStateRetention = TimeSpan.FromDays(14);
    public static readonly TimeSpan ChangeEventRetention = TimeSpan.FromDays(90);

    /// <summary>A prune removes at most this many rows of each table.</summary>
    public const int PruneRowsMax = 2_000;

    private static readonly string[] IncidentColumns =
        ["id", "number", "partition_no", "service_id", "status", "urgency", "created_at", "updated_at", "responders", "document"];

    private static readonly string[] StateColumns =
        ["id", "partition_no", "integration_id", "dedup_key", "progress", "reason", "incident_id", "at_ms"];

    private static readonly string[] ChangeColumns = ["id", "partition_no", "service_id", "at_ms", "document"];

    public static IReadOnlyList<NumberedIncident> Open(DbConnection connection, int partition) =>
    [
        .. connection.Query<(long Number, string Document)>(
            "select number, document from incident where partition_no = @partition and status <> 2", new { partition }).Select(Read),
    ];

    /// <summary>Those of the ids that this partition has.</summary>
    public static IReadOnlyList<NumberedIncident> Named(
        DbConnection connection, SqlDialect dialect, int partition, IReadOnlyList<IncidentId> ids) =>
    [
        .. connection.Query<(long Number, string Document)>(
            $"select number, document from incident where id {dialect.In("@ids")} and partition_no = @partition",
            new { partition, ids = SqlDialect.JsonOf(ids) }).Select(Read),
    ];

    /// <summary>Which of the ids have been processed. Failed ones may come again, repaired.</summary>
    public static IReadOnlyList<EventId> Processed(DbConnection connection, SqlDialect dialect, IReadOnlyCollection<EventId> ids) =>
    [
        .. connection.Query<string>(
            $"select id from event_state where id {dialect.In("@ids")} and progress <> 2",
            new { ids = SqlDialect.JsonOf(ids) }).Select(Id.Parse<EventId>),
    ];

    /// <summary>The greatest id of a state, of all partitions; null when there is none.</summary>
    public static EventId? Newest(DbConnection connection) =>
        connection.ExecuteScalar<string?>("select max(id) from event_state") is { } id ? Id.Parse<EventId>(id) : null;

    /// <summary>Takes <paramref name="count"/> numbers and returns the first.</summary>
    public static long TakeNumbers(DbConnection connection, int count) => connection.ExecuteScalar<long>("""
        insert into incident_counter (name, next_number) values ('incident', 1 + @count)
        on conflict (name) do update set next_number = incident_counter.next_number + @count
        returning next_number
        """, new { count }) - count;

    /// <summary>The text an incident is stored as: made before the transaction, for all writers wait for that.</summary>
    public static string Document(Incident incident) => JsonSerializer.Serialize(incident, IncidentJson.Default.Incident);

    public static void Write(
        DbConnection connection, int partition, IReadOnlyList<(NumberedIncident, string Document)> incidents) =>
        RowWriter.Execute(connection, """
        insert into incident (id, number, partition_no, service_id, status, urgency, created_at, updated_at, responders, document)
        values (@id, @number, @partition_no, @service_id, @status, @urgency, @created_at, @updated_at, @responders, @document)
        on conflict (id) do update set status = excluded.status, urgency = excluded.urgency, updated_at = excluded.updated_at,
            responders = excluded.responders, document = excluded.document
        """, IncidentColumns,
        [
            .. incidents.Select(pair =>
            {
                var ((number, incident), document) = pair;
                return new object?[]
                {
                    incident.Id.ToString(), number, (long)partition, incident.ServiceId.ToString(), (long)incident.Status,
                    (long)incident.Urgency, incident.CreatedAt.ToUnixTimeMilliseconds(), incident.UpdatedAt.ToUnixTimeMilliseconds(),
                    ResponderColumn.Of(incident), document,
                };
            }),
        ]);

    /// <summary>Adds states; of those already there only failed ones are replaced.</summary>
    public static void Write(DbConnection connection, int partition, IReadOnlyList<EventState> states) => RowWriter.Execute(connection, """
        insert into event_state (id, partition_no, integration_id, dedup_key, progress, reason, incident_id, at_ms)
        values (@id, @partition_no, @integration_id, @dedup_key, @progress, @reason, @incident_id, @at_ms)
        on conflict (id) do update set integration_id = excluded.integration_id, dedup_key = excluded.dedup_key,
            progress = excluded.progress,
            reason = excluded.reason, incident_id = excluded.incident_id, at_ms = excluded.at_ms
        where event_state.progress = 2
        """, StateColumns,
        [
            .. states.Select(state => new object?[]
            {
                state.Id.ToString(), (long)partition, state.IntegrationId?.ToString(), Storable(state.DedupKey), (long)state.Progress,
                state.Reason is null ? null : Storable(state.Reason), state.IncidentId?.ToString(), state.At.ToUnixTimeMilliseconds(),
            }),
        ]);

    public static void Write(DbConnection connection, int partition, IReadOnlyList<AlertEvent> changes) => RowWriter.Execute(connection, """
        insert into change_event (id, partition_no, service_id, at_ms, document) values (@id, @partition_no, @service_id, @at_ms, @document)
        on conflict (id) do nothing
        """, ChangeColumns,
        [
            .. changes.Select(change => new object?[]
            {
                change.Id.ToString(), (long)partition, change.ServiceId.ToString(), change.ReceivedAt.ToUnixTimeMilliseconds(),
                JsonSerializer.Serialize(change, IncidentJson.Default.AlertEvent),
            }),
        ]);

    /// <summary>Removes what is past its retention, a bounded lot of each table; true when there may be more.</summary>
    public static bool Prune(DbConnection connection, SqlDialect dialect, int partition, DateTimeOffset now)
    {
        var before = (now - EventStateRetention).ToUnixTimeMilliseconds();
        var states = connection.Execute(PruneStates(dialect), new { before, firstId = Id.FirstOf(before) });
        var changes = connection.Execute(
            $"delete from change_event where id in " +
            $"(select id from change_event where partition_no = @partition and at_ms < @before limit {PruneRowsMax})",
            new { partition, before = (now - ChangeEventRetention).ToUnixTimeMilliseconds() });
        return states >= PruneRowsMax || changes >= PruneRowsMax;
    }

    /// <summary>
    /// A state is written after its id was made, so those to go come first by id. They are those of all partitions, whose ids lie
    /// side by side: whichever owner comes removes them. That breaks no fence, for no decision rests on a state past its retention, and
    /// one that its owner is writing anew at this moment is passed over.
    /// </summary>
    internal static string PruneStates(SqlDialect dialect) => $"""
        with gone as materialized (
            select id from event_state where id < @firstId and at_ms < @before order by id limit {PruneRowsMax} {dialect.SkipLocked})
        delete from event_state where id in (select id from gone)
        """;

    internal static NumberedIncident Read((long Number, string Document) row) =>
        new(row.Number, JsonSerializer.Deserialize(row.Document, IncidentJson.Default.Incident)
            ?? throw new InvalidDataException($"Incident {row.Number} is stored as JSON null."));

    /// <summary>Text without NUL, which PostgreSQL's text type refuses.</summary>
    internal static string Storable(string text) => SqlDialect.Storable(text);
}
