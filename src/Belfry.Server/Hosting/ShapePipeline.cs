using System.Security.Cryptography;
using Belfry.Alerting;
using Belfry.Alerting.Incidents;
using Belfry.Deliveries;
using Belfry.Log;

namespace Belfry.Server.Hosting;

/// <summary>The hops of a shape: the pipeline of all shapes on its ports, and what its drivers need.</summary>
internal static class ShapePipeline
{
    /// <summary>Those of this process's roles.</summary>
    /// <param name="shape">Opened.</param>
    /// <param name="baseUrl">What links in messages begin with.</param>
    public static IReadOnlyList<Hop> Hops(ServerShape shape, Uri baseUrl)
    {
        var ports = new PipelinePorts
        {
            Log = shape.Ports.Log,
            Store = shape.Ports.Store,
            Dialect = shape.Ports.Dialect,
            Tasks = shape.Ports.Tasks,
            Deliveries = shape.Ports.Deliveries,
            Parked = shape.Ports.Parked,
            Claims = shape.Ports.Claims,
            Channels =
            [
                EmailChannel(shape.Options),
                new WebhookChannel(new WebhookOptions { AllowList = shape.Options.WebhookAllow }, shape.Time),
            ],
            Catalog = shape.Catalog,
            People = shape.People,
            Changes = shape.Changes,
            Trail = shape.Trail,
            Topics = shape.Topics,
            Time = shape.Time,
            Random = new Random(RandomNumberGenerator.GetInt32(int.MaxValue)),
            Loggers = shape.Loggers,
            Options = new PipelineOptions { BaseUrl = baseUrl, LinkKey = shape.LinkKey, Folds = shape.Ports.Folds },
        };
        List<Hop> hops = [.. Pipeline.Hops(ports), .. shape.Ports.Housekeeping];
        if (shape.Ports.AreShared)
        {
            var watcher = new ChangeWatcher(
                shape.Ports.Store, shape.Changes, shape.Time, shape.Loggers.CreateLogger<ChangeWatcher>());
            hops.Add(new Hop("changes-of-others", watcher.RunAsync) { Roles = [RoleSet.Api] });
        }

        hops.RemoveAll(hop => !shape.Options.Roles.Runs(hop));
        foreach (var consumer in hops.Select(hop => hop.Consumer).OfType<ConsumerRunner>()) shape.Consumers.Watch(consumer);
        return [.. hops, new Hop("consumer-health", shape.Consumers.RunAsync) { Roles = [] }];
    }

    private static IDeliveryChannel EmailChannel(ServerOptions options) => options.Smtp is { } smtp
        ? new EmailChannel(new EmailOptions
        {
            From = options.MailFrom, Host = smtp.Host, Port = smtp.Port, User = smtp.User, Password = smtp.Password, UseTls = smtp.Tls,
        })
        : new PickupFolderChannel(options.MailPath, options.MailFrom);
}
