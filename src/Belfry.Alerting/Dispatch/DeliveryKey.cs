using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Belfry.Alerting.Planning;

namespace Belfry.Alerting.Dispatch;

/// <summary>
/// The idempotency key of a delivery, and all that must be known of its notification later: whether it is still wanted, and where a
/// report belongs, is read from the key alone, so that neither needs a table. Form:
/// <c>notification.incident.service.user.epoch.channel</c>.
/// </summary>
internal sealed record DeliveryKey(
    NotificationId NotificationId, IncidentId IncidentId, ServiceId ServiceId, UserId UserId, long Epoch, string Channel)
{
    public static DeliveryKey Of(Notification notification, string channel) => new(
        notification.Id, notification.IncidentId, notification.ServiceId, notification.UserId, notification.Epoch, channel);

    public static bool TryParse(string text, [NotNullWhen(true)] out DeliveryKey? key)
    {
        key = text.Split('.') is [var notification, var incident, var service, var user, var epoch, { Length: > 0 } channel]
            && Id.TryParse<NotificationId>(notification, out var notificationId) && Id.TryParse<IncidentId>(incident, out var incidentId)
            && Id.TryParse<ServiceId>(service, out var serviceId) && Id.TryParse<UserId>(user, out var userId)
            && long.TryParse(epoch, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                ? new DeliveryKey(notificationId, incidentId, serviceId, userId, number, channel)
                : null;
        return key is not null;
    }

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{NotificationId}.{IncidentId}.{ServiceId}.{UserId}.{Epoch}.{Channel}");
}
