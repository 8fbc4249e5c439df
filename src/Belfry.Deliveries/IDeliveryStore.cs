using Belfry.Log;

namespace Belfry.Deliveries;

/// <summary>
/// The seam of the delivery store: the second and true barrier. Implementations keep rows and apply <see cref="DeliveryTransitions"/>;
/// they decide nothing. <c>DeliveryStoreSpec</c> in Belfry.Testing runs over all. Safe for use by several owners at a time.
/// Every call may throw the driver's own transient exceptions; a call that threw may have been applied, and may be repeated.
/// Source: design section 8.
/// </summary>
public interface IDeliveryStore
{
    /// <summary>
    /// Raises and returns the epoch of (group, partition): from now on writes under older ones are refused. Epochs grow over the whole
    /// store, so that those of two partitions compare as well.
    /// </summary>
    ValueTask<long> TakeOverAsync(string group, TopicPartition source, CancellationToken cancel);

    /// <summary>
    /// Decides and writes all claims in one transaction, durable on return; one result per claim, in order. No (day, key) may occur twice.
    /// </summary>
    /// <exception cref="OwnershipLostException">The epoch is stale; nothing was written.</exception>
    ValueTask<IReadOnlyList<ClaimResult>> ClaimAsync(
        DeliveryFence fence, IReadOnlyList<DeliveryClaim> claims, DateTimeOffset now, CancellationToken cancel);

    /// <summary>
    /// Writes all completions in one transaction, durable on return; one answer per completion, in order: false where the row is not this
    /// attempt's under this epoch, and was left alone. True again for a repeat.
    /// </summary>
    /// <exception cref="OwnershipLostException">The epoch is stale; nothing was written.</exception>
    ValueTask<IReadOnlyList<bool>> CompleteAsync(
        DeliveryFence fence, IReadOnlyList<DeliveryCompletion> completions, DateTimeOffset now, CancellationToken cancel);

    /// <summary>The row, or null.</summary>
    ValueTask<DeliveryRow?> FindAsync(DateOnly day, string idempotencyKey, CancellationToken cancel);

    /// <summary>
    /// Rows that are <see cref="DeliveryState.Dead"/> or <see cref="DeliveryState.Unknown"/>, by (day, key), at most
    /// <paramref name="max"/>, after <paramref name="after"/> when given; of one channel, or of all when null.
    /// </summary>
    ValueTask<IReadOnlyList<DeliveryRow>> ListDeadAsync(
        string? channel, (DateOnly Day, string IdempotencyKey)? after, int max, CancellationToken cancel);

    /// <summary>How many rows <see cref="ListDeadAsync"/> would list without a limit.</summary>
    ValueTask<long> CountDeadAsync(string? channel, CancellationToken cancel);

    /// <summary>Removes ended rows of days before <paramref name="before"/>, at most <paramref name="max"/>; returns how many.</summary>
    ValueTask<int> ForgetAsync(DateOnly before, int max, CancellationToken cancel);
}

/// <summary>
/// The seam of the fast claims: the first barrier, a hint that spares the store. It may forget anything at any time. Never throws for
/// being unreachable: that is an answer. Implementations: memory, Redis; <c>FastClaimsSpec</c> runs over all.
/// </summary>
public interface IFastClaims
{
    /// <summary>Claims <paramref name="key"/> for <paramref name="owner"/> for the processing time (default 10 minutes).</summary>
    ValueTask<FastClaim> TryClaimAsync(string key, string owner, CancellationToken cancel);

    /// <summary>
    /// Marks the key completed (kept 24 hours by default) if <paramref name="owner"/> still holds it. Call only once the end is in the
    /// store and reported. False: not held, or not reachable.
    /// </summary>
    ValueTask<bool> CompleteAsync(string key, string owner, CancellationToken cancel);
}

/// <summary>The answer of a fast claim.</summary>
public enum FastClaim
{
    /// <summary>Held by the asker now, or already.</summary>
    Claimed,

    /// <summary>Ended and reported: nothing is left to do.</summary>
    Completed,

    /// <summary>Held by another: ask the store, never skip.</summary>
    HeldByOther,

    /// <summary>No answer: the store alone decides.</summary>
    Unavailable,
}
