using Belfry.Log;

namespace Belfry.Scheduling;

/// <summary>One partition of the topic as the store sees it: it owns the ordering ids whose hash falls to it.</summary>
/// <param name="Source">The topic partition; ownership and position are kept by it.</param>
/// <param name="Partitions">The topic's count.</param>
/// <param name="Generation">Of the topic (<see cref="TaskTopic"/>).</param>
public readonly record struct TaskPartition(TopicPartition Source, int Partitions, int Generation = 1)
{
    public bool Owns(string orderingId) => Partitioner.PartitionOf(orderingId, Partitions) == Source.Partition;
}

/// <summary>What a new owner starts from.</summary>
/// <param name="Epoch">Grows over all partitions of the store, so that row keys made from it are unique.</param>
/// <param name="Position">The next offset to read; below it everything is in the store. 0 when nothing was stored.</param>
public readonly record struct TaskOwnership(long Epoch, long Position);

/// <summary>What one flush writes, in one transaction.</summary>
public sealed record TaskBatch
{
    public required TaskPartition Partition { get; init; }
    public required long Epoch { get; init; }

    /// <summary>Rows by <see cref="StoredTask.Sequence"/>: inserted, or overwritten whole.</summary>
    public IReadOnlyList<StoredTask> Tasks { get; init; } = [];
    public IReadOnlyList<UndecodableTask> Undecodable { get; init; } = [];

    /// <summary>
    /// The next offset to read. Ended rows at or above it carry their offsets, so that a restart repeats nothing that ended.
    /// </summary>
    public required long Position { get; init; }
}

/// <summary>Open tasks in key order.</summary>
/// <param name="Tasks">At most as many as asked for.</param>
/// <param name="IsComplete">False when a limit cut the answer short: go on after the last key.</param>
public sealed record TaskWindow(IReadOnlyList<StoredTask> Tasks, bool IsComplete);

/// <summary>
/// The seam of the task store: SQLite, PostgreSQL, simulated; <c>TaskStoreSpec</c> runs over all. Holds one row per task, which stays
/// as history after the end. Every write carries the owner's epoch. Safe for use by several threads.
/// </summary>
public interface ITaskStore
{
    /// <summary>Raises the epoch of the partition, so that the writes of older owners are refused from now on.</summary>
    ValueTask<TaskOwnership> TakeOverAsync(TaskPartition partition, CancellationToken cancel);

    /// <summary>Writes all of the batch or, on an exception, leaves the caller not knowing: repeating it is harmless.</summary>
    /// <exception cref="OwnershipLostException">The epoch is stale; nothing was written.</exception>
    ValueTask ApplyAsync(TaskBatch batch, CancellationToken cancel);

    /// <summary>
    /// The open tasks of a partition after <paramref name="after"/>, due at or before <paramref name="untilMs"/>: at most
    /// <paramref name="max"/>, and no more once their payloads pass <paramref name="bytesMax"/> (but at least one).
    /// </summary>
    ValueTask<TaskWindow> LoadWindowAsync(
        TaskPartition partition, TaskKey after, long untilMs, int max, long bytesMax, CancellationToken cancel);

    /// <summary>As <see cref="LoadWindowAsync"/> for one ordering id, up to and including <paramref name="upTo"/>.</summary>
    ValueTask<TaskWindow> LoadLaneAsync(
        TaskPartition partition, string orderingId, TaskKey after, TaskKey upTo, int max, long bytesMax, CancellationToken cancel);

    /// <summary>The rows of these ids, whatever their state, in no order; ids without a row are left out.</summary>
    ValueTask<IReadOnlyList<StoredTask>> FindAsync(IReadOnlyList<ScheduledTaskId> ids, CancellationToken cancel);

    /// <summary>Tasks of one state by row key after <paramref name="afterSequence"/> (start with -1), of all partitions.</summary>
    ValueTask<IReadOnlyList<StoredTask>> ListAsync(TaskState state, long afterSequence, int max, CancellationToken cancel);

    /// <summary>How many open tasks were due before <paramref name="beforeMs"/>, and the oldest's due time, of all partitions.</summary>
    ValueTask<(long Count, long? OldestDueMs)> OverdueAsync(long beforeMs, CancellationToken cancel);

    /// <summary>Undecodable records of a partition by offset from <paramref name="fromOffset"/>.</summary>
    ValueTask<IReadOnlyList<UndecodableTask>> ListUndecodableAsync(
        TopicPartition source, long fromOffset, int max, CancellationToken cancel);

    /// <summary>
    /// Forgets up to <paramref name="max"/> ended tasks whose <see cref="StoredTask.KeepFromMs"/> lies before
    /// <paramref name="beforeMs"/>, dead letters excepted. Returns how many.
    /// </summary>
    ValueTask<int> ForgetAsync(long beforeMs, int max, CancellationToken cancel);
}
