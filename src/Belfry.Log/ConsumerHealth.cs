namespace Belfry.Log;

/// <summary>Why a partition or a consumer makes no progress. Source: design section 5.</summary>
public enum StallClass
{
    /// <summary>It progresses, or there is nothing to do.</summary>
    None,

    /// <summary>The log does not say where it ends: nothing can be told. Never unhealthy.</summary>
    Unknown,

    /// <summary>Paused on purpose: what it holds waits for a breaker or for its time. Degraded, never unhealthy.</summary>
    Breaker,

    /// <summary>Its low-water mark is past what is committed, and no commit gets through.</summary>
    Commit,

    /// <summary>The first record not done keeps the low-water mark, while others finish or nothing runs.</summary>
    Head,

    /// <summary>Handlers run and none ends.</summary>
    Handler,

    /// <summary>This consumer owns nothing, while partitions of its group are behind and do not move.</summary>
    Orphan,

    /// <summary>The log has records that are not handed out: a pause that nobody wants, or a consumer that fetches no more.</summary>
    Fetch,

    /// <summary>The loop does not come back from its consumer, or has none and cannot make one.</summary>
    Poll,
}

/// <summary>How one consumer fares.</summary>
public sealed record ConsumerHealth
{
    /// <summary>The group's name.</summary>
    public required string Group { get; init; }

    /// <summary>The worst of its own and its partitions'.</summary>
    public required StallClass Class { get; init; }

    /// <summary>A sentence; null where all is well.</summary>
    public string? Reason { get; init; }

    /// <summary>Since when it is of this class, as far as looks tell; null where all is well.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>
    /// True where only another process may help: its poll is stalled, or a partition was not fetched by a second consumer either.
    /// </summary>
    public bool FailsLiveness { get; init; }

    /// <summary>
    /// False until it has owned a partition, or waited for one for as long as the assignment's grace: it may be one too many.
    /// </summary>
    public bool IsAssigned { get; init; }

    /// <summary>True for each class but none, unknown and breaker.</summary>
    public bool IsUnhealthy => Class > StallClass.Breaker;

    /// <summary>Times the consumer was built anew.</summary>
    public int Rebuilds { get; init; }

    /// <summary>The owned partitions, in order.</summary>
    public IReadOnlyList<PartitionHealth> Partitions { get; init; } = [];
}

/// <summary>How one owned partition fares.</summary>
public sealed record PartitionHealth
{
    public required TopicPartition Source { get; init; }
    public required StallClass Class { get; init; }

    /// <summary>A sentence; null where all is well.</summary>
    public string? Reason { get; init; }

    /// <summary>Since when it is of this class; null where all is well.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>The group's next offset; null while unknown.</summary>
    public long? Committed { get; init; }

    /// <summary>The next offset to commit; null while unknown.</summary>
    public long? LowWaterMark { get; init; }

    /// <summary>The next offset to be handed out; null before the first record.</summary>
    public long? Position { get; init; }

    /// <summary>Where the log ends; null while unknown.</summary>
    public long? End { get; init; }

    /// <summary>Offsets between what is committed and the end; null while unknown.</summary>
    public long? Lag { get; init; }

    /// <summary>
    /// Age of the first record that is not committed; of one not handed out yet, for how long it is known to be there. Null while unknown.
    /// </summary>
    public TimeSpan? LagTime { get; init; }

    /// <summary>Age of the oldest handler or turn that runs; null when none does.</summary>
    public TimeSpan? RunningFor { get; init; }
}

/// <summary>What a look of the detector takes in.</summary>
public sealed record ConsumerSnapshot
{
    /// <summary>When it was taken, on any monotonic scale.</summary>
    public required TimeSpan At { get; init; }

    /// <summary>The same as a time of day, for what is told.</summary>
    public required DateTimeOffset Now { get; init; }

    /// <summary>The consumer's own.</summary>
    public required ConsumerStatus Status { get; init; }

    /// <summary><see cref="ConsumerRunner.IsPollStalled"/>.</summary>
    public bool IsPollStalled { get; init; }

    /// <summary>True when the log answered at least one question of this round.</summary>
    public bool LogAnswers { get; init; }

    /// <summary>By owned partition; missing: unknown.</summary>
    public IReadOnlyDictionary<TopicPartition, LogOffsets> Owned { get; init; } = new Dictionary<TopicPartition, LogOffsets>();

    /// <summary>By partition of the group's topics, when the consumer owns none; else empty. Missing: unknown.</summary>
    public IReadOnlyDictionary<TopicPartition, LogOffsets> Unowned { get; init; } = new Dictionary<TopicPartition, LogOffsets>();
}

/// <summary>What the log says of one partition.</summary>
/// <param name="Committed">The group's next offset; where it never committed, the log's first one.</param>
/// <param name="End">One past the last record that can be read, or the offset asked from when there is none.</param>
public readonly record struct LogOffsets(long Committed, long End);

/// <summary>What came of a look.</summary>
/// <param name="Health">To be told.</param>
/// <param name="ToResume">Partitions whose pause may have leaked: end it.</param>
/// <param name="RebuildFor">The consumer is to be built anew, for this reason; null: not.</param>
public sealed record StallReport(ConsumerHealth Health, IReadOnlyList<TopicPartition> ToResume, string? RebuildFor);
