namespace Belfry.Log;

/// <summary>
/// The seam of the log: durable, partitioned, append-only topics with consumer groups. Implementations: SQLite (one process),
/// Kafka, simulated; <c>LogSpec</c> in Belfry.Testing runs over all. Safe for use by several threads.
/// </summary>
public interface IPartitionedLog
{
    /// <summary>Creates missing topics and checks the others. Call once, before anything else.</summary>
    /// <exception cref="TopicMismatchException">A topic has another partition count.</exception>
    ValueTask DeclareAsync(IReadOnlyList<TopicDeclaration> topics, CancellationToken cancel);

    /// <summary>
    /// Appends, and completes once every record is durable. Records of one partition keep their order in the list, and follow all
    /// that an earlier completed call appended. On an exception any subset may have been appended: repeat with the same record ids.
    /// </summary>
    /// <exception cref="LogUnavailableException">Not acknowledged; retryable.</exception>
    ValueTask AppendAsync(IReadOnlyList<OutgoingRecord> records, CancellationToken cancel);

    /// <summary>Opens a member of a consumer group. It owns nothing before its first poll.</summary>
    ILogConsumer OpenConsumer(ConsumerGroup group);

    /// <summary>
    /// Reads up to <paramref name="max"/> records from the first offset at or after <paramref name="fromOffset"/>, outside any group.
    /// Empty when there is none. For rebuilding a fold and for inspection.
    /// </summary>
    ValueTask<IReadOnlyList<LogRecord>> ReadAsync(TopicPartition source, long fromOffset, int max, CancellationToken cancel);

    /// <summary>The first offset still there, and the offset the next record will get.</summary>
    ValueTask<(long Start, long End)> OffsetsAsync(TopicPartition source, CancellationToken cancel);

    /// <summary>The group's committed next offset of a partition, or null when it never committed.</summary>
    ValueTask<long?> CommittedAsync(string group, TopicPartition source, CancellationToken cancel);
}

/// <summary>Which topics a group reads, and how their partitions are shared out.</summary>
/// <param name="Name">The group's name, prefix included.</param>
/// <param name="Topics">Declared topics.</param>
/// <param name="CoPartitioned">True: partition n of all topics (equal counts) goes to one member. False: each partition by itself.</param>
public sealed record ConsumerGroup(string Name, IReadOnlyList<string> Topics, bool CoPartitioned = false);

/// <summary>
/// One member of a group. All calls come from one loop, never two at a time, but for commits: one may run beside polls or within a
/// revocation, never beside another. <see cref="IAssignmentListener"/> is called inside <see cref="PollAsync"/> only, in its caller's
/// context. Disposing leaves the group; what it owned is not revoked through the listener.
/// </summary>
public interface ILogConsumer : IAsyncDisposable
{
    /// <summary>
    /// Returns up to <paramref name="max"/> records of owned, unpaused partitions in offset order per partition, starting at the
    /// committed offset (else at the start); empty after <paramref name="wait"/>. Assignment changes are told to
    /// <paramref name="listener"/> first; records of a partition follow its assignment, and none follow its revocation.
    /// </summary>
    /// <exception cref="LogUnavailableException">Retry after a pause; the assignment may have been lost.</exception>
    ValueTask<IReadOnlyList<LogRecord>> PollAsync(IAssignmentListener listener, int max, TimeSpan wait, CancellationToken cancel);

    /// <summary>Stops handing out records of an owned partition; a no-op for one not owned. A pause ends with the ownership.</summary>
    void Pause(TopicPartition source);

    /// <summary>Ends a pause.</summary>
    void Resume(TopicPartition source);

    /// <summary>Commits next offsets of owned partitions. Entries of partitions no longer owned are refused as a whole.</summary>
    /// <exception cref="OwnershipLostException">A partition is not this member's any more; nothing was committed.</exception>
    ValueTask CommitAsync(IReadOnlyList<KeyValuePair<TopicPartition, long>> nextOffsets, CancellationToken cancel);
}

/// <summary>Told of assignment changes inside the poll. An exception from here ends the consumer.</summary>
public interface IAssignmentListener
{
    /// <summary>These partitions are now owned. Return fast: loading belongs to the owner's own loop.</summary>
    void Assigned(IReadOnlyList<TopicPartition> partitions);

    /// <summary>
    /// These are about to leave: stop, drain within a bound, commit through <paramref name="consumer"/>. The next owner waits.
    /// </summary>
    ValueTask RevokedAsync(ILogConsumer consumer, IReadOnlyList<TopicPartition> partitions);

    /// <summary>These are gone already: stop, commit nothing.</summary>
    void Lost(IReadOnlyList<TopicPartition> partitions);
}

/// <summary>The log did not answer in time or refused for now. What was asked may have happened.</summary>
public class LogUnavailableException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>A partition has a newer owner. Let go of it; never retry.</summary>
public sealed class OwnershipLostException(string message) : Exception(message);
