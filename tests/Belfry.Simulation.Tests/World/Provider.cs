using Belfry.Deliveries;
using Belfry.Testing;

namespace Belfry.Simulation.Tests.World;

/// <summary>What a provider does with the calls it gets; changed by the script of the world.</summary>
internal sealed record ProviderMood(double Busy, double SilentAfterAccepting, double Refuse, double Slow)
{
    public static ProviderMood Good { get; } = new(0, 0, 0, 0);
    public static ProviderMood Leisurely { get; } = new(0, 0, 0, 0.3);
    public static ProviderMood Bad { get; } = new(0.15, 0.05, 0.02, 0.1);
}

/// <summary>One way out of the world. It lives outside all nodes: what reached it counts, whatever becomes of the caller.</summary>
internal sealed class Provider(SimulatedWorld world, string name, UnknownOutcomePolicy whenUnknown, Observer observer)
{
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);

    public string Name => name;
    public UnknownOutcomePolicy WhenUnknown => whenUnknown;
    public ProviderMood Mood { get; set; } = ProviderMood.Good;

    /// <summary>A recipient whose calls hang until they time out; null: none.</summary>
    public string? Stuck { get; set; }

    public IDeliveryChannel On(SimulatedNode node) => new Channel(this, node);

    private async ValueTask<SendOutcome> SendAsync(SimulatedNode node, Delivery delivery, int attempt, CancellationToken cancel)
    {
        var send = observer.SendBegins(node, name, delivery, attempt);
        try
        {
            var dice = world.Random.NextDouble();
            if (delivery.Recipient == Stuck) return await HangAsync(node, cancel);
            if (dice < Mood.Slow) await Task.Delay(TimeSpan.FromSeconds(3), node.Time, cancel);
            dice = world.Random.NextDouble();
            if (dice < Mood.Busy) return new SendOutcome.Transient("503");
            if (dice < Mood.Busy + Mood.Refuse) return new SendOutcome.Permanent("no such recipient");
            var silent = dice < Mood.Busy + Mood.Refuse + Mood.SilentAfterAccepting;
            Accept(delivery);
            if (silent) return await HangAsync(node, cancel);
            await Task.Delay(TimeSpan.FromMilliseconds(20 + world.Random.Next(180)), node.Time, cancel);
            return new SendOutcome.Sent(null);
        }
        finally
        {
            observer.SendEnds(send);
        }
    }

    private void Accept(Delivery delivery)
    {
        // A provider that takes the key makes one effect of repeats.
        if (whenUnknown == UnknownOutcomePolicy.ResendWithKey && !_known.Add(delivery.IdempotencyKey)) return;
        observer.Received(name, delivery);
    }

    private static async Task<SendOutcome> HangAsync(SimulatedNode node, CancellationToken cancel)
    {
        await Task.Delay(Timeout.InfiniteTimeSpan, node.Time, cancel);
        return new SendOutcome.Unknown("no answer");
    }

    private sealed class Channel(Provider provider, SimulatedNode node) : IDeliveryChannel
    {
        public string Name => provider.Name;
        public UnknownOutcomePolicy WhenUnknown => provider.WhenUnknown;
        public string EndpointOf(Delivery delivery) => delivery.Recipient;
        public ValueTask<SendOutcome> SendAsync(Delivery delivery, int attempt, CancellationToken cancel) =>
            provider.SendAsync(node, delivery, attempt, cancel);
    }
}
