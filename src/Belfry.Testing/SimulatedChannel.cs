using Belfry.Deliveries;

namespace Belfry.Testing;

/// <summary>What a simulated provider does with one send.</summary>
/// <param name="Accepts">Whether a receipt is written.</param>
/// <param name="Outcome">What the sender is told; null: nothing, until it gives up.</param>
/// <param name="After">How long it takes before either.</param>
public sealed record ProviderAnswer(bool Accepts, SendOutcome? Outcome, TimeSpan After = default)
{
    public static ProviderAnswer Accept { get; } = new(true, new SendOutcome.Sent("ref"));

    /// <summary>Takes the message and never answers.</summary>
    public static ProviderAnswer AcceptThenTimeout { get; } = new(true, null);

    public static ProviderAnswer Fail { get; } = new(false, new SendOutcome.Permanent("no such recipient"));

    public static ProviderAnswer Busy { get; } = new(false, new SendOutcome.Transient("503"));

    /// <summary>Refused for now, with a wait asked for.</summary>
    public static ProviderAnswer TooMany(TimeSpan after) => new(false, new SendOutcome.Transient("429", after));

    /// <summary>Accepts, after a while.</summary>
    public static ProviderAnswer Slow(TimeSpan after) => Accept with { After = after };
}

/// <summary>One acceptance by a simulated provider.</summary>
public sealed record ProviderReceipt(string IdempotencyKey, string Recipient, int Attempt, DateTimeOffset At);

/// <summary>
/// A provider in memory. Accepts everything until scripted otherwise; keeps a receipt of every acceptance. Under
/// <see cref="UnknownOutcomePolicy.ResendWithKey"/> it honours the idempotency key: a repeat is accepted without another receipt.
/// </summary>
public sealed class SimulatedChannel(string name, UnknownOutcomePolicy whenUnknown, TimeProvider time) : IDeliveryChannel
{
    private readonly Lock _lock = new();
    private readonly List<ProviderReceipt> _receipts = [];

    /// <summary>Decides each answer; called one at a time.</summary>
    public Func<Delivery, int, ProviderAnswer> Script { get; set; } = (_, _) => ProviderAnswer.Accept;

    public Func<Delivery, string> Endpoint { get; init; } = _ => "provider";

    /// <summary>Calls, whatever came of them.</summary>
    public int Calls { get; private set; }

    public string Name => name;

    public UnknownOutcomePolicy WhenUnknown => whenUnknown;

    /// <summary>All acceptances so far, in order.</summary>
    public IReadOnlyList<ProviderReceipt> Receipts
    {
        get
        {
            lock (_lock) return [.. _receipts];
        }
    }

    public string EndpointOf(Delivery delivery) => Endpoint(delivery);

    public async ValueTask<SendOutcome> SendAsync(Delivery delivery, int attempt, CancellationToken cancel)
    {
        ProviderAnswer answer;
        lock (_lock)
        {
            Calls++;
            answer = Script(delivery, attempt);
        }

        if (answer.After > TimeSpan.Zero) await Task.Delay(answer.After, time, cancel);
        if (answer.Accepts) Accept(delivery, attempt);
        if (answer.Outcome is { } outcome) return outcome;
        await Task.Delay(Timeout.InfiniteTimeSpan, time, cancel);
        return new SendOutcome.Unknown("no answer");
    }

    private void Accept(Delivery delivery, int attempt)
    {
        lock (_lock)
        {
            var known = whenUnknown == UnknownOutcomePolicy.ResendWithKey
                && _receipts.Exists(r => r.IdempotencyKey == delivery.IdempotencyKey);
            if (!known) _receipts.Add(new(delivery.IdempotencyKey, delivery.Recipient, attempt, time.GetUtcNow()));
        }
    }
}
