using System.Data.Common;
using System.Text.Json;
using Belfry.Alerting.Storage;
using Belfry.Log;
using Belfry.Outbox;
using Dapper;

namespace Belfry.Alerting.Timeline;

/// <summary>
/// Folds <c>incident-log</c> into the timeline: each entry id once, numbered per incident in the order of the log. What it writes is a
/// function of the log alone, so a second fold gives the same rows.
/// </summary>
internal sealed class TimelineFold(int partition, IOutboxStore store, Action changed) : IBatchFold
{
    public const string Scope = "timeline";

    private static readonly string[] Columns =
        ["incident_id", "sequence", "entry_id", "partition_no", "log_offset", "at_ms", "document"];

    private readonly PartitionFence _fence = new(Scope, partition);

    public ValueTask<IReadOnlyDictionary<TopicPartition, long>> LoadAsync(CancellationToken cancel) => store.WriteAsync(tx =>
    {
        _fence.TakeOver(tx.Connection);
        return ValueTask.FromResult(_fence.Positions(tx.Connection));
    }, cancel);

    public async ValueTask FoldAsync(IReadOnlyList<LogRecord> batch, CancellationToken cancel)
    {
        var entries = new List<(long Offset, LogEntry Entry)>(batch.Count);
        var rejected = new List<(LogRecord Record, string Reason)>();
        foreach (var record in batch)
            if (TimelineJson.Decode(record, out var reason) is { } entry) entries.Add((record.Offset, entry));
            else rejected.Add((record, reason));
        await store.WriteAsync(tx =>
        {
            _fence.Check(tx.Connection);
            Add(tx.Connection, entries);
            PutAside(tx.Connection, rejected);
            _fence.SavePositions(tx.Connection, batch);
            return ValueTask.FromResult(true);
        }, cancel);
        changed();
    }

    public async ValueTask RejectAsync(LogRecord record, string reason, CancellationToken cancel) => await store.WriteAsync(tx =>
    {
        _fence.Check(tx.Connection);
        PutAside(tx.Connection, [(record, reason)]);
        _fence.SavePositions(tx.Connection, [record]);
        return ValueTask.FromResult(true);
    }, cancel);

    public ValueTask StopAsync(CancellationToken cancel) => ValueTask.CompletedTask;

    private void Add(DbConnection connection, List<(long Offset, LogEntry Entry)> entries)
    {
        if (entries.Count == 0) return;
        var seen = connection.Query<string>(
            "select entry_id from timeline_entry where entry_id in @ids",
            new { ids = entries.Select(e => e.Entry.Id.ToString()).Distinct() }).ToHashSet();
        var last = connection.Query<(string Incident, long Sequence)>(
                "select incident_id, max(sequence) from timeline_entry where incident_id in @ids group by incident_id",
                new { ids = entries.Select(e => e.Entry.IncidentId.ToString()).Distinct() })
            .ToDictionary(row => row.Incident, row => row.Sequence);
        var rows = new List<object?[]>(entries.Count);
        foreach (var (offset, entry) in entries)
        {
            if (!seen.Add(entry.Id.ToString())) continue;
            var incident = entry.IncidentId.ToString();
            var sequence = last[incident] = last.GetValueOrDefault(incident) + 1;
            rows.Add(
                [incident, sequence, entry.Id.ToString(), (long)partition, offset, entry.At.ToUnixTimeMilliseconds(), Document(entry)]);
        }

        RowWriter.Execute(connection, """
            insert into timeline_entry (incident_id, sequence, entry_id, partition_no, log_offset, at_ms, document)
            values (@incident_id, @sequence, @entry_id, @partition_no, @log_offset, @at_ms, @document)
            """, Columns, rows);
    }

    private void PutAside(DbConnection connection, List<(LogRecord Record, string Reason)> rejected) => RowWriter.Execute(connection, """
        insert into timeline_rejected (partition_no, log_offset, reason, value) values (@partition_no, @log_offset, @reason, @value)
        on conflict (partition_no, log_offset) do nothing
        """, ["partition_no", "log_offset", "reason", "value"],
        [.. rejected.Select(row => new object?[] { (long)partition, row.Record.Offset, row.Reason, row.Record.Value.ToArray() })]);

    /// <summary>The one text form of an entry, which the comparison hashes.</summary>
    internal static string Document(LogEntry entry) => JsonSerializer.Serialize(entry, TimelineJson.Default.LogEntry);
}
