using Belfry.Alerting;
using Belfry.Alerting.Events;
using Belfry.Alerting.Storage;
using Belfry.Deliveries;
using Belfry.Log;
using Belfry.Outbox;
using Belfry.Scheduling;

namespace Belfry.Server.Hosting;

/// <summary>
/// The drivers of one shape (design section 1), opened: all that differs between shapes. Opened before the web host is built and closed
/// after it has stopped, so that nothing loses its store while it drains.
/// </summary>
internal abstract class ShapePorts : IAsyncDisposable
{
    public required IPartitionedLog Log { get; init; }

    /// <summary>The alerting store.</summary>
    public required IOutboxStore Store { get; init; }
    public required SqlDialect Dialect { get; init; }
    public required ITaskStore Tasks { get; init; }
    public required IDeliveryStore Deliveries { get; init; }
    public required IParkedRecordStore Parked { get; init; }
    public required IFastClaims Claims { get; init; }

    /// <summary>Where events go while the log alone is away; null where log and store share their fate.</summary>
    public EventDetour? Detour { get; init; }

    /// <summary>What the drivers themselves need to have running.</summary>
    public required IReadOnlyList<Hop> Housekeeping { get; init; }

    /// <summary>True: other processes use the same log and stores.</summary>
    public abstract bool AreShared { get; }

    /// <summary>Called once the topics are declared and the tables are there, and before anything runs.</summary>
    /// <exception cref="InvalidOperationException">Log and stores do not belong together.</exception>
    public virtual Task CheckAsync(Topics topics, CancellationToken cancel) => Task.CompletedTask;

    public abstract ValueTask DisposeAsync();
}
