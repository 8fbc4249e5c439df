namespace Belfry.Log;

/// <summary>A record that waits in the store, its offset done: (group, source, offset) is its identity.</summary>
public sealed record ParkedRecord
{
    public required string Group { get; init; }
    public required LogRecord Record { get; init; }

    /// <summary>The lane it runs in again.</summary>
    public required string LaneKey { get; init; }

    /// <summary>Attempts so far, 0 for one that only waits behind another of its key.</summary>
    public required int Attempts { get; init; }
    public required DateTimeOffset DueAt { get; init; }
    public required string Reason { get; init; }
}

/// <summary>
/// The store of parked records, beside the log (SQLite; PostgreSQL with Kafka; simulated). Writes carry the partition's epoch and are
/// refused when it is not the newest.
/// </summary>
public interface IParkedRecordStore
{
    /// <summary>Raises and returns the epoch of (group, partition): from now on older owners' writes are refused.</summary>
    ValueTask<long> TakeOverAsync(string group, TopicPartition source, CancellationToken cancel);

    /// <summary>In one transaction: parks or moves (upsert by identity), and removes those done.</summary>
    /// <exception cref="OwnershipLostException">The epoch is stale; nothing was written.</exception>
    ValueTask ApplyAsync(
        string group, TopicPartition source, long epoch,
        IReadOnlyList<ParkedRecord> parked, IReadOnlyList<long> doneOffsets, CancellationToken cancel);

    /// <summary>All parked records of a partition, by offset, at most <paramref name="max"/> from <paramref name="fromOffset"/>.</summary>
    ValueTask<IReadOnlyList<ParkedRecord>> LoadAsync(
        string group, TopicPartition source, long fromOffset, int max, CancellationToken cancel);
}
