using Belfry.Log;

namespace Belfry.Testing;

/// <summary>Parked records in memory; as it is, or through <see cref="On"/> as a node of a world sees it.</summary>
public sealed class SimulatedParkedRecordStore : IParkedRecordStore
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Group, TopicPartition Source), Shelf> _shelves = [];

    public IParkedRecordStore On(SimulatedNode node) => new View(this, node);

    /// <summary>All that is parked of a group, over all partitions.</summary>
    public int CountOf(string group)
    {
        lock (_lock) return _shelves.Where(s => s.Key.Group == group).Sum(s => s.Value.Records.Count);
    }

    public ValueTask<long> TakeOverAsync(string group, TopicPartition source, CancellationToken cancel) =>
        ValueTask.FromResult(TakeOver(group, source));

    public ValueTask ApplyAsync(
        string group, TopicPartition source, long epoch,
        IReadOnlyList<ParkedRecord> parked, IReadOnlyList<long> doneOffsets, CancellationToken cancel)
    {
        Apply(group, source, epoch, parked, doneOffsets);
        return ValueTask.CompletedTask;
    }

    public ValueTask<IReadOnlyList<ParkedRecord>> LoadAsync(
        string group, TopicPartition source, long fromOffset, int max, CancellationToken cancel) =>
        ValueTask.FromResult<IReadOnlyList<ParkedRecord>>(Load(group, source, fromOffset, max));

    private long TakeOver(string group, TopicPartition source)
    {
        lock (_lock) return ++ShelfOf_NeedsLock(group, source).Epoch;
    }

    private void Apply(string group, TopicPartition source, long epoch, IReadOnlyList<ParkedRecord> parked, IReadOnlyList<long> doneOffsets)
    {
        lock (_lock)
        {
            var shelf = ShelfOf_NeedsLock(group, source);
            if (epoch != shelf.Epoch || epoch == 0)
                throw new OwnershipLostException(
                    $"Epoch {epoch} of {group} {source} is not the newest, {shelf.Epoch}; nothing was written.");
            foreach (var record in parked) shelf.Records[record.Record.Offset] = record;
            foreach (var offset in doneOffsets) shelf.Records.Remove(offset);
        }
    }

    private List<ParkedRecord> Load(string group, TopicPartition source, long fromOffset, int max)
    {
        lock (_lock) return [.. ShelfOf_NeedsLock(group, source).Records.Values.Where(r => r.Record.Offset >= fromOffset).Take(max)];
    }

    private Shelf ShelfOf_NeedsLock(string group, TopicPartition source)
    {
        if (!_shelves.TryGetValue((group, source), out var shelf)) _shelves.Add((group, source), shelf = new Shelf());
        return shelf;
    }

    private sealed class Shelf
    {
        public long Epoch { get; set; }
        public SortedDictionary<long, ParkedRecord> Records { get; } = [];
    }

    private sealed class View(SimulatedParkedRecordStore store, SimulatedNode node) : IParkedRecordStore
    {
        public async ValueTask<long> TakeOverAsync(string group, TopicPartition source, CancellationToken cancel) =>
            await node.CallAsync("parked.take-over", () => store.TakeOver(group, source));

        public async ValueTask ApplyAsync(
            string group, TopicPartition source, long epoch,
            IReadOnlyList<ParkedRecord> parked, IReadOnlyList<long> doneOffsets, CancellationToken cancel) =>
            await node.CallAsync("parked.apply", () => store.Apply(group, source, epoch, parked, doneOffsets));

        public async ValueTask<IReadOnlyList<ParkedRecord>> LoadAsync(
            string group, TopicPartition source, long fromOffset, int max, CancellationToken cancel) =>
            await node.CallAsync("parked.load", () => store.Load(group, source, fromOffset, max));
    }
}
