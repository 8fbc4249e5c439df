using System.Security.Cryptography;
using Belfry.Alerting;
using Belfry.Alerting.Access;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Events;
using Belfry.Alerting.Feedback;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.OnCall;
using Belfry.Alerting.People;
using Belfry.Alerting.Storage;
using Belfry.Alerting.Timeline;
using Belfry.Cluster;
using Belfry.Log;
using Belfry.Sqlite;

namespace Belfry.Server.Hosting;

/// <summary>The entry types of all modules over the ports of one shape.</summary>
internal sealed partial class ServerShape : IAsyncDisposable
{
    private const int LinkKeyBytes = 32;

    private ServerShape(ServerOptions options, ShapePorts ports, TimeProvider time, ILoggerFactory loggers)
    {
        (Options, Ports, Time, Loggers) = (options, ports, time, loggers);
        Topics = options.Cluster is { } cluster
            ? new Topics(cluster.Topics.Prefix, cluster.Topics.Partitions, ports.TaskTopics)
            : new Topics();
        Ids = new IdSource(() => Guid.CreateVersion7(time.GetUtcNow()));
        Catalog = new CatalogReader(ports.Store, ports.Log, time, loggers.CreateLogger<CatalogReader>());
        LinkKey = PrivateFiles.KeyAt(LinksKeyOf(options), LinkKeyBytes);
        var box = new SecretBox(PrivateFiles.KeyAt(SecretsKeyOf(options), SecretBox.KeyBytes));
        People = new PeopleStore(ports.Store, Catalog, Topics, Ids, RandomNumberGenerator.Fill, box);
        Services = new CatalogStore(ports.Store, Catalog, Ids, RandomNumberGenerator.Fill);
        Schedules = new ScheduleStore(ports.Store, Catalog, Ids);
        Access = new AccessStore(ports.Store, Ids, RandomNumberGenerator.Fill);
        Trail = new EventTrail(ports.Hints, time, loggers.CreateLogger<EventTrail>(), isOfOneProcess: !ports.AreShared);
        Consumers = new ConsumerMonitor(
            ports.Log, Topics.All, new ConsumerMonitorOptions(), time, loggers.CreateLogger<ConsumerMonitor>());
    }

    public ServerOptions Options { get; }
    public ShapePorts Ports { get; }
    public TimeProvider Time { get; }
    public ILoggerFactory Loggers { get; }
    public Topics Topics { get; }
    public IdSource Ids { get; }
    public CatalogReader Catalog { get; }
    public PeopleStore People { get; }
    public CatalogStore Services { get; }
    public ScheduleStore Schedules { get; }
    public AccessStore Access { get; }
    public EventTrail Trail { get; }
    public IncidentChanges Changes { get; } = new();

    /// <summary>Looks after the consumers of all hops.</summary>
    public ConsumerMonitor Consumers { get; }
    public byte[] LinkKey { get; }

