using System.Security.Cryptography;
using Belfry.Alerting;
using Belfry.Alerting.Access;
using Belfry.Alerting.Storage;
using Belfry.Deliveries;
using Belfry.Sqlite;

namespace Belfry.Server.Hosting;

/// <summary>The hops of the embedded shape: the pipeline of all shapes on SQLite's ports, and the clean-up of the embedded log.</summary>
internal static class EmbeddedPipeline
{
    public static IReadOnlyList<SchemaStep> SchemaSteps { get; } = [.. Pipeline.SchemaSteps, .. AccessSchema.Steps];

    /// <param name="shape">Opened.</param>
    /// <param name="baseUrl">What links in messages begin with.</param>
    /// <param name="cancel">Gives up opening the stores.</param>
    public static async Task<IReadOnlyList<Hop>> HopsAsync(EmbeddedShape shape, Uri baseUrl, CancellationToken cancel)
    {
        var ports = new PipelinePorts
        {
            Log = shape.Log,
            Store = shape.Store,
            Dialect = SqlDialect.Sqlite,
            Tasks = await SqliteTaskStore.OpenAsync(shape.File, cancel),
            Deliveries = await SqliteDeliveryStore.OpenAsync(shape.File, cancel),
            Parked = await SqliteParkedRecordStore.OpenAsync(shape.File, cancel),
            Claims = new MemoryFastClaims(new MemoryFastClaimsOptions(), shape.Time),
            Channels =
            [
                EmailChannel(shape.Options),
                new WebhookChannel(new WebhookOptions { AllowList = shape.Options.WebhookAllow }, shape.Time),
            ],
            Catalog = shape.Catalog,
            People = shape.People,
            Changes = shape.Changes,
            Topics = shape.Topics,
            Time = shape.Time,
            Random = new Random(RandomNumberGenerator.GetInt32(int.MaxValue)),
            Loggers = shape.Loggers,
            Options = new PipelineOptions { BaseUrl = baseUrl, LinkKey = shape.LinkKey },
        };
        var cleaner = new LogCleaner(shape.Log, new LogCleanerOptions(), shape.Loggers.CreateLogger<LogCleaner>());
        return [.. Pipeline.Hops(ports), new Hop("log-cleaner", cleaner.RunAsync)];
    }

    private static IDeliveryChannel EmailChannel(ServerOptions options) => options.Smtp is { } smtp
        ? new EmailChannel(new EmailOptions
        {
            From = options.MailFrom, Host = smtp.Host, Port = smtp.Port, User = smtp.User, Password = smtp.Password, UseTls = smtp.Tls,
        })
        : new PickupFolderChannel(options.MailPath, options.MailFrom);
}
