using Belfry.Alerting.Feedback;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.Planning;
using Belfry.Deliveries;
using Belfry.Log;
using Belfry.Outbox;

namespace Belfry.Alerting.Dispatch;

/// <summary>The dispatch hop of one channel: <c>notifications</c> to the provider, in a consumer group of its own.</summary>
public static class DispatchHop
{
    /// <summary>The consumer group of a channel.</summary>
    public static string GroupOf(Topics topics, string channel) => $"{topics.Prefix}dispatch-{channel}";

    /// <summary>Makes the worker; run it once.</summary>
    public static DeliveryWorker Create(IDeliveryChannel channel, PipelinePorts ports)
    {
        var reporter = new DeliveryReporter(ports.Log, ports.Topics, new IncidentDirectory(ports.Store).WhyNotNotifyAsync, ports.Time);
        var decoder = new NotificationDecoder(
            channel.Name, new MailRenderer(ports.Options.BaseUrl, new AcknowledgeLinks(ports.Options.LinkKey.Span)),
            new WebhookRenderer(ports.Options.BaseUrl));
        var route = new DeliveryRoute
        {
            Group = GroupOf(ports.Topics, channel.Name),
            Topic = ports.Topics.Notifications.Name,
            Channel = channel.Name == "webhook" ? new WebhookSigningChannel(channel, ports.People.SecretOfAsync) : channel,
            Decode = decoder.Decode,
            StillWanted = reporter.StillWantedAsync,
            Report = reporter.ReportAsync,
            DeadLetters = (record, reason, attempts, cancel) =>
                ports.Log.AppendAsync([DeadLetters.RecordOf(ports.Topics, record, reason, attempts)], cancel),
        };
        var options = ports.Options.Deliveries;
        return new DeliveryWorker(
            route, ports.Log, ports.Parked, ports.Deliveries, ports.Claims,
            options with { IsTransient = fault => fault is StoreUnavailableException || options.IsTransient(fault) },
            ports.Time, new Random(ports.Random.Next()), ports.Loggers.CreateLogger($"Belfry.Dispatch.{channel.Name}"));
    }
}
