using Belfry.Alerting;
using Belfry.Alerting.Access;
using Belfry.Alerting.Storage;
using Belfry.Outbox;
using Belfry.Postgres;

namespace Belfry.Cluster;

/// <summary>The tables that a Belfry keeps: the drivers' and the modules'.</summary>
public static class ClusterTables
{
    /// <summary>The modules' steps, in any shape.</summary>
    public static IReadOnlyList<SchemaStep> Steps { get; } = [.. Pipeline.SchemaSteps, .. AccessSchema.Steps];

    /// <summary>
    /// Brings all of the clustered shape up to date, under PostgreSQL's advisory locks. Safe to repeat and to run beside instances that
    /// start. Returns how many scripts of the stores were applied.
    /// </summary>
    /// <exception cref="PostgresSchemaException">The tables are newer than this program.</exception>
    /// <exception cref="StoreUnavailableException">PostgreSQL cannot be reached, or the wait was too long. Retryable.</exception>
    public static async Task<int> MigrateAsync(PostgresOptions options, CancellationToken cancel)
    {
        var applied = await PostgresSchema.MigrateAsync(options, cancel);
        await using var database = PostgresDatabase.Open(options);
        await AlertingSchema.MigrateAsync(new PostgresOutboxStore(database), SqlDialect.Postgres, Steps, options.MigrationMax, cancel);
        return applied;
    }
}
