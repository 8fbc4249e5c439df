using System.Text.Json;
using Belfry.Outbox;
using Dapper;

namespace Belfry.Alerting.Timeline;

/// <summary>A line of an incident's story in its place.</summary>
/// <param name="Sequence">From 1, without gaps, per incident.</param>
/// <param name="Entry">What happened.</param>
public sealed record TimelineEntry(long Sequence, LogEntry Entry);

/// <summary>Reads the timeline: what the fold has taken in so far. Safe for use by several threads.</summary>
public sealed class TimelineReader(IOutboxStore store)
{
    public const int LimitMax = 1_000;

    /// <summary>
    /// An incident's entries in order of sequence, or with null those of all incidents, newest first; and how many there are.
    /// </summary>
    /// <param name="incidentId">Whose, or null for all.</param>
    /// <param name="offset">How many to skip, 0 or more.</param>
    /// <param name="limit">At most how many, 1 to <see cref="LimitMax"/>.</param>
    /// <param name="cancel">Ends the wait.</param>
    public ValueTask<(IReadOnlyList<TimelineEntry> Entries, long Total)> ListAsync(
        IncidentId? incidentId, int offset, int limit, CancellationToken cancel)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        if (limit is < 1 or > LimitMax)
            throw new ArgumentOutOfRangeException(nameof(limit), limit, $"A list holds 1 to {LimitMax} entries.");
        var where = incidentId is null ? "1 = 1" : "incident_id = @incident";
        var order = incidentId is null ? "at_ms desc, incident_id desc, sequence desc" : "sequence";
        return store.ReadAsync(connection =>
        {
            var parameters = new { incident = incidentId?.ToString(), offset, limit };
            var total = connection.ExecuteScalar<long>($"select count(*) from timeline_entry where {where}", parameters);
            var rows = connection.Query<(long, string)>(
                $"select sequence, document from timeline_entry where {where} order by {order} limit @limit offset @offset", parameters);
            return ValueTask.FromResult<(IReadOnlyList<TimelineEntry>, long)>(([.. rows.Select(Read)], total));
        }, cancel);
    }

    /// <summary>Null when there is no such entry.</summary>
    public ValueTask<TimelineEntry?> FindAsync(EventId entryId, CancellationToken cancel) => store.ReadAsync(connection =>
        ValueTask.FromResult(connection.Query<(long, string)>(
            "select sequence, document from timeline_entry where entry_id = @id",
            new { id = entryId.ToString() }).Select(Read).SingleOrDefault()), cancel);

    private static TimelineEntry Read((long Sequence, string Document) row) =>
        new(row.Sequence, JsonSerializer.Deserialize(row.Document, TimelineJson.Default.LogEntry)
            ?? throw new InvalidDataException("A timeline entry is stored as JSON null."));
}
