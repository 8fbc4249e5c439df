using Belfry.Alerting.Catalog;
using Belfry.Alerting.Events;
using Belfry.Alerting.Storage;
using Belfry.Log;
using Belfry.Outbox;
using Microsoft.Extensions.Logging;

namespace Belfry.Alerting.Incidents;

/// <summary>
/// The incident hop: <c>incoming-events</c> and <c>incident-commands</c>, co-partitioned, into incidents, assignments, timers and log
/// entries, one transaction a batch.
/// </summary>
public static class IncidentHop
{
    private static readonly TimeSpan TurnInterval = TimeSpan.FromMilliseconds(20);

    /// <summary>The consumer group to run the owners in.</summary>
    public static ConsumerGroup Group(Topics topics) =>
        new(topics.Prefix + "incidents", [topics.IncomingEvents.Name, topics.IncidentCommands.Name], CoPartitioned: true);

    /// <summary>Makes the owners.</summary>
    /// <param name="log">Where the relay publishes.</param>
    /// <param name="store">The alerting store; <see cref="IncidentsSchema.Steps"/> have run.</param>
    /// <param name="dialect">Of that store.</param>
    /// <param name="topics">The declared topics.</param>
    /// <param name="catalog">The newest configuration; asked once a batch.</param>
    /// <param name="changes">Poked after each commit.</param>
    /// <param name="time">The clock of decisions.</param>
    /// <param name="logger">For faults.</param>
    /// <param name="lookAgain">Of the relays; see <see cref="OutboxRelay.LookAgain"/>.</param>
    /// <param name="isTransient">Which store faults are repeated without end; null: <see cref="StoreUnavailableException"/> only.</param>
    /// <param name="trail">Told of each event once it is committed; null: nobody is.</param>
    public static PartitionOwnerFactory Create(
        IPartitionedLog log, IOutboxStore store, SqlDialect dialect, Topics topics, Func<CatalogSnapshot> catalog, IncidentChanges changes,
        TimeProvider time, ILogger logger, TimeSpan lookAgain, Func<Exception, bool>? isTransient = null,
        EventTrail? trail = null)
    {
        var ports = new IncidentPorts(log, store, dialect, topics, catalog, changes, time, logger, lookAgain, trail);
        var options = new BatchOwnerOptions
        {
            IsTransient = isTransient ?? (fault => fault is StoreUnavailableException), TurnInterval = TurnInterval,
        };
        return (partition, sources) => new BatchOwner(sources, new IncidentFold(partition, ports), options, time, logger);
    }
}
