using System.Text.Json;
using Belfry.Alerting.Planning;
using Belfry.Deliveries;
using Belfry.Log;

namespace Belfry.Alerting.Dispatch;

/// <summary>
/// Makes deliveries of the records of <c>notifications</c>, for one channel. Channel <c>audit</c> takes every notification. The same
/// record always gives the same delivery.
/// </summary>
internal sealed class NotificationDecoder(string channel, MailRenderer mails, WebhookRenderer webhooks)
{
    public const string AuditChannel = "audit";

    /// <summary>Null: not of this channel.</summary>
    /// <exception cref="FormatException">The record is no notification: a dead letter.</exception>
    public Delivery? Decode(LogRecord record)
    {
        var notification = PlanningWire.DecodeNotification(record.Value);
        if (channel != AuditChannel && notification.Channel != channel) return null;
        return new Delivery
        {
            IdempotencyKey = DeliveryKey.Of(notification, channel).ToString(),
            Day = DateOnly.FromDateTime(Id.TimeOf(notification.Id.Value).UtcDateTime),
            Channel = channel,
            Recipient = channel == AuditChannel ? notification.UserId.ToString() : notification.Address,
            Content = channel switch
            {
                "email" => mails.Render(notification).Encode(),
                "webhook" => webhooks.Render(notification).Encode(),
                AuditChannel => Audited(notification),
                _ => throw new FormatException($"Channel '{channel}' has no rendering; email, webhook and audit have."),
            },
        };
    }

    private static byte[] Audited(Notification n) => JsonSerializer.SerializeToUtf8Bytes(
        new AuditedNotification(
            1, n.Id, n.IncidentId, n.ServiceId, n.UserId, n.Epoch, n.Level, n.RuleId, n.ContactMethodId, n.Channel, Masked(n), n.Urgency,
            n.CreatedAt),
        DispatchJson.Default.AuditedNotification);

    // A webhook's path is often its secret, and a mailbox name is personal: what tells places apart is enough.
    private static string Masked(Notification notification)
    {
        if (notification.Channel == "webhook")
            return Uri.TryCreate(notification.Address, UriKind.Absolute, out var url) ? $"{url.Scheme}://{url.Authority}/…" : "…";
        var at = notification.Address.LastIndexOf('@');
        return at < 1 ? "…" : $"{notification.Address[0]}…{notification.Address[at..]}";
    }
}
