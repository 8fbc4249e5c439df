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
using Belfry.Log;
using Belfry.Outbox;
using Belfry.Sqlite;

namespace Belfry.Server.Hosting;

/// <summary>
/// The embedded shape (design section 1): log and stores in two SQLite files, one process. Each file has a writer of its own, so that
/// accepting an event never waits for a transaction of the stores. Opened before the web host is built and closed after it has
/// stopped, so that nothing loses its store while it drains.
/// </summary>
internal sealed class EmbeddedShape : IAsyncDisposable
{
    private const int LinkKeyBytes = 32;
    private const int LogCheckpointPages = 500;

    private EmbeddedShape(
        ServerOptions options, SqliteFile file, SqliteFile logFile, SqliteLog log, SqliteOutboxStore store, TimeProvider time,
        ILoggerFactory loggers)
    {
        (Options, File, LogFile, Log, Store, Time, Loggers) = (options, file, logFile, log, store, time, loggers);
        Topics = new Topics();
        Ids = new IdSource(() => Guid.CreateVersion7(time.GetUtcNow()));
        Catalog = new CatalogReader(store, log, time, loggers.CreateLogger<CatalogReader>());
        LinkKey = PrivateFiles.KeyAt(Path.Combine(options.DataDir, "keys", "links.key"), LinkKeyBytes);
        var box = new SecretBox(PrivateFiles.KeyAt(SecretsKeyOf(options), SecretBox.KeyBytes));
        People = new PeopleStore(store, Catalog, Topics, Ids, RandomNumberGenerator.Fill, box);
        Services = new CatalogStore(store, Catalog, Ids, RandomNumberGenerator.Fill);
        Schedules = new ScheduleStore(store, Catalog, Ids);
        Access = new AccessStore(store, Ids, RandomNumberGenerator.Fill);
    }

    public ServerOptions Options { get; }

    /// <summary>The stores.</summary>
    public SqliteFile File { get; }

    /// <summary>The log. It is never behind: what a store has taken from it was durable before.</summary>
    public SqliteFile LogFile { get; }

    public SqliteLog Log { get; }
    public SqliteOutboxStore Store { get; }
    public TimeProvider Time { get; }
    public ILoggerFactory Loggers { get; }
    public Topics Topics { get; }
    public IdSource Ids { get; }
    public CatalogReader Catalog { get; }
    public PeopleStore People { get; }
    public CatalogStore Services { get; }
    public ScheduleStore Schedules { get; }
    public AccessStore Access { get; }
    public IncidentChanges Changes { get; } = new();
    public byte[] LinkKey { get; }

    /// <summary>Opens or creates everything under the data folder and brings its tables up to date.</summary>
    /// <exception cref="SqliteFileInUseException">Another process serves this folder.</exception>
    /// <exception cref="TopicMismatchException">The file was made with other partition counts.</exception>
    /// <exception cref="InvalidOperationException">
    /// A key in the folder is damaged, or not the one that secrets are sealed with; or the two files are not of one time.
    /// </exception>
    public static async Task<EmbeddedShape> OpenAsync(
        ServerOptions options, TimeProvider time, ILoggerFactory loggers, CancellationToken cancel)
    {
        PrivateFiles.MakeFolder(options.DataDir);
        PrivateFiles.MakeFolder(Path.Combine(options.DataDir, "keys"));
        var fileOptions = new SqliteFileOptions { Logger = loggers.CreateLogger<SqliteFile>() };
        var file = SqliteFile.Open(Path.Combine(options.DataDir, "belfry.db"), fileOptions);
        SqliteFile? logFile = null;
        try
        {
            // Senders wait for commits of the log, and its pages do not change again: nothing is saved by bringing many over at once.
            logFile = SqliteFile.Open(
                Path.Combine(options.DataDir, "belfry-log.db"), fileOptions with { CheckpointPages = LogCheckpointPages });
            await FilesOfOneTime.CheckStartsAsync(file, logFile, cancel);
            var log = await SqliteLog.OpenAsync(logFile, time, cancel: cancel);
            var store = await SqliteOutboxStore.OpenAsync(file, cancel);
            var shape = new EmbeddedShape(options, file, logFile, log, store, time, loggers);
            await log.DeclareAsync(shape.Topics.All, cancel);
            await AlertingSchema.MigrateAsync(store, SqlDialect.Sqlite, EmbeddedPipeline.SchemaSteps, cancel);
            await FilesOfOneTime.CheckPositionsAsync(shape, cancel);
            await shape.Catalog.RefreshAsync(cancel);
            if (await shape.People.SecretsWithoutKeyAsync(cancel) is > 0 and var count)
                throw new InvalidOperationException(
                    $"{count} webhook secrets are sealed with another key than '{SecretsKeyOf(options)}'; restore that file.");
            return shape;
        }
        catch
        {
            await using (file) await using (logFile) throw;
        }
    }

    private static string SecretsKeyOf(ServerOptions options) => Path.Combine(options.DataDir, "keys", "secrets.key");

    /// <summary>The entry types of all modules, for endpoints and pages.</summary>
    public void Register(IServiceCollection services)
    {
        services.AddSingleton(Options).AddSingleton(this).AddSingleton(Time).AddSingleton(Topics).AddSingleton(Ids);
        services.AddSingleton<IPartitionedLog>(Log).AddSingleton<IOutboxStore>(Store);
        services.AddSingleton(Catalog).AddSingleton(People).AddSingleton(Services).AddSingleton(Schedules).AddSingleton(Access);
        services.AddSingleton(Changes).AddSingleton(new AuditLog(Store)).AddSingleton(new AcknowledgeLinks(LinkKey));
        services.AddSingleton(new IncidentDirectory(Store)).AddSingleton(new IncidentCommandWriter(Log, Topics));
        services.AddSingleton(new TimelineReader(Store));
        services.AddSingleton<RateLimiter>().AddSingleton<RefusedEvents>();
        services.AddSingleton(provider => new EventAcceptor(
            Log, Topics, () => Catalog.Current, provider.GetRequiredService<RateLimiter>(), provider.GetRequiredService<RefusedEvents>(),
            Ids, Time, Loggers.CreateLogger<EventAcceptor>()));
    }

    public async ValueTask DisposeAsync()
    {
        await using (File) await LogFile.DisposeAsync();
    }
}
