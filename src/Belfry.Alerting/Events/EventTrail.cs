using System.Diagnostics.Metrics;
using System.Threading.Channels;
using Belfry.Log;
using Microsoft.Extensions.Logging;

namespace Belfry.Alerting.Events;

/// <summary>
/// What became of events, as hints that all processes share: for looking up, never for deciding. The truth on what was processed or
/// failed is in the store; without the trail nothing is lost but what was received and not yet processed, and the refusals of other
/// processes. Noting waits for nothing and is dropped, with a count, when hints come faster than their store takes them. Any thread.
/// Source: design section 9.
/// </summary>
/// <param name="hints">Where the notes are kept.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Hears of what was dropped.</param>
/// <param name="isOfOneProcess">
/// True: nobody else processes or looks up what this process receives. Then what was received is kept apart from the notes, which cost as
/// much as taking an event in.
/// </param>
public sealed partial class EventTrail(IHintStore hints, TimeProvider time, ILogger logger, bool isOfOneProcess = false)
{
    /// <summary>Notes that wait to be written; past it the newest are dropped.</summary>
    public const int WaitingMax = 16_384;
    private const int LotMax = 500;

    // By dedup key an event is found among the newest of its integration's in one of these lists.
    private const int ListsOfIntegration = 16;
    private const int ListEntriesMax = 100;
    private static readonly TimeSpan OpenFor = TimeSpan.FromHours(24);

    // What has ended is in the store.
    private static readonly TimeSpan EndedFor = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan RefusedFor = TimeSpan.FromDays(7);
    private static readonly TimeSpan LogEvery = TimeSpan.FromMinutes(1);

    private static readonly Counter<long> DroppedCounter = new Meter("Belfry.Alerting.Events").CreateCounter<long>(
        "belfry.events.trail_dropped", description: "Notes on events that were not kept: their store is away or too slow.");

    private readonly Channel<Note> _waiting =
        Channel.CreateBounded<Note>(new BoundedChannelOptions(WaitingMax) { SingleReader = true });
    private readonly RecentEvents? _recent = isOfOneProcess ? new() : null;

    private long _dropped;
    private long _droppedLogged;
    private DateTimeOffset? _loggedAt;

    /// <summary>Notes that were not kept, since the start.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    /// <summary>Notes that the event was accepted. Never waits.</summary>
    public void Received(AlertEvent alertEvent)
    {
        if (_recent is not null) _recent.Add(alertEvent);
        else Add(new Note(EventMark.Of(alertEvent, EventProgress.Received, alertEvent.ReceivedAt), null, null, false));
    }

    /// <summary>Notes that an event failed, or was put back on its way. Never waits.</summary>
    public void Moved(EventMark mark) => Add(new Note(mark, null, null, true));

    /// <summary>
    /// Notes that an event was processed: what it led to is in the store, and its mark need not be kept for long. Never waits.
    /// </summary>
    public void Ended(EventId id)
    {
        if (_recent is null) Add(new Note(null, null, null, true) { Ended = id });
    }

    /// <summary>Notes that an event was not taken in; null: it carried no known routing key. Never waits.</summary>
    public void Refused(IntegrationId? integration, RefusedEvent refused) => Add(new Note(null, refused, integration, false));

