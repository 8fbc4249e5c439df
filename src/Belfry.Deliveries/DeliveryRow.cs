using Belfry.Log;

namespace Belfry.Deliveries;

/// <summary>The durable truth about one delivery: one row by (<see cref="Day"/>, <see cref="IdempotencyKey"/>).</summary>
public sealed record DeliveryRow
{
    public required DateOnly Day { get; init; }
    public required string IdempotencyKey { get; init; }
    public required string Channel { get; init; }
    public required string Recipient { get; init; }
    public required DeliveryState State { get; init; }

    /// <summary>The epoch of the owner that wrote the row last.</summary>
    public required long Epoch { get; init; }

    /// <summary>
    /// Attempts begun so far, over all generations; only grows, but for one that was let go of before anything was sent. 0: none yet, or
    /// skipped before any.
    /// </summary>
    public required int Attempt { get; init; }

    /// <summary>0 for the first sending; a replay carries the next number (<see cref="DeliveryReplay"/>).</summary>
    public int Generation { get; init; }

    /// <summary>Attempts begun before this generation; the limit on attempts counts from here.</summary>
    public int AttemptsBefore { get; init; }

    /// <summary>
    /// Attempts of this generation whose owner was lost before their end was written. They do not count against the limit on attempts,
    /// for they may never have reached the provider; at most <see cref="DeliveryTransitions.LostMax"/>.
    /// </summary>
    public int AttemptsLost { get; init; }

    public string? Reason { get; init; }
    public string? ProviderReference { get; init; }

    /// <summary>When the next attempt is due, for <see cref="DeliveryState.Retry"/>.</summary>
    public DateTimeOffset? NextAt { get; init; }

    /// <summary>When the row was last written, by its writer's clock; for display, never for a decision.</summary>
    public required DateTimeOffset UpdatedAt { get; init; }

    /// <summary>The record's key, kept for <see cref="DeliveryState.Dead"/> and <see cref="DeliveryState.Unknown"/>.</summary>
    public string? RecordKey { get; init; }

    /// <summary>The record's raw value, kept for <see cref="DeliveryState.Dead"/> and <see cref="DeliveryState.Unknown"/>.</summary>
    public ReadOnlyMemory<byte>? RecordValue { get; init; }

    /// <summary>Attempts of this generation that count against the limit.</summary>
    internal int AttemptsSpent => Attempt - AttemptsBefore - AttemptsLost;

    internal bool IsFinal => State is not (DeliveryState.Sending or DeliveryState.Retry);
}

/// <summary>Who writes: the owner of one partition for one group, under the epoch it took over with.</summary>
public readonly record struct DeliveryFence(string Group, TopicPartition Source, long Epoch);

/// <summary>
/// A wish to send (or, with <see cref="SkipReason"/>, to end without sending), decided by <see cref="DeliveryTransitions.OnClaim"/>.
/// </summary>
public sealed record DeliveryClaim
{
    public required Delivery Delivery { get; init; }

    /// <summary>Where it came from; key and value are kept when the delivery ends dead or unknown.</summary>
    public required LogRecord Record { get; init; }

    /// <summary>What a SENDING row of an older epoch means.</summary>
    public required UnknownOutcomePolicy WhenUnknown { get; init; }

    /// <summary>Most attempts of one generation, 1 or more.</summary>
    public required int AttemptsMax { get; init; }

    /// <summary>Above the row's generation: a replay, which reopens an ended row.</summary>
    public int Generation { get; init; }

    /// <summary>Not null: end as <see cref="DeliveryState.Skipped"/> for this reason.</summary>
    public string? SkipReason { get; init; }
}

/// <summary>What a claim came to.</summary>
public enum ClaimVerdict
{
    /// <summary>The row is <see cref="DeliveryState.Sending"/> under this epoch: send now.</summary>
    Granted,

    /// <summary>Claimed under this same epoch before and not completed.</summary>
    InFlight,

    /// <summary>The row is in a final state; this claim may have put it there.</summary>
    Ended,

    /// <summary>Claimed under a newer epoch: the asker is stale and lets go.</summary>
    HeldByNewer,
}

/// <summary>The verdict on one claim.</summary>
/// <param name="Verdict">What may be done now.</param>
/// <param name="Row">The row after the claim.</param>
/// <param name="Resumed">True: granted over a send of unknown outcome, so the provider may see a repeat.</param>
public sealed record ClaimResult(ClaimVerdict Verdict, DeliveryRow Row, bool Resumed = false);

/// <summary>The end of one attempt, applied only to the SENDING row of the same attempt and epoch.</summary>
public sealed record DeliveryCompletion
{
    public required Delivery Delivery { get; init; }
    public required LogRecord Record { get; init; }
    public required int Attempt { get; init; }
    public required DeliveryState State { get; init; }
    public string? Reason { get; init; }
    public string? ProviderReference { get; init; }
    public DateTimeOffset? NextAt { get; init; }

    /// <summary>
    /// The attempt never began, which only its own owner knows: with <see cref="DeliveryState.Retry"/> the row counts it no more, and the
    /// next claim has its number. Default false.
    /// </summary>
    public bool NothingSent { get; init; }
}
