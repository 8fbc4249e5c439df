namespace Belfry.Log;

/// <summary>
/// What the consumer runtime (<c>ConsumerRunner</c>) feeds: the owner of one partition, or of partition n of several co-partitioned
/// topics. Offer, room and low-water mark are called by the poll loop only and never wait; the owner does its work in
/// <see cref="RunAsync"/>, one turn at a time.
/// </summary>
public interface IPartitionOwner
{
    /// <summary>
    /// The owner's own loop, started once at assignment: load, then turn by turn. Ends after <see cref="StopAsync"/> or on cancel.
    /// </summary>
    Task RunAsync(CancellationToken cancel);

    /// <summary>Takes records in; always takes them all (the runner pauses before there are too many).</summary>
    void Offer(IReadOnlyList<LogRecord> records);

    /// <summary>Records held that are not done; the runner pauses at its limit and resumes at half.</summary>
    int Held { get; }

    /// <summary>The next offset to commit of one source partition: below it all is durably done. Null while unknown.</summary>
    long? LowWaterMark(TopicPartition source);

    /// <summary>What it is at, for stall detection; asked for about once a second.</summary>
    OwnerActivity Activity => default;

    /// <summary>
    /// Starts no more work, waits for what runs until <paramref name="cancel"/>, flushes. Afterwards the low-water mark is final.
    /// </summary>
    ValueTask StopAsync(CancellationToken cancel);
}

/// <summary>Makes the owner of partition <paramref name="partition"/> (of all topics of a co-partitioned group).</summary>
/// <param name="partition">The number.</param>
/// <param name="sources">The owned topic partitions: one, or one a topic.</param>
public delegate IPartitionOwner PartitionOwnerFactory(int partition, IReadOnlyList<TopicPartition> sources);
