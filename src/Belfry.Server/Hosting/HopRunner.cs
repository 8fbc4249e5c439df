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
    IReadOnlyList<(string Name, Func<CancellationToken, Task> RunAsync)> hops, TimeProvider time, ILogger<HopRunner> logger) : BackgroundService
{
    private static readonly TimeSpan PauseMin = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan PauseMax = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Steady = TimeSpan.FromMinutes(1);
    private readonly Lock _lock = new();
    private readonly HopStatus[] _statuses = [.. hops.Select(hop => new HopStatus(hop.Name, false, 0, null))];

    /// <summary>In the order of the pipeline.</summary>
    public IReadOnlyList<HopStatus> Statuses
    {
        get
        {
            lock (_lock) return [.. _statuses];
        }
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(Enumerable.Range(0, hops.Count).Select(at => KeepRunningAsync(at, stoppingToken)));

    private async Task KeepRunningAsync(int at, CancellationToken cancel)
    {
        // A hop may work for long before it first waits; the host's start must not wait for it.
        await Task.Yield();
        var pause = PauseMin;
        while (!cancel.IsCancellationRequested)
        {
            var startedAt = time.GetTimestamp();
            Update(at, status => status with { Running = true });
            var fault = await RunOnceAsync(hops[at], cancel);
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

    private async Task<string> RunOnceAsync((string Name, Func<CancellationToken, Task> RunAsync) hop, CancellationToken cancel)
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

    [LoggerMessage(202, LogLevel.Error, "Hop '{Hop}' failed; it will be started again")]
    private static partial void LogFailed(ILogger logger, string hop, Exception fault);
}
