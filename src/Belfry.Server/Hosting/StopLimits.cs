namespace Belfry.Server.Hosting;

/// <summary>
/// A stop takes less than 10 s, whatever is away (reliability reference, E10): what has not ended by then is left, for everything that was
/// accepted is in the log or the store, and comes again from there.
/// </summary>
internal static class StopLimits
{
    /// <summary>
    /// For requests and hops, side by side: two seconds more than a consumer's drain takes (<see cref="Log.ConsumerOptions.DrainBudget"/>),
    /// for a poll that does not come back before, or to commit, and to leave the group.
    /// </summary>
    public static readonly TimeSpan DrainMax = TimeSpan.FromSeconds(7);

    /// <summary>For the drivers afterwards: to send what they hold, and to hang up.</summary>
    public static readonly TimeSpan CloseMax = TimeSpan.FromSeconds(2);

    public static void BoundStop(this IServiceCollection services) => services.Configure<HostOptions>(options =>
    {
        options.ShutdownTimeout = DrainMax;
        // Otherwise a request that hangs would take the time that the hops need.
        options.ServicesStopConcurrently = true;
    });
}
