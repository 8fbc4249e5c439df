using Belfry.Alerting.People;
using Belfry.Log;
using Belfry.Outbox;
using Dapper;
using Microsoft.Extensions.Logging;

namespace Belfry.Alerting.Catalog;

/// <summary>
/// Holds the newest configuration in memory. Writers of this process refresh it before they return; changes of other processes are
/// seen within <see cref="CheckEvery"/>. Also runs the relay of the outbox lane <c>people</c>. Safe for use by several threads.
/// </summary>
public sealed partial class CatalogReader(IOutboxStore store, IPartitionedLog log, TimeProvider time, ILogger logger)
{
    private readonly OutboxRelay _relay = new(store, log, ConfigurationChange.Lane, time, logger);
    private readonly Lock _gate = new();
    private CatalogSnapshot _current = CatalogSnapshot.Empty;

    /// <summary>How often changes of other processes are looked for. Default 1 s; one read of one row each time.</summary>
    public TimeSpan CheckEvery { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>See <see cref="OutboxRelay.LookAgain"/>: of the lane <c>people</c>.</summary>
    public TimeSpan OutboxLookAgain
    {
        get => _relay.LookAgain;
        init => _relay = new OutboxRelay(store, log, ConfigurationChange.Lane, time, logger) { LookAgain = value };
    }

    /// <summary>Immutable; replaced as a whole. <see cref="CatalogSnapshot.Empty"/> before the first refresh.</summary>
    public CatalogSnapshot Current => Volatile.Read(ref _current);

    /// <summary>Loads the newest configuration when its version has changed. <see cref="Current"/> never goes back.</summary>
    /// <exception cref="StoreUnavailableException">Retryable; what was known stays.</exception>
    public async ValueTask RefreshAsync(CancellationToken cancel)
    {
        var known = Current.Version;
        var loaded = await store.ReadAsync(connection =>
        {
            var version = connection.ExecuteScalar<long>("select version from catalog_version where id = 1");
            return ValueTask.FromResult(version <= known ? null : new CatalogSnapshot(
                version, CatalogTables.Services.All(connection), CatalogTables.Integrations.All(connection),
                CatalogTables.Policies.All(connection), CatalogTables.Schedules.All(connection), PeopleTables.Users.All(connection)));
        }, cancel);
        if (loaded is null) return;
        lock (_gate)
        {
            if (loaded.Version > _current.Version) Volatile.Write(ref _current, loaded);
        }
    }

    /// <summary>
    /// Looks for changes every <see cref="CheckEvery"/> and publishes contact rules, until cancelled. Whatever fails is tried again.
    /// </summary>
    public Task RunAsync(CancellationToken cancel) => Task.WhenAll(_relay.RunAsync(cancel), FollowAsync(cancel));

    /// <summary>There may be contact rules to publish.</summary>
    internal void Poke() => _relay.Poke();

    private async Task FollowAsync(CancellationToken cancel)
    {
        for (long failures = 0; !cancel.IsCancellationRequested;)
        {
            try
            {
                await RefreshAsync(cancel);
                if (failures > 0) RefreshedAgain(logger, failures);
                failures = 0;
                await Task.Delay(CheckEvery, time, cancel);
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                return;
            }
            catch (StoreUnavailableException unavailable)
            {
                RefreshFailed(logger, unavailable);
                await PauseAsync(cancel);
            }
            catch (Exception fault)
            {
                // Thrown on, nobody would hear of it: the relay beside this loop goes on, and with it the hop. It is told once a minute.
                if (failures++ % (TimeSpan.FromMinutes(1) / CheckEvery) < 1) RefreshBroke(logger, fault);
                await PauseAsync(cancel);
            }
        }
    }

    private async Task PauseAsync(CancellationToken cancel)
    {
        try
        {
            await Task.Delay(CheckEvery, time, cancel);
        }
        catch (OperationCanceledException)
        {
            // The loop sees the cancellation itself.
        }
    }

    [LoggerMessage(
        EventId = 5101, Level = LogLevel.Warning,
        Message = "The configuration could not be read; the last known one holds, and it is tried again shortly.")]
    private static partial void RefreshFailed(ILogger logger, Exception fault);

    [LoggerMessage(
        EventId = 5102, Level = LogLevel.Error,
        Message = "Reading the configuration failed, and may go on failing; the last known one holds, and it is tried again shortly.")]
    private static partial void RefreshBroke(ILogger logger, Exception fault);

    [LoggerMessage(EventId = 5103, Level = LogLevel.Information, Message = "The configuration is read again, after {Failures} failures.")]
    private static partial void RefreshedAgain(ILogger logger, long failures);
}
