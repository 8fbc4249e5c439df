using System.Diagnostics.Metrics;

namespace Belfry.Deliveries;

/// <summary>Counters of the meter <c>Belfry.Deliveries</c>, each tagged with the channel.</summary>
internal static class DeliveryMeter
{
    private static readonly Meter Meter = new("Belfry.Deliveries");

    /// <summary>Sends begun, also tagged with what they came to.</summary>
    private static readonly Counter<long> Sends = Meter.CreateCounter<long>("belfry.deliveries.sends");

    private static readonly Counter<long> Resumed = Meter.CreateCounter<long>(
        "belfry.deliveries.resumed", description: "Sends repeated over a lost owner's: the bound on duplicates at a blind provider.");

    private static readonly Counter<long> Fenced = Meter.CreateCounter<long>(
        "belfry.deliveries.fenced_completions", description: "Ends of attempts refused because the partition has a newer owner.");

    private static readonly Counter<long> Waits = Meter.CreateCounter<long>(
        "belfry.deliveries.breaker_waits", description: "Sends put off by an open breaker.");

    private static readonly Counter<long> StaleClaims = Meter.CreateCounter<long>(
        "belfry.deliveries.stale_claims",
        description: "Claims granted so late that nothing was sent: the store is slow, or the process was frozen.");

    public static void Sent(string channel, SendOutcome outcome) =>
        Sends.Add(1, new("channel", channel), new KeyValuePair<string, object?>("outcome", outcome.GetType().Name));

    public static void Resume(string channel) => Resumed.Add(1, new KeyValuePair<string, object?>("channel", channel));

    public static void Fence(string channel) => Fenced.Add(1, new KeyValuePair<string, object?>("channel", channel));

    public static void StaleClaim(string channel) => StaleClaims.Add(1, new KeyValuePair<string, object?>("channel", channel));

    public static void BreakerWait(string channel) => Waits.Add(1, new KeyValuePair<string, object?>("channel", channel));
}
