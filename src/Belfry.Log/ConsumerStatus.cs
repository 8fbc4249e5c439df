namespace Belfry.Log;

/// <summary>How one consumer does, for health and metrics: a snapshot taken by its loop, at most a commit interval old.</summary>
public sealed record ConsumerStatus
{
    /// <summary>Of a consumer that has not polled yet.</summary>
    public static ConsumerStatus NotStarted { get; } = new();

    /// <summary>True from the start of its run to the end of it.</summary>
    public bool IsRunning { get; init; }

    /// <summary>When its run began; null before.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When the last poll returned or failed; null before the first.</summary>
    public DateTimeOffset? PolledAt { get; init; }

    /// <summary>Since when the log does not answer polls; null while it does.</summary>
    public DateTimeOffset? UnavailableSince { get; init; }

    /// <summary>Since when there is no consumer that polls, for the last one ended by a fault; null while there is one.</summary>
    public DateTimeOffset? EndedSince { get; init; }

    /// <summary>The owned partitions, in order.</summary>
    public IReadOnlyList<PartitionStatus> Partitions { get; init; } = [];

    /// <summary>Times the consumer was built anew, after a fault or to get it going again, since the start.</summary>
    public int Rebuilds { get; init; }

    /// <summary>Polls and commits that failed, since the start.</summary>
    public int Faults { get; init; }
}

/// <summary>One owned topic partition.</summary>
/// <param name="Source">Which.</param>
/// <param name="Held">Records its owner holds; of co-partitioned topics, those of all of them.</param>
/// <param name="LowWaterMark">The next offset to commit; null while unknown.</param>
/// <param name="Committed">The last offset this member committed; null before its first commit.</param>
/// <param name="IsPaused">True while the owner is full.</param>
public sealed record PartitionStatus(TopicPartition Source, int Held, long? LowWaterMark, long? Committed, bool IsPaused)
{
    /// <summary>The next offset to be handed out; null before the first record.</summary>
    public long? Position { get; init; }

    /// <summary>
    /// When the log took in the first record that was handed out and is not committed, at most one poll's records too early; null when
    /// there is none.
    /// </summary>
    public DateTimeOffset? UncommittedAt { get; init; }

    /// <summary>What its owner is at; of co-partitioned topics, for all of them.</summary>
    public OwnerActivity Activity { get; init; }
}

/// <summary>What a partition's owner is at, for stall detection. The default: an owner that does not say.</summary>
public readonly record struct OwnerActivity
{
    /// <summary>Handlers or turns under way.</summary>
    public int Running { get; init; }

    /// <summary>When the oldest of them began; null when none runs.</summary>
    public DateTimeOffset? RunningSince { get; init; }

    /// <summary>Grows with every handler or turn that ended well, in whatever order.</summary>
    public long Completed { get; init; }

    /// <summary>Records are put off because a circuit breaker is open.</summary>
    public bool WaitsForBreaker { get; init; }
}
