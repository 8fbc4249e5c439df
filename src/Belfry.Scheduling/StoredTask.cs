namespace Belfry.Scheduling;

/// <summary>Where a task stands in the store. The numbers are stored; open states come first.</summary>
public enum TaskState
{
    /// <summary>Will run at its time.</summary>
    Waiting = 0,

    /// <summary>Due, but no worker so far knows its kind. Runs when one does.</summary>
    Parked = 1,

    Done = 2,
    Cancelled = 3,

    /// <summary>Out of attempts, or failed for good: a dead letter, payload kept.</summary>
    Dead = 4,
}

/// <summary>The order in which tasks run and are loaded: by due time, then by arrival.</summary>
public readonly record struct TaskKey(long DueMs, long Sequence) : IComparable<TaskKey>
{
    public static TaskKey First { get; } = new(long.MinValue, long.MinValue);

    /// <summary>The greatest key of a millisecond.</summary>
    public static TaskKey EndOf(long dueMs) => new(dueMs, long.MaxValue);

    public int CompareTo(TaskKey other) => DueMs != other.DueMs ? DueMs.CompareTo(other.DueMs) : Sequence.CompareTo(other.Sequence);

    public static bool operator <(TaskKey left, TaskKey right) => left.CompareTo(right) < 0;
    public static bool operator >(TaskKey left, TaskKey right) => left.CompareTo(right) > 0;
    public static bool operator <=(TaskKey left, TaskKey right) => left.CompareTo(right) <= 0;
    public static bool operator >=(TaskKey left, TaskKey right) => left.CompareTo(right) >= 0;
}

/// <summary>
/// A row of the task store: one per identity, its newest generation, kept after the end as history. Times are UTC milliseconds
/// since 1970.
/// </summary>
public sealed record StoredTask
{
    /// <summary>
    /// The row's key for life, unique in the store: the epoch that made it and a count (<see cref="SequenceOf"/>), so keys grow.
    /// </summary>
    public required long Sequence { get; init; }

    public required ScheduledTaskId Id { get; init; }
    public required long DueMs { get; init; }
    public required long Generation { get; init; }
    public required TaskState State { get; init; }

    /// <summary>Attempts that failed, or all attempts once the task has ended.</summary>
    public int Attempts { get; init; }

    /// <summary>The next attempt after a failed one; null before the first failure and after the end.</summary>
    public long? NextAttemptMs { get; init; }

    /// <summary>
    /// The offset of the newest record that changed this row (<see cref="TaskTopic.PlaceOf"/>): an older one changes nothing when it is
    /// read again.
    /// </summary>
    public required long Offset { get; init; }

    public ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>
    /// Why the last attempt failed or the task ended, at most <see cref="ReasonCharsMax"/>; null when there is nothing to say.
    /// </summary>
    public string? Reason { get; init; }

    /// <summary>When it ended; null while open.</summary>
    public long? EndedMs { get; init; }

    /// <summary>
    /// Of a write: no write of this row has succeeded so far, so that a store may insert without looking for it first. A hint, for the
    /// first write may have succeeded unseen. Never set on a row that was read.
    /// </summary>
    public bool IsNew { get; init; }

    /// <summary>Neither due nor ended after this: the row may be forgotten the history retention later. Null while open.</summary>
    public long? KeepFromMs => EndedMs is { } ended ? Math.Max(ended, DueMs) : null;

    public bool IsOpen => State <= TaskState.Parked;
    public TaskKey Key => new(DueMs, Sequence);

    public const int ReasonCharsMax = 1_000;

    private const int CountBits = 38;

    /// <summary>The row keys of one ownership: 2^38 tasks in each of 2^25 epochs.</summary>
    /// <exception cref="InvalidOperationException">One ownership has made 2^38 tasks, or the store is at epoch 2^25.</exception>
    public static long SequenceOf(long epoch, long count) =>
        count < 1L << CountBits && epoch < 1L << (63 - CountBits)
            ? (epoch << CountBits) | count
            : throw new InvalidOperationException(
                $"Epoch {epoch} has used up its row keys at {count}; at most 2^38 tasks and 2^25 epochs.");

    /// <summary>The task, to be scheduled again under a higher generation (a dead letter that shall have another chance).</summary>
    public ScheduledTask Again(DateTimeOffset dueAt) => new() { Id = Id, DueAt = dueAt, Generation = Generation + 1, Payload = Payload };
}

/// <summary>A record of the topic that no reader will ever understand, kept with its bytes.</summary>
public sealed record UndecodableTask(long Offset, long AppendedMs, string? Key, ReadOnlyMemory<byte> Value, string Reason);
