namespace Belfry.Log;

/// <summary>
/// A fold over the records of a partition (or of partition n of co-partitioned topics), fed by a <c>BatchOwner</c>: one call at a
/// time, batches in the order of arrival, each source in offset order. State lives in the fold's memory; the store has the truth.
/// </summary>
public interface IBatchFold
{
    /// <summary>
    /// Takes ownership (raises the epoch) and loads the state; called first, and again after a turn that failed, since that turn's
    /// outcome is unknown. Returns the next offset by source: records below it are skipped. A source left out skips nothing.
    /// </summary>
    ValueTask<IReadOnlyDictionary<TopicPartition, long>> LoadAsync(CancellationToken cancel);

    /// <summary>
    /// One turn: folds the records and makes the result durable, with the positions and under the epoch. When it throws, the owner
    /// waits, loads again and repeats; after several failures it narrows down to one record and rejects that one.
    /// </summary>
    /// <exception cref="OwnershipLostException">There is a newer owner: this one stops.</exception>
    /// <exception cref="LogUnavailableException">
    /// Transient: repeated without end, never rejected; so is any exception named transient in the owner's options.
    /// </exception>
    ValueTask FoldAsync(IReadOnlyList<LogRecord> batch, CancellationToken cancel);

    /// <summary>Durably puts one record aside with its bytes and the reason (a dead letter), and moves the position past it.</summary>
    ValueTask RejectAsync(LogRecord record, string reason, CancellationToken cancel);

    /// <summary>The owner stops (revoke, shutdown or loss): end background work of this fold. No write after this returns.</summary>
    ValueTask StopAsync(CancellationToken cancel);
}