    /// <summary>Writes what was noted, until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        var lot = new List<Note>(LotMax);
        while (await _waiting.Reader.WaitToReadAsync(cancel))
        {
            lot.Clear();
            while (lot.Count < LotMax && _waiting.Reader.TryRead(out var note)) lot.Add(note);
            if (!await hints.WriteAsync([.. lot.SelectMany(HintsOf)], cancel)) Drop(lot.Count);
            LogDropped();
        }
    }

    /// <summary>The newest mark of an event; null when there is none, or the trail cannot be read.</summary>
    public async ValueTask<EventMark?> FindAsync(EventId id, CancellationToken cancel)
    {
        var found = await hints.ValuesAsync([KeyOf(id), FailedKeyOf(id)], cancel);
        var (seen, failed) = (MarkOf(found?[0]) ?? _recent?.Find(id), MarkOf(found?[1]));
        if (seen is null || failed is null) return seen ?? failed;

        // A record that failed may not have been readable; what was known of the event when it was received is.
        return seen.At > failed.At
            ? seen
            : seen with { Progress = failed.Progress, At = failed.At, Reason = failed.Reason };
    }

    /// <summary>Marks of events as they were received, newest first; empty when the trail cannot be read.</summary>
    public async ValueTask<IReadOnlyList<EventMark>> ReceivedAsync(IntegrationId integration, string dedupKey, CancellationToken cancel)
    {
        var entries = await hints.EntriesAsync(ListKeyOf(integration, dedupKey), ListEntriesMax, cancel);
        var recent = _recent?.OfKey(integration, dedupKey, ListEntriesMax) ?? [];
        return [.. recent, .. (entries ?? []).Select(EventMark.Decode).OfType<EventMark>().Where(mark => mark.DedupKey == dedupKey)];
    }

    /// <summary>
    /// The last <see cref="RefusedEvents.KeptMax"/> refused events of an integration, by all processes, newest first; of null: those that
    /// carried no known routing key. Null: the trail cannot be read.
    /// </summary>
    public async ValueTask<IReadOnlyList<RefusedEvent>?> RefusedAsync(IntegrationId? integration, CancellationToken cancel) =>
        await hints.EntriesAsync(RefusedKeyOf(integration), RefusedEvents.KeptMax, cancel) is { } entries
            ? [.. entries.Select(RefusedEvent.Decode).OfType<RefusedEvent>()]
            : null;

    private static EventMark? MarkOf(ReadOnlyMemory<byte>? bytes) => bytes is { } found ? EventMark.Decode(found) : null;

    private void Add(in Note note)
    {
        if (!_waiting.Writer.TryWrite(note)) Drop(1);
    }

    private void Drop(int count)
    {
        Interlocked.Add(ref _dropped, count);
        DroppedCounter.Add(count);
    }

    private void LogDropped()
    {
        var dropped = Dropped;
        var now = time.GetUtcNow();
        if (dropped == _droppedLogged || now - _loggedAt < LogEvery) return;
        NotKept(dropped - _droppedLogged);
        (_droppedLogged, _loggedAt) = (dropped, now);
    }

    private static IEnumerable<Hint> HintsOf(Note note)
    {
        if (note.Refused is { } refused)
        {
            yield return Entry(RefusedKeyOf(note.RefusedOf), refused.Encode(), RefusedEvents.KeptMax, RefusedFor);
            yield break;
        }

        if (note.Ended is { } ended)
        {
            // The note of the receipt may come after this one: an empty value holds its place.
            yield return Value(HintKind.FirstValue, KeyOf(ended), [], EndedFor);
            yield return new Hint { Kind = HintKind.Expiry, Key = KeyOf(ended), KeptFor = EndedFor };
            yield break;
        }

        var mark = note.Mark!;
        var bytes = mark.Encode();
        if (mark.Progress == EventProgress.Failed)
        {
            yield return Value(HintKind.Value, FailedKeyOf(mark.Id), bytes, OpenFor);
            yield break;
        }

        yield return Value(note.Replaces ? HintKind.Value : HintKind.FirstValue, KeyOf(mark.Id), bytes, OpenFor);
        if (mark is { Progress: EventProgress.Received, IntegrationId: { } integration, DedupKey: { Length: > 0 } dedupKey })
            yield return Entry(ListKeyOf(integration, dedupKey), bytes, ListEntriesMax, OpenFor);
    }

    private static Hint Value(HintKind kind, string key, byte[] bytes, TimeSpan keptFor) =>
        new() { Kind = kind, Key = key, Bytes = bytes, KeptFor = keptFor };

    private static Hint Entry(string key, byte[] bytes, int entriesMax, TimeSpan keptFor) =>
        new() { Kind = HintKind.Entry, Key = key, Bytes = bytes, KeptFor = keptFor, EntriesMax = entriesMax };

    private static string KeyOf(EventId id) => $"event:{id}";
    private static string FailedKeyOf(EventId id) => $"event-failed:{id}";
    private static string RefusedKeyOf(IntegrationId? integration) => $"refused:{integration?.ToString() ?? "none"}";

    private static string ListKeyOf(IntegrationId integration, string dedupKey) =>
        $"events:{integration}:{Partitioner.PartitionOf(dedupKey, ListsOfIntegration)}";

    private readonly record struct Note(EventMark? Mark, RefusedEvent? Refused, IntegrationId? RefusedOf, bool Replaces)
    {
        public EventId? Ended { get; init; }
    }

    [LoggerMessage(
        141, LogLevel.Warning,
        "{Count} notes on what became of events were not kept, for their store is away or too slow; look-ups answer from the store")]
    private partial void NotKept(long count);
}
