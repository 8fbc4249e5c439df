using Belfry.Alerting.Storage;
using Belfry.Outbox;
using Microsoft.Extensions.Logging;

namespace Belfry.Alerting.Incidents;

/// <summary>
/// Tells live pages of this process what other processes have committed: it asks the store once a second how far all folds are.
/// Only for a store that several processes share; the folds of this process tell by themselves.
/// </summary>
public sealed partial class ChangeWatcher(IOutboxStore store, IncidentChanges changes, TimeProvider time, ILogger<ChangeWatcher> logger)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>Watches until cancelled; faults of the store are waited out.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        for (long? known = null; !cancel.IsCancellationRequested;)
            try
            {
                var progress = await store.ReadAsync(connection => ValueTask.FromResult(PartitionFence.Progress(connection)), cancel);
                if (known is not null && progress != known) changes.Poke();
                known = progress;
                await Task.Delay(Interval, time, cancel);
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                return;
            }
            catch (StoreUnavailableException fault)
            {
                AskingFailed(fault);
                await PauseAsync(cancel);
            }
    }

    private async Task PauseAsync(CancellationToken cancel)
    {
        try
        {
            await Task.Delay(Interval * 5, time, cancel);
        }
        catch (OperationCanceledException)
        {
            // The loop looks at the token next.
        }
    }

    [LoggerMessage(131, LogLevel.Warning, "What other processes changed is not known; live pages update later")]
    private partial void AskingFailed(Exception fault);
}
