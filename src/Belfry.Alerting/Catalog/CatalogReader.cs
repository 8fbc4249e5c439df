using Belfry.Log;
using Belfry.Outbox;
using Microsoft.Extensions.Logging;

namespace Belfry.Alerting.Catalog;

/// <summary>
/// Holds the newest configuration in memory. Writers of this process refresh it before they return; changes of other processes are
/// seen within a second. Also runs the relay of the outbox lane <c>people</c>.
/// </summary>
public sealed class CatalogReader(IOutboxStore store, IPartitionedLog log, TimeProvider time, ILogger logger)
{
    /// <summary>Immutable; replaced as a whole. <see cref="CatalogSnapshot.Empty"/> before the first refresh.</summary>
    public CatalogSnapshot Current => throw new NotSupportedException($"{store}{log}{time}{logger}");

    /// <summary>Loads the newest configuration when its version has changed. <see cref="Current"/> never goes back.</summary>
    public ValueTask RefreshAsync(CancellationToken cancel) => throw new NotSupportedException();

    /// <summary>Looks for changes each second and publishes contact rules, until cancelled. Faults of store and log are retried.</summary>
    public Task RunAsync(CancellationToken cancel) => throw new NotSupportedException();
}
