namespace Belfry.Log;

/// <summary>How one consumer does, for health and metrics: a snapshot taken by its loop, at most a commit interval old.</summary>
public sealed record ConsumerStatus
{
    /// <summary>Of a consumer that has not polled yet.</summary>
    public static ConsumerStatus NotStarted { get; } = new();

    /// <summary>When the last poll returned; null before the first.</summary>
    public DateTimeOffset? PolledAt { get; init; }

    /// <summary>The owned partitions, in order.</summary>
    public IReadOnlyList<PartitionStatus> Partitions { get; init; } = [];

    /// <summary>Times the consumer was built anew after a fault, since the start.</summary>
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
public sealed record PartitionStatus(TopicPartition Source, int Held, long? LowWaterMark, long? Committed, bool IsPaused);
