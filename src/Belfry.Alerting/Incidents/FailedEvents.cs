using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Events;
using Belfry.Log;
using Belfry.Outbox;

namespace Belfry.Alerting.Incidents;

/// <summary>A record of <c>failed-events</c>: an event, or a command, that could not be processed.</summary>
/// <param name="Partition">With the offset its name.</param>
/// <param name="Offset">Its place in the partition.</param>
/// <param name="FailedAt">When it was put aside, UTC.</param>
/// <param name="Id">The id that its state is kept under.</param>
/// <param name="Reason">Why it failed.</param>
/// <param name="Source">Where it was read first, as <c>topic/partition@offset</c>.</param>
/// <param name="IsCommand">True: it came from <c>incident-commands</c>.</param>
/// <param name="SizeBytes">Of the whole record.</param>
/// <param name="Start">Its first bytes as text, at most <see cref="FailedEvents.StartBytesMax"/>.</param>
public sealed record FailedEvent(
    int Partition, long Offset, DateTimeOffset FailedAt, EventId Id, string Reason, string Source, bool IsCommand, int SizeBytes,
    string Start);

/// <summary>Part of the list of failed events, newest first.</summary>
/// <param name="Items">At most as many as asked for.</param>
/// <param name="Next">Where the next part begins; null: that was all.</param>
public sealed record FailedEventPage(IReadOnlyList<FailedEvent> Items, string? Next);

/// <summary>Lists <c>failed-events</c> and puts records of it back on their way. Any thread. Sibling: <c>DeliveryReplay</c>.</summary>
public sealed class FailedEvents(IPartitionedLog log, IOutboxStore store, Topics topics, EventTrail trail)
{
    /// <summary>Names an event whose bytes do not say their id, so that its state stays one however often it is replayed.</summary>
    public const string IdHeader = "event-id";

    public const int StartBytesMax = 2_048;
    public const int LimitMax = 100;
    private const int ReadsMax = 20;

    /// <summary>The newest failed events, of all partitions together by the time they failed.</summary>
    /// <param name="from">The <see cref="FailedEventPage.Next"/> of the part before; null: the newest. Unreadable: null comes back.</param>
    /// <param name="limit">1 to <see cref="LimitMax"/>.</param>
    /// <param name="cancel">Ends the reading.</param>
    /// <exception cref="LogUnavailableException">Retryable.</exception>
    public async ValueTask<FailedEventPage?> ListAsync(string? from, int limit, CancellationToken cancel)
    {
        if (limit is < 1 or > LimitMax)
            throw new ArgumentOutOfRangeException(nameof(limit), limit, $"A list holds 1 to {LimitMax} failed events.");
        if (!TryReadCursor(from, out var ends)) return null;
        var rests = new List<Rest>();
        foreach (var partition in ends?.Keys ?? Enumerable.Range(0, topics.FailedEvents.Partitions))
        {
            var (start, end) = await log.OffsetsAsync(SourceOf(partition), cancel);
            var before = Math.Min(end, ends?[partition] ?? end);
            if (before > start) rests.Add(await ReadBackAsync(partition, start, before, limit, cancel));
        }

        var items = new List<FailedEvent>(limit);
        while (items.Count < limit && rests.Where(rest => rest.Newest is not null).MaxBy(rest => rest.Newest!.FailedAt) is { } next)
            items.Add(next.Take());
        var left = rests.Where(rest => rest.HasMore).Select(rest => $"{rest.Partition}-{rest.Before}").ToList();
        return new FailedEventPage(items, left.Count == 0 ? null : string.Join('.', left));
    }

    /// <summary>
    /// Puts the bytes back on the topic they came from, under the same ordering key and id, and says so in the audit log first. Harmless
    /// if it is asked for twice: what was processed is not processed again, and what fails again is put aside again.
    /// </summary>
    /// <returns>What was replayed; null: there is no such record (any more).</returns>
    /// <exception cref="LogUnavailableException">It may be on its way all the same; retryable. Likewise of the store.</exception>
    public async ValueTask<FailedEvent?> ReplayAsync(int partition, long offset, Actor by, DateTimeOffset now, CancellationToken cancel)
    {
        if (partition < 0 || partition >= topics.FailedEvents.Partitions || offset < 0) return null;
        var read = await log.ReadAsync(SourceOf(partition), offset, 1, cancel);
        if (read is not [var record] || record.Offset != offset) return null;
        var failed = Of(record);
        await store.WriteAsync(tx =>
        {
            AuditLog.Append(
                tx.Connection, by, now, "replay", "failed_event", $"{partition}/{offset}", null,
                JsonSerializer.Serialize(failed.Id, IncidentJson.Default.EventId));
            return ValueTask.FromResult(true);
        }, cancel);
        await log.AppendAsync([ReplayOf(record, failed)], cancel);
        trail.Moved(MarkOf(record, failed, now));
        return failed;
    }

