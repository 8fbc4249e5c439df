using System.Text.Json;
using System.Text.Json.Serialization;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.Planning;
using Belfry.Deliveries;

namespace Belfry.Alerting.Dispatch;

/// <summary>
/// The webhook of a notification, in the envelope of PagerDuty's webhooks v3: <c>incident.triggered</c>, its event id the notification's
/// id. The secret is added at the send (<see cref="WebhookSigningChannel"/>), so that it stands in no record and no store of deliveries.
/// </summary>
internal sealed class WebhookRenderer(Uri baseUrl)
{
    public WebhookContent Render(Notification notification)
    {
        var page = new Uri(baseUrl, $"incidents/{notification.IncidentId}").AbsoluteUri;
        var envelope = new WebhookEnvelope(new WebhookEvent(
            notification.Id.ToString(), "incident.triggered", "incident", notification.CreatedAt, Agent: null, new WebhookClient("Belfry"),
            new WebhookIncident(
                notification.IncidentId.ToString(), "incident", page, page, notification.Title, "triggered",
                notification.Urgency == Urgency.High ? "high" : "low",
                new WebhookReference(notification.ServiceId.ToString(), "service_reference", notification.ServiceName),
                [new WebhookReference(notification.UserId.ToString(), "user_reference", null)], notification.Level)));
        return new WebhookContent
        {
            Url = notification.Address,
            Body = JsonSerializer.SerializeToUtf8Bytes(envelope, DispatchJson.Default.WebhookEnvelope),
            Secrets = [],
            Subscription = notification.ContactMethodId.ToString(),
        };
    }
}

internal sealed record WebhookEnvelope(WebhookEvent Event);

internal sealed record WebhookEvent(
    string Id, string EventType, string ResourceType, DateTimeOffset OccurredAt, WebhookReference? Agent, WebhookClient Client,
    WebhookIncident Data);

internal sealed record WebhookClient(string Name);

internal sealed record WebhookIncident(
    string Id, string Type, string Self, string HtmlUrl, string Title, string Status, string Urgency, WebhookReference Service,
    IReadOnlyList<WebhookReference> Assignees, int EscalationLevel);

internal sealed record WebhookReference(string Id, string Type, string? Summary);

/// <summary>A notification as the audit channel keeps it, its address masked.</summary>
internal sealed record AuditedNotification(
    int Version, NotificationId NotificationId, IncidentId IncidentId, ServiceId ServiceId, UserId UserId, long Epoch, int Level,
    NotificationRuleId RuleId, ContactMethodId ContactMethodId, string Channel, string Address, Urgency Urgency, DateTimeOffset CreatedAt);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(WebhookEnvelope))]
[JsonSerializable(typeof(AuditedNotification))]
internal sealed partial class DispatchJson : JsonSerializerContext;
