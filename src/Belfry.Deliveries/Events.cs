namespace Belfry.Deliveries;

/// <summary>
/// Asked after the claim and just before the send, perhaps again under one claim: may this still go out? Null: yes; a reason: skip it,
/// finally.
/// </summary>
public delegate ValueTask<string?> StillWanted(Delivery delivery, CancellationToken cancel);

/// <summary>Told of every attempt and end, before the offset counts as done. At least once; idempotent by (key, attempt, state).</summary>
public delegate ValueTask DeliveryReport(DeliveryEvent report, CancellationToken cancel);

/// <summary>A step in the life of a delivery.</summary>
/// <param name="Delivery">Which.</param>
/// <param name="State">What it came to.</param>
/// <param name="Attempt">From 1; 0 when skipped before any.</param>
/// <param name="Reason">Why, for all but Sent.</param>
/// <param name="ProviderReference">The provider's id, when it gave one.</param>
/// <param name="NextAt">When the next attempt is due, for <see cref="DeliveryState.Retry"/>.</param>
public sealed record DeliveryEvent(
    Delivery Delivery, DeliveryState State, int Attempt, string? Reason, string? ProviderReference, DateTimeOffset? NextAt);

/// <summary>The states of a delivery row.</summary>
public enum DeliveryState
{
    /// <summary>Claimed: a send is under way, or was when its owner died.</summary>
    Sending,

    /// <summary>Accepted by the provider. Final.</summary>
    Sent,

    /// <summary>Will be tried again.</summary>
    Retry,

    /// <summary>Outcome unknown under <see cref="UnknownOutcomePolicy.AtMostOnce"/>; for review. Final.</summary>
    Unknown,

    /// <summary>Dead letter. Final until replayed.</summary>
    Dead,

    /// <summary>No longer wanted when its turn came. Final.</summary>
    Skipped,
}