    /// <summary>Opens or creates everything under the data folder and brings its tables up to date.</summary>
    /// <exception cref="SqliteFileInUseException">Another process serves this folder.</exception>
    /// <exception cref="TopicMismatchException">A topic was made with another partition count.</exception>
    /// <exception cref="InvalidOperationException">
    /// A key in the folder is damaged, not the one that secrets are sealed with, or not the other instances'; or log and stores do not
    /// belong together.
    /// </exception>
    public static async Task<ServerShape> OpenAsync(
        ServerOptions options, TimeProvider time, ILoggerFactory loggers, CancellationToken cancel)
    {
        PrivateFiles.MakeFolder(options.DataDir);
        PrivateFiles.MakeFolder(options.KeysPath);
        var patience = new StartPatience(options.Cluster?.StartWait ?? TimeSpan.Zero, time, loggers.CreateLogger<StartPatience>());
        ShapePorts ports = options.Cluster is { } cluster
            ? await ClusteredPorts.OpenAsync(cluster, patience, time, loggers, cancel)
            : await EmbeddedPorts.OpenAsync(options, time, loggers, cancel);
        try
        {
            var shape = new ServerShape(options, ports, time, loggers);
            await patience.UntilAnsweredAsync(
                ports.LogName, async () => await ports.Log.DeclareAsync(shape.Topics.All, cancel), cancel);
            await patience.UntilAnsweredAsync($"{ports.LogName} or {ports.StoreName}", async () =>
            {
                await AlertingSchema.MigrateAsync(
                    ports.Store, ports.Dialect, ClusterTables.Steps,
                    options.Cluster?.Postgres.MigrationMax ?? AlertingSchema.StepMax, cancel);
                if (ports.AreShared)
                    await SharedKeys.CheckAsync(ports, options.KeysPath, [LinksKeyOf(options), SecretsKeyOf(options)], cancel);
                await ports.CheckPositionsAsync(shape.Topics, cancel);
                await shape.Catalog.RefreshAsync(cancel);
            }, cancel);
            if (await shape.People.SecretsWithoutKeyAsync(cancel) is > 0 and var count)
                throw new InvalidOperationException(
                    $"{count} webhook secrets are sealed with another key than '{SecretsKeyOf(options)}'; restore that file.");
            return shape;
        }
        catch
        {
            await using (ports) throw;
        }
    }

    private static string LinksKeyOf(ServerOptions options) => Path.Combine(options.KeysPath, "links.key");

    private static string SecretsKeyOf(ServerOptions options) => Path.Combine(options.KeysPath, "secrets.key");

    /// <summary>The entry types of all modules, for endpoints and pages.</summary>
    public void Register(IServiceCollection services)
    {
        services.AddSingleton(Options).AddSingleton(this).AddSingleton(Time).AddSingleton(Topics).AddSingleton(Ids);
        services.AddSingleton(Ports.Log).AddSingleton(Ports.Store);
        services.AddSingleton(Catalog).AddSingleton(People).AddSingleton(Services).AddSingleton(Schedules).AddSingleton(Access);
        services.AddSingleton(Changes).AddSingleton(new AuditLog(Ports.Store)).AddSingleton(new AcknowledgeLinks(LinkKey));
        services.AddSingleton(new IncidentDirectory(Ports.Store)).AddSingleton(new IncidentCommandWriter(Ports.Log, Topics));
        services.AddSingleton(new TimelineReader(Ports.Store));
        services.AddSingleton<RateLimiter>().AddSingleton<RefusedEvents>().AddSingleton(Trail).AddSingleton<EventLookup>();
        services.AddSingleton(new FailedEvents(Ports.Log, Ports.Store, Topics, Trail));
        services.AddSingleton(provider => new EventAcceptor(
            new EventInlet(Ports.Log, Ports.Detour, Time), Topics, () => Catalog.Current, provider.GetRequiredService<RateLimiter>(),
            provider.GetRequiredService<RefusedEvents>(), Ids, Time, Loggers.CreateLogger<EventAcceptor>(), Trail));
    }

    public ValueTask DisposeAsync()
    {
        Consumers.Dispose();
        return Ports.DisposeAsync();
    }

    /// <summary>As <see cref="DisposeAsync"/>, giving up on drivers that take longer than a stop may.</summary>
    public async ValueTask CloseInTimeAsync()
    {
        try
        {
            await DisposeAsync().AsTask().WaitAsync(StopLimits.CloseMax, Time);
        }
        catch (TimeoutException)
        {
            LogNotClosed(Loggers.CreateLogger<ServerShape>(), Ports.LogName, Ports.StoreName, StopLimits.CloseMax);
        }
    }

    [LoggerMessage(241, LogLevel.Warning, "{Log} or {Store} could not be closed within {Limit}; the process ends without")]
    private static partial void LogNotClosed(ILogger logger, string log, string store, TimeSpan limit);
}
