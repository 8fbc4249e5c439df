using Belfry.Alerting;
using Belfry.Alerting.Events;
using Belfry.Alerting.Storage;
using Belfry.Deliveries;
using Belfry.Kafka;
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
        ClusterOptions options, TimeProvider time, ILoggerFactory loggers, CancellationToken cancel)
    {
        var opened = new Stack<IAsyncDisposable>();
        try
        {
            var settings = options.Postgres with { Time = time, Logger = loggers.CreateLogger<PostgresDatabase>() };
            await PostgresSchema.MigrateAsync(settings, cancel);
            var database = PostgresDatabase.Open(settings);
            opened.Push(database);
            var log = KafkaLog.Open(options.Kafka, time, loggers.CreateLogger<KafkaLog>());
            opened.Push(log);
            IFastClaims claims;
            if (options.Redis is { } redis)
            {
                var shared = await RedisFastClaims.OpenAsync(redis, time, loggers.CreateLogger<RedisFastClaims>(), cancel);
                opened.Push(shared);
                claims = shared;
            }
            else
            {
                claims = new MemoryFastClaims(new MemoryFastClaimsOptions(), time);
            }

            var store = new PostgresOutboxStore(database);
            var detour = new EventDetour(store, log, time, loggers.CreateLogger<EventDetour>());
            return new ClusteredPorts(opened)
            {
                LogName = $"Kafka at {options.Kafka.BootstrapServers}",
                StoreName = $"PostgreSQL at {database.Name}",
                Log = log,
                Store = store,
                Dialect = SqlDialect.Postgres,
                Tasks = new PostgresTaskStore(database),
                Deliveries = new PostgresDeliveryStore(database),
                Parked = new PostgresParkedRecordStore(database),
                Claims = claims,
                Detour = detour,
                Housekeeping = [new Hop("accepted-events", detour.RunAsync)],
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
