using Belfry.Log;

namespace Belfry.Testing;

/// <summary>What the simulated ports do to a call. Chances are from 0 to 1, latencies virtual.</summary>
public sealed record FaultPlan
{
    /// <summary>Every call succeeds, after 0.1 to 2 ms each way.</summary>
    public static FaultPlan None { get; } = new();

    /// <summary>Faults of every kind, each in one call of fifty or so.</summary>
    public static FaultPlan Rough { get; } = new() { FailBefore = 0.02, FailAfter = 0.02, Slow = 0.02 };

    /// <summary>Chance that a call fails and nothing happened.</summary>
    public double FailBefore { get; init; }

    /// <summary>Chance that a call is carried out, and fails all the same.</summary>
    public double FailAfter { get; init; }

    /// <summary>Chance that a call takes <see cref="SlowBy"/> longer, half of it each way.</summary>
    public double Slow { get; init; }

    public TimeSpan SlowBy { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Least latency of one way.</summary>
    public TimeSpan LatencyMin { get; init; } = TimeSpan.FromMilliseconds(0.1);

    /// <summary>Most latency of one way, unless slow.</summary>
    public TimeSpan LatencyMax { get; init; } = TimeSpan.FromMilliseconds(2);

    /// <summary>The exception of a failed call, from its name. Default: <see cref="LogUnavailableException"/>.</summary>
    public Func<string, Exception> MakeFault { get; init; } = name => new LogUnavailableException($"Call '{name}' failed by plan.");
}
