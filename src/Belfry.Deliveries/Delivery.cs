namespace Belfry.Deliveries;

/// <summary>One message to be got to one recipient through one channel.</summary>
public sealed record Delivery
{
    /// <summary>The same for all attempts, restarts and replays; handed to the provider. At most 200 characters.</summary>
    public required string IdempotencyKey { get; init; }

    /// <summary>The UTC day of creation, from the id and never from the clock, so that a replay meets the same row.</summary>
    public required DateOnly Day { get; init; }

    public required string Channel { get; init; }

    /// <summary>An address in the channel's own form.</summary>
    public required string Recipient { get; init; }

    /// <summary>What the channel sends, in the channel's own encoding.</summary>
    public required ReadOnlyMemory<byte> Content { get; init; }
}

/// <summary>The seam of a channel: one way out. Several deliveries run at a time.</summary>
public interface IDeliveryChannel
{
    /// <summary>Stable lower-case name: <c>email</c>, <c>webhook</c>, <c>audit</c>.</summary>
    string Name { get; }

    /// <summary>What a repeat of a send of unknown outcome means here.</summary>
    UnknownOutcomePolicy WhenUnknown { get; }

    /// <summary>The provider endpoint that a breaker guards: breakers are per value.</summary>
    string EndpointOf(Delivery delivery);

    /// <summary>Sends once. Never throws for what a provider does: that is an outcome. <paramref name="attempt"/> counts from 1.</summary>
    ValueTask<SendOutcome> SendAsync(Delivery delivery, int attempt, CancellationToken cancel);
}

/// <summary>What to do with a send whose outcome is unknown (crash, timeout after the request went out).</summary>
public enum UnknownOutcomePolicy
{
    /// <summary>The provider takes the idempotency key: send again, it is one effect.</summary>
    ResendWithKey,

    /// <summary>Send again and count it; for pages a duplicate is better than silence.</summary>
    AtLeastOnce,

    /// <summary>Leave it for review.</summary>
    AtMostOnce,
}

/// <summary>What one send came to.</summary>
public abstract record SendOutcome
{
    private SendOutcome()
    {
    }

    /// <summary>The provider accepted it. <paramref name="ProviderReference"/>: the provider's id, when it gives one.</summary>
    public sealed record Sent(string? ProviderReference) : SendOutcome;

    /// <summary>Not accepted, may be later. <paramref name="After"/>: what the provider asked for.</summary>
    public sealed record Transient(string Reason, TimeSpan? After = null) : SendOutcome;

    /// <summary>Never will be.</summary>
    public sealed record Permanent(string Reason) : SendOutcome;

    /// <summary>The request went out and no answer came back.</summary>
    public sealed record Unknown(string Reason) : SendOutcome;
}
