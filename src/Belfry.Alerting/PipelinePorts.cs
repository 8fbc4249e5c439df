using Belfry.Alerting.Catalog;
using Belfry.Alerting.Events;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.People;
using Belfry.Alerting.Storage;
using Belfry.Deliveries;
using Belfry.Log;
using Belfry.Outbox;
using Belfry.Scheduling;
using Microsoft.Extensions.Logging;

namespace Belfry.Alerting;

/// <summary>Settings of the pipeline.</summary>
public sealed record PipelineOptions
{
    /// <summary>Where people reach the web pages, ending in a slash: the root of all links in messages.</summary>
    public required Uri BaseUrl { get; init; }

    /// <summary>Signs acknowledge links; at least 32 bytes. With another key, links sent before are refused.</summary>
    public required ReadOnlyMemory<byte> LinkKey { get; init; }

    public ConsumerOptions Consumer { get; init; } = new();

    /// <summary>
    /// Of the hops that fold batches: incidents, planning and timeline. A lower <see cref="ConsumerOptions.HeldMax"/> keeps less in memory
    /// while a fold is behind, and pauses more often, which a log that is far away must make up for. Default null: <see cref="Consumer"/>.
    /// </summary>
    public ConsumerOptions? Folds { get; init; }
    public SchedulerOptions Scheduler { get; init; } = new();
    public DeliveryOptions Deliveries { get; init; } = new();

    /// <summary>See <see cref="OutboxRelay.LookAgain"/>: of the lanes that incidents publish by. Default 5 s.</summary>
    public TimeSpan OutboxLookAgain { get; init; } = TimeSpan.FromSeconds(5);
}

/// <summary>Everything the hops touch: drivers in production, simulated ones in tests.</summary>
public sealed record PipelinePorts
{
    public required IPartitionedLog Log { get; init; }

    /// <summary>The alerting store; all schema steps have run.</summary>
    public required IOutboxStore Store { get; init; }
    public required SqlDialect Dialect { get; init; }
    public required ITaskStore Tasks { get; init; }
    public required IDeliveryStore Deliveries { get; init; }
    public required IParkedRecordStore Parked { get; init; }
    public required IFastClaims Claims { get; init; }

    /// <summary>One hop each; no two of one name.</summary>
    public required IReadOnlyList<IDeliveryChannel> Channels { get; init; }
    public required CatalogReader Catalog { get; init; }
    public required PeopleStore People { get; init; }

    /// <summary>Poked when incidents or timelines have changed, for live pages.</summary>
    public required IncidentChanges Changes { get; init; }

    /// <summary>Told what became of events, and run as a hop; null: nobody is told.</summary>
    public EventTrail? Trail { get; init; }
    public required Topics Topics { get; init; }
    public required TimeProvider Time { get; init; }

    /// <summary>Drawn from while the hops are made, by one thread.</summary>
    public required Random Random { get; init; }
    public required ILoggerFactory Loggers { get; init; }
    public required PipelineOptions Options { get; init; }
}