    private OutgoingRecord ReplayOf(LogRecord record, FailedEvent failed) => new()
    {
        Topic = failed.IsCommand ? topics.IncidentCommands.Name : topics.IncomingEvents.Name,
        OrderingKey = record.Key ?? "",
        Value = record.Value,
        Headers =
        [
            .. record.Headers.Where(pair => pair.Key is not (IncidentRecords.Reason or IncidentRecords.Source or IdHeader)),
            new(IdHeader, failed.Id.ToString()),
        ],
    };

    private static EventMark MarkOf(LogRecord record, FailedEvent failed, DateTimeOffset now)
    {
        try
        {
            if (!failed.IsCommand) return EventMark.Of(EventRecords.Decode(record.Value.Span), EventProgress.Received, now);
        }
        catch (JsonException)
        {
            // It will fail again; until then its id is all that is known.
        }

        return new EventMark { Id = failed.Id, Progress = EventProgress.Received, At = now };
    }

    /// <summary>The newest records before an offset, over gaps, in a bounded number of reads.</summary>
    private async ValueTask<Rest> ReadBackAsync(int partition, long start, long before, int count, CancellationToken cancel)
    {
        var found = new List<FailedEvent>(count);
        var to = before;
        for (var reads = 0; reads < ReadsMax && found.Count < count && to > start; reads++)
        {
            var at = Math.Max(start, to - count);
            var lot = await log.ReadAsync(SourceOf(partition), at, (int)(to - at), cancel);
            found.InsertRange(0, lot.Where(record => record.Offset < to).Select(Of));
            to = at;
        }

        return new Rest(partition, start, before, to, found);
    }

    private FailedEvent Of(LogRecord record)
    {
        var source = HeaderOf(record, IncidentRecords.Source) ?? record.ToString();
        var start = record.Value.Span[..Math.Min(record.Value.Length, StartBytesMax)];

        // Not half a character, where it is text.
        if (record.Value.Length > StartBytesMax && Rune.DecodeLastFromUtf8(start, out _, out var last) == OperationStatus.NeedMoreData)
            start = start[..^last];
        return new FailedEvent(
            record.Source.Partition, record.Offset, record.AppendedAt, IncidentDecoder.IdOf(record, source),
            HeaderOf(record, IncidentRecords.Reason) ?? "(no reason given)", source,
            source.StartsWith(topics.IncidentCommands.Name + "/", StringComparison.Ordinal), record.Value.Length,
            Encoding.UTF8.GetString(start));
    }

    private static string? HeaderOf(LogRecord record, string name)
    {
        foreach (var (key, text) in record.Headers)
            if (key == name) return text;
        return null;
    }

    private TopicPartition SourceOf(int partition) => new(topics.FailedEvents.Name, partition);

    // partition-offset, divided by full stops: of each partition that has more, the offset to go on before.
    private bool TryReadCursor(string? text, out SortedDictionary<int, long>? ends)
    {
        ends = null;
        if (string.IsNullOrEmpty(text)) return true;
        ends = [];
        foreach (var part in text.Split('.'))
        {
            if (part.Split('-') is not [var first, var second]) return false;
            if (!int.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out var partition)
                || !long.TryParse(second, NumberStyles.None, CultureInfo.InvariantCulture, out var before)
                || partition >= topics.FailedEvents.Partitions || !ends.TryAdd(partition, before)) return false;
        }

        return true;
    }

    /// <summary>What a partition still has to give: read records up to <paramref name="before"/>, and maybe more before those.</summary>
    private sealed class Rest(int partition, long start, long before, long readTo, List<FailedEvent> found)
    {
        public int Partition => partition;
        public FailedEvent? Newest => found.Count == 0 ? null : found[^1];
        public bool HasMore => found.Count > 0 || readTo > start;

        /// <summary>All that was not taken lies before this.</summary>
        public long Before { get; private set; } = found.Count == 0 ? readTo : before;

        public FailedEvent Take()
        {
            var newest = found[^1];
            found.RemoveAt(found.Count - 1);
            Before = found.Count == 0 ? readTo : newest.Offset;
            return newest;
        }
    }
}
