using Belfry.Alerting;
using Belfry.Alerting.Access;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.People;
using Belfry.Alerting.Storage;
using Belfry.Alerting.Timeline;
using Belfry.Sqlite;

namespace Belfry.Server.Hosting;

/// <summary>The hops of the embedded shape: the pipeline of all shapes on SQLite's ports, and the clean-up of the embedded log.</summary>
internal static class EmbeddedPipeline
{
    public static IReadOnlyList<SchemaStep> SchemaSteps { get; } =
        [PartitionFence.Schema, .. CatalogSchema.Steps, .. PeopleSchema.Steps, .. IncidentsSchema.Steps, .. TimelineSchema.Steps, .. AccessSchema.Steps];

    /// <param name="shape">Opened.</param>
    /// <param name="baseUrl">What links in messages begin with.</param>
    public static IReadOnlyList<Worker> Workers(EmbeddedShape shape, Uri baseUrl) =>
    [
        new("catalog", shape.Catalog.RunAsync),
        new("log-cleaner", new LogCleaner(shape.Log, new LogCleanerOptions(), shape.Loggers.CreateLogger<LogCleaner>()).RunAsync),
    ];
}
