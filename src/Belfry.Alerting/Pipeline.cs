using Belfry.Alerting.Catalog;
using Belfry.Alerting.Dispatch;
using Belfry.Alerting.Events;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.People;
using Belfry.Alerting.Planning;
using Belfry.Alerting.Storage;
using Belfry.Alerting.Timeline;
using Belfry.Deliveries;
using Belfry.Log;
using Belfry.Scheduling;
using Microsoft.Extensions.Logging;

namespace Belfry.Alerting;

/// <summary>One step of an event's way. It runs until cancelled and heals itself from faults of its ports.</summary>
public sealed record Hop(string Name, Func<CancellationToken, Task> RunAsync)
{
    /// <summary>A process runs it when it has one of these roles; none: every process does. Default: the name.</summary>
    public IReadOnlyList<string> Roles { get; init; } = [Name];

    /// <summary>What it reads the log with, for health and metrics; null for one that reads no log.</summary>
    public ConsumerRunner? Consumer { get; init; }
}

/// <summary>
/// The way of an event, hop by hop (design section 2): where a newcomer starts. The first hop, accept, is called by HTTP
/// (<see cref="AlertEvent"/> on <c>incoming-events</c>); the rest run here, each in a consumer group of its own.
/// </summary>
public static class Pipeline
{
    /// <summary>The tables of all modules; run them with <see cref="AlertingSchema.MigrateAsync"/> before the hops.</summary>
    public static IReadOnlyList<SchemaStep> SchemaSteps { get; } =
        [PartitionFence.Schema, .. CatalogSchema.Steps, .. PeopleSchema.Steps, .. IncidentsSchema.Steps, .. TimelineSchema.Steps];

    /// <summary>All hops in the order of an event's way.</summary>
    public static IReadOnlyList<Hop> Hops(PipelinePorts ports) =>
    [
        Incidents(ports),
        Planning(ports),
        Scheduler(ports),
        .. ports.Topics.RetiredScheduledTasks.Select(retired => Carrier(retired.Topic, retired.Generation, ports)),
        .. ports.Channels.Select(channel => Dispatch(channel, ports)),
        Timeline(ports),
        new("catalog", ports.Catalog.RunAsync) { Roles = [] },
        .. ports.Trail is { } trail ? [new Hop("event-trail", trail.RunAsync) { Roles = [] }] : Array.Empty<Hop>(),
    ];

    // Events and commands of a service -> incidents, assignments, level timers: one transaction a batch.
    private static Hop Incidents(PipelinePorts ports) => Consume(
        ports, "incidents", IncidentHop.Group(ports.Topics), logger => IncidentHop.Create(
        ports.Log, ports.Store, ports.Dialect, ports.Topics, () => ports.Catalog.Current, ports.Changes, ports.Time, logger,
        ports.Options.OutboxLookAgain, trail: ports.Trail));

    // Assignments, contact rules and timers fired of a user -> notifications and rule timers.
    private static Hop Planning(PipelinePorts ports) => Consume(
        ports, "planning", PlanningHop.Group(ports.Topics), logger => PlanningHop.Create(
        ports.Log, ports.Topics, ports.Time, logger));

    // Tasks whose time has come -> "timer fired" on the topic of the incident's or the user's owner.
    private static Hop Scheduler(PipelinePorts ports)
    {
        var worker = new SchedulerWorker(
            ports.Log, ports.Topics.ScheduledTasks, ports.Topics.SchedulerGroup(ports.Topics.ScheduledTasksGeneration), ports.Tasks,
            [new IncidentTimerHandler(ports.Log, ports.Topics), new PlanningRuleHandler(ports.Log, ports.Topics)],
            ports.Options.Scheduler, ports.Options.Consumer, ports.Time, ports.Loggers, ports.Topics.ScheduledTasksGeneration);
        return new Hop("scheduler", worker.RunAsync) { Consumer = worker.Runner };
    }

    // What instances that have not heard of a newer topic still write to an older one -> the newer one.
    private static Hop Carrier(TopicDeclaration retired, int generation, PipelinePorts ports)
    {
        var carrier = new RetiredTopicCarrier(
            ports.Log, retired.Name, ports.Topics.SchedulerGroup(generation), ports.Topics.ScheduledTasks.Name, ports.Options.Consumer,
            ports.Time, ports.Loggers);
        return new Hop($"carry-{retired.Name}", carrier.RunAsync) { Roles = ["scheduler"], Consumer = carrier.Runner };
    }

    // Notifications of one channel -> its provider, once each.
    private static Hop Dispatch(IDeliveryChannel channel, PipelinePorts ports)
    {
        var worker = DispatchHop.Create(channel, ports);
        return new Hop($"dispatch-{channel.Name}", worker.RunAsync) { Roles = [channel.Name], Consumer = worker.Runner };
    }

    // Everything that happened to an incident -> its story, readable and rebuildable.
    private static Hop Timeline(PipelinePorts ports) => Consume(
        ports, "timeline", TimelineHop.Group(ports.Topics), logger => TimelineHop.Create(
        ports.Store, ports.Changes.Poke, ports.Time, logger));

    private static Hop Consume(PipelinePorts ports, string name, ConsumerGroup group, Func<ILogger, PartitionOwnerFactory> owners)
    {
        var logger = ports.Loggers.CreateLogger($"Belfry.{name}");
        var options = ports.Options;
        var runner = new ConsumerRunner(ports.Log, group, owners(logger), options.Folds ?? options.Consumer, ports.Time, logger);
        return new Hop(name, runner.RunAsync) { Consumer = runner };
    }
}
