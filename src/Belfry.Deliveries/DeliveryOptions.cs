using Belfry.Log;

namespace Belfry.Deliveries;

/// <summary>Settings of a delivery worker. All have bounds.</summary>
public sealed record DeliveryOptions
{
    /// <summary>Limit on one send; past it the outcome is unknown. Default 10 s.</summary>
    public TimeSpan SendTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Waits before attempts 2, 3, …, each shortened by up to half at random; its length + 1 is the most attempts. Default 1, 2, 4, 8, 16
    /// s.
    /// </summary>
    public IReadOnlyList<TimeSpan> Backoff { get; init; } = [.. new[] { 1, 2, 4, 8, 16 }.Select(s => TimeSpan.FromSeconds(s))];

    /// <summary>The longest wait a provider may ask for; longer ones are cut to it. Default 15 min.</summary>
    public TimeSpan ProviderWaitMax { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>
    /// A send starts only within this time of asking for its claim, by the monotonic clock; else the claim is let go of and
    /// asked for again, which burns no attempt. Default 5 s.
    /// </summary>
    public TimeSpan ClaimFreshFor { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Most claims or completions in one call of the store. Default 500.</summary>
    public int BatchMax { get; init; } = 500;

    /// <summary>
    /// Most calls of the store for claims that run at one time, of a partition, and as many for completions: with one alone, what
    /// arrives during a call misses the commit after it. A store with fewer connections has the rest wait for one. Default 4.
    /// </summary>
    public int BatchesMax { get; init; } = 4;

    /// <summary>Breakers, one per endpoint.</summary>
    public BreakerOptions Breaker { get; init; } = new();

    /// <summary>Lanes; their backoff applies to faults of our own only, for attempts at sending follow <see cref="Backoff"/>.</summary>
    public LaneOptions Lanes { get; init; } = new();

    public ConsumerOptions Consumer { get; init; } = new();

    /// <summary>Wait before going on after a transient fault of store, log or report. Default 1 s.</summary>
    public TimeSpan FaultWait { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Says which exceptions are transient besides <see cref="LogUnavailableException"/>: repeated without end, burning no attempt.
    /// </summary>
    public Func<Exception, bool> IsTransient { get; init; } = _ => false;

    internal int AttemptsMax => Backoff.Count + 1;

    /// <summary>All faults in one message.</summary>
    /// <exception cref="ArgumentException">A value is out of its bounds.</exception>
    public void Validate()
    {
        List<string> faults = [];
        if (SendTimeout <= TimeSpan.Zero) faults.Add($"SendTimeout is {SendTimeout}, it must be above zero");
        if (SendTimeout >= Lanes.HandlerTimeout)
            faults.Add($"SendTimeout is {SendTimeout}, it must be below Lanes.HandlerTimeout, {Lanes.HandlerTimeout}");
        if (Backoff.Count > 30) faults.Add($"Backoff has {Backoff.Count} waits, at most 30 are allowed");
        if (Backoff.Any(wait => wait < TimeSpan.Zero)) faults.Add("Backoff has a negative wait");
        if (ProviderWaitMax < TimeSpan.Zero) faults.Add($"ProviderWaitMax is {ProviderWaitMax}, it must not be negative");
        if (ClaimFreshFor <= TimeSpan.Zero) faults.Add($"ClaimFreshFor is {ClaimFreshFor}, it must be above zero");
        if (BatchMax is < 1 or > 10_000) faults.Add($"BatchMax is {BatchMax}, it must be 1 to 10000");
        if (BatchesMax is < 1 or > 100) faults.Add($"BatchesMax is {BatchesMax}, it must be 1 to 100");
        if (FaultWait <= TimeSpan.Zero) faults.Add($"FaultWait is {FaultWait}, it must be above zero");
        if (Breaker.FailuresToOpen < 1) faults.Add($"Breaker.FailuresToOpen is {Breaker.FailuresToOpen}, it must be 1 or more");
        if (Breaker.OpenFor <= TimeSpan.Zero || Breaker.OpenForMax < Breaker.OpenFor)
        {
            faults.Add($"Breaker.OpenFor is {Breaker.OpenFor}, it must be above zero and at most Breaker.OpenForMax, {Breaker.OpenForMax}");
        }

        if (Breaker.EndpointsMax < 1) faults.Add($"Breaker.EndpointsMax is {Breaker.EndpointsMax}, it must be 1 or more");
        faults.AddRange(Consumer.Faults(Lanes.HandlerTimeout).Select(fault => $"Consumer: {fault.TrimEnd('.')}"));
        if (faults.Count > 0) throw new ArgumentException($"Delivery options: {string.Join("; ", faults)}.");
    }
}

/// <summary>Settings of the breakers.</summary>
public sealed record BreakerOptions
{
    /// <summary>Failures in a row that open a breaker. Default 10.</summary>
    public int FailuresToOpen { get; init; } = 10;

    /// <summary>How long it stays open before one probe is let through; doubled with each failed probe. Default 5 s.</summary>
    public TimeSpan OpenFor { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Where the doubling ends. Default 60 s.</summary>
    public TimeSpan OpenForMax { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Most endpoints remembered; the one unused for longest is forgotten first. Default 1,000.</summary>
    public int EndpointsMax { get; init; } = 1_000;
}
