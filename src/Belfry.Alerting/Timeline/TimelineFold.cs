using System.Data.Common;
using System.Text;
using Belfry.Alerting.Storage;
using Belfry.Log;
using Belfry.Outbox;

namespace Belfry.Alerting.Timeline;

/// <summary>
/// Folds <c>incident-log</c> into the timeline: each entry id once, numbered per incident in the order of the log. What it writes is a
/// function of the log alone, so a second fold gives the same rows.
/// </summary>
internal sealed class TimelineFold(int partition, IOutboxStore store, Action changed) : IBatchFold
{
    public const string Scope = "timeline";

    private static readonly string[] Columns = ["incident_id", "entry_id", "partition_no", "log_offset", "at_ms", "document"];

    // The next number of its incident, unless the entry is there. Each row sees those before it. (Not from a select: SQLite would make a
    // temporary table for each row, since the select reads what the insert writes.)
    private const string Insert = """
        insert into timeline_entry (incident_id, sequence, entry_id, partition_no, log_offset, at_ms, document)
        values (@incident_id, (select 1 + coalesce(max(sequence), 0) from timeline_entry where incident_id = @incident_id),
            @entry_id, @partition_no, @log_offset, @at_ms, @document)
        on conflict (entry_id) do nothing
        """;

    private readonly PartitionFence _fence = new(Scope, partition);

    public ValueTask<IReadOnlyDictionary<TopicPartition, long>> LoadAsync(CancellationToken cancel) => store.WriteAsync(tx =>
    {
        _fence.TakeOver(tx.Connection);
        return ValueTask.FromResult(_fence.Positions(tx.Connection));
    }, cancel);

    public async ValueTask FoldAsync(IReadOnlyList<LogRecord> batch, CancellationToken cancel)
    {
        var rows = new List<object?[]>(batch.Count);
        var rejected = new List<(LogRecord Record, string Reason)>();
        foreach (var record in batch)
            if (TimelineJson.Decode(record, out var reason) is { } entry) rows.Add(RowOf(record, entry));
            else rejected.Add((record, reason));
        await store.WriteAsync(tx =>
        {
            _fence.Check(tx.Connection);
            RowWriter.Execute(tx.Connection, Insert, Columns, rows);
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

    private object?[] RowOf(LogRecord record, LogEntry entry) =>
    [
        entry.IncidentId.ToString(), entry.Id.ToString(), (long)partition, record.Offset, entry.At.ToUnixTimeMilliseconds(),
        Document(record),
    ];

    private void PutAside(DbConnection connection, List<(LogRecord Record, string Reason)> rejected) => RowWriter.Execute(connection, """
        insert into timeline_rejected (partition_no, log_offset, reason, value) values (@partition_no, @log_offset, @reason, @value)
        on conflict (partition_no, log_offset) do nothing
        """, ["partition_no", "log_offset", "reason", "value"],
        [.. rejected.Select(row => new object?[] { (long)partition, row.Record.Offset, row.Reason, row.Record.Value.ToArray() })]);

    /// <summary>The text an entry is kept as, which the comparison hashes: as it came.</summary>
    internal static string Document(LogRecord record) => SqlDialect.Storable(Encoding.UTF8.GetString(record.Value.Span));
}
