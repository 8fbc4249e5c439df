using Belfry.Alerting;

namespace Belfry.Server.Hosting;

/// <summary>How a hop fares.</summary>
/// <param name="Name">The hop.</param>
/// <param name="Running">False while it waits to be started again, and after the end.</param>
/// <param name="Restarts">Since the start of the process.</param>
/// <param name="Fault">Why it last ended, without its details; null when it never did.</param>
internal sealed record HopStatus(string Name, bool Running, int Restarts, string? Fault);

/// <summary>
/// Keeps the hops of the pipeline running: one that ends or throws is started again after a pause that doubles from a second to half a
/// minute, and starts over at a second once it has run for a minute. On shutdown all are cancelled and awaited, so they drain.
/// </summary>
internal sealed partial class HopRunner(
    Func<IReadOnlyList<Hop>> makeHops, HopThreads threads, IHostApplicationLifetime lifetime, TimeProvider time,
    ILogger<HopRunner> logger) : BackgroundService
{
    private static readonly TimeSpan PauseMin = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan PauseMax = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Steady = TimeSpan.FromMinutes(1);
    private readonly Lock _lock = new();
    private HopStatus[] _statuses = [];

    /// <summary>In the order of the pipeline; empty before the server listens.</summary>
    public IReadOnlyList<HopStatus> Statuses
    {
        get
        {
            lock (_lock) return [.. _statuses];
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Links in messages need the address, and with port 0 that is known only once the server listens.
        if (!await lifetime.HasStartedAsync(stoppingToken)) return;
        var hops = makeHops();
        lock (_lock) _statuses = [.. hops.Select(hop => new HopStatus(hop.Name, false, 0, null))];
        await Task.WhenAll(hops.Select((hop, at) => threads.RunAsync(() => KeepRunningAsync(hop, at, stoppingToken))));
    }

    /// <summary>
    /// Hops that do not end in time are left behind: what they held comes again, from the log or the store, to whoever is next.
    /// </summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        var left = Statuses.Where(status => status.Running).Select(status => status.Name).ToList();
        if (left.Count > 0) LogNotDrained(logger, string.Join(", ", left));
    }

    private async Task KeepRunningAsync(Hop hop, int at, CancellationToken cancel)
    {
        var pause = PauseMin;
        while (!cancel.IsCancellationRequested)
        {
            var startedAt = time.GetTimestamp();
            Update(at, status => status with { Running = true });
            var fault = await RunOnceAsync(hop, cancel);
            if (cancel.IsCancellationRequested) break;
            pause = time.GetElapsedTime(startedAt) >= Steady ? PauseMin : pause;
            Update(at, status => status with { Running = false, Restarts = status.Restarts + 1, Fault = fault });
            try
            {
                await Task.Delay(pause, time, cancel);
            }
            catch (OperationCanceledException)
            {
                break;
            }

            pause = pause * 2 > PauseMax ? PauseMax : pause * 2;
        }

        Update(at, status => status with { Running = false });
    }

    private async Task<string> RunOnceAsync(Hop hop, CancellationToken cancel)
    {
        try
        {
            await hop.RunAsync(cancel);
            if (!cancel.IsCancellationRequested) LogEnded(logger, hop.Name);
            return "ended";
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            return "stopped";
        }
        catch (Exception fault)
        {
            LogFailed(logger, hop.Name, fault);
            return fault.GetType().Name;
        }
    }

    private void Update(int at, Func<HopStatus, HopStatus> change)
    {
        lock (_lock) _statuses[at] = change(_statuses[at]);
    }

    [LoggerMessage(201, LogLevel.Error, "Hop '{Hop}' ended by itself; it will be started again")]
    private static partial void LogEnded(ILogger logger, string hop);

    [LoggerMessage(203, LogLevel.Warning, "The server stops before these have drained: {Hops}; nothing is lost, some of it may run again")]
    private static partial void LogNotDrained(ILogger logger, string hops);

    [LoggerMessage(202, LogLevel.Error, "Hop '{Hop}' failed; it will be started again")]
    private static partial void LogFailed(ILogger logger, string hop, Exception fault);
}
