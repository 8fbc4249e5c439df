using System.Diagnostics.Metrics;
using Belfry.Deliveries;

namespace Belfry.Redis;

/// <summary>Counters of the meter <c>Belfry.Redis</c>.</summary>
internal static class RedisMeter
{
    private static readonly Meter Meter = new("Belfry.Redis");

    private static readonly Counter<long> Claims = Meter.CreateCounter<long>(
        "belfry.redis.claims", description: "Fast claims, tagged with the answer; each that was unavailable costs the store a question.");

    private static readonly Counter<long> Completions = Meter.CreateCounter<long>(
        "belfry.redis.completions", description: "Keys to be marked completed, tagged with whether they were.");

    private static readonly Counter<long> Written = Meter.CreateCounter<long>(
        "belfry.redis.hints", description: "Hints to be written, tagged with whether they were; others are forgotten.");

    private static readonly Counter<long> Faults = Meter.CreateCounter<long>(
        "belfry.redis.faults", description: "Questions that failed, tagged with the kind: timeout, connection, server or other.");

    public static void Claim(FastClaim answer) => Claims.Add(1, new KeyValuePair<string, object?>("answer", answer.ToString()));

    public static void Completion(bool done) => Completions.Add(1, new KeyValuePair<string, object?>("done", done));

    public static void Hints(int count, bool done) => Written.Add(count, new KeyValuePair<string, object?>("done", done));

    public static void Fault(string kind) => Faults.Add(1, new KeyValuePair<string, object?>("kind", kind));
}
