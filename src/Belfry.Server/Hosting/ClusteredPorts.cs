using Belfry.Alerting;
using Belfry.Alerting.Events;
using Belfry.Alerting.Storage;
using Belfry.Cluster;
using Belfry.Deliveries;
using Belfry.Kafka;
using Belfry.Log;
using Belfry.Outbox;
using Belfry.Postgres;
using Belfry.Redis;

namespace Belfry.Server.Hosting;

/// <summary>The clustered shape: the log on Kafka, stores on PostgreSQL, fast claims on Redis, shared by several instances.</summary>
internal sealed class ClusteredPorts : ShapePorts
{
    // The last one opened first, for it may lean on the others.
    private readonly Stack<IAsyncDisposable> _opened;

    private ClusteredPorts(Stack<IAsyncDisposable> opened) => _opened = opened;

    public override bool AreShared => true;

    public override ProducerCounts Producers => new(ProducerRegistry.Shared.Created, ProducerRegistry.Shared.Alive);

    /// <exception cref="ArgumentException">A setting is out of its range.</exception>
    /// <exception cref="StoreUnavailableException">PostgreSQL does not answer, so that its tables cannot be brought up to date.</exception>
    public static async Task<ClusteredPorts> OpenAsync(
        ClusterOptions options, StartPatience patience, TimeProvider time, ILoggerFactory loggers, CancellationToken cancel)
    {
        var opened = new Stack<IAsyncDisposable>();
        try
        {
            var settings = options.Postgres with { Time = time, Logger = loggers.CreateLogger<PostgresDatabase>() };
            var shards = await patience.UntilAnsweredAsync(
                "PostgreSQL", async () => await PostgresShards.OpenAsync(settings, cancel), cancel);
            opened.Push(shards);
            var database = shards.Home;
            var log = KafkaLog.Open(options.Kafka, time, loggers.CreateLogger<KafkaLog>());
            opened.Push(log);
            IFastClaims claims;
            IHintStore hints;
            if (options.Redis is { } redis)
            {
                var shared = await RedisFastClaims.OpenAsync(redis, time, loggers.CreateLogger<RedisFastClaims>(), cancel);
                opened.Push(shared);
                claims = shared;
                var sharedHints = await RedisHintStore.OpenAsync(redis, time, loggers.CreateLogger<RedisHintStore>(), cancel);
                opened.Push(sharedHints);
                hints = sharedHints;
            }
            else
            {
                claims = new MemoryFastClaims(new MemoryFastClaimsOptions(), time);
                hints = new MemoryHintStore(new MemoryHintStoreOptions(), time);
            }

            var store = new PostgresOutboxStore(database);
            var detour = new EventDetour(store, log, time, loggers.CreateLogger<EventDetour>());
            await patience.UntilAnsweredAsync("PostgreSQL", async () => await detour.LookAsync(cancel), cancel);
            return new ClusteredPorts(opened)
            {
                LogName = $"Kafka at {options.Kafka.BootstrapServers}",
                StoreName = $"PostgreSQL at {database.Name}",
                Log = log,
                Store = store,
                Dialect = SqlDialect.Postgres,
                Tasks = shards.Tasks,
                TaskTopics = await new PostgresTaskTopics(database).ListAsync(cancel),
                Deliveries = shards.Deliveries,
                Parked = new PostgresParkedRecordStore(database),
                Claims = claims,
                Hints = hints,
                Detour = detour,
                // Who takes events may fill it, and who waits for events empties it also when the former is gone.
                Housekeeping = [new Hop("accepted-events", detour.RunAsync) { Roles = [RoleSet.Api, "incidents"] }],
            };
        }
        catch
        {
            while (opened.TryPop(out var one)) await one.DisposeAsync();
            throw;
        }
    }

    public override async ValueTask DisposeAsync()
    {
        while (_opened.TryPop(out var one)) await one.DisposeAsync();
    }
}
