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
    public static IReadOnlyList<SchemaStep> Steps { get; } =
    [
        .. Pipeline.SchemaSteps, .. AccessSchema.Steps,
        // What instances compare their keys by.
        new("host", 1, "create table shared_key (name text not null primary key, fingerprint text not null)"),
    ];

    /// <summary>
    /// Brings all of the clustered shape up to date, under PostgreSQL's advisory locks. Safe to repeat and to run beside instances that
    /// start. Instances that start after it need no right to make anything. Returns how many scripts of the stores were applied.
    /// </summary>
    /// <exception cref="PostgresSchemaException">The tables are newer than this program.</exception>
    /// <exception cref="ShardLayoutException">The databases hold rows, and were laid out otherwise.</exception>
    /// <exception cref="StoreUnavailableException">PostgreSQL cannot be reached, or the wait was too long. Retryable.</exception>
    public static async Task<int> MigrateAsync(ClusterOptions options, CancellationToken cancel)
    {
        var postgres = options.Postgres;
        var applied = await PostgresSchema.MigrateAsync(postgres, cancel);
        await using var shards = await PostgresShards.OpenAsync(postgres, cancel);
        var store = new PostgresOutboxStore(shards.Home);
        await AlertingSchema.MigrateAsync(store, SqlDialect.Postgres, Steps, postgres.MigrationMax, cancel);
        var generations = await new PostgresTaskTopics(shards.Home).ListAsync(cancel);
        var topics = new Topics(options.Topics.Prefix, options.Topics.Partitions, generations);
        await shards.PrepareTasksAsync(topics.ScheduledTasks.Partitions, cancel);
        return applied;
    }
}
