using System.Text.Json;
using System.Text.Json.Nodes;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Events;
using Belfry.Alerting.Incidents;
using Belfry.Server.Incidents;

namespace Belfry.Server.Api;

/// <summary>Incidents and their alerts in PagerDuty's shape.</summary>
internal static class IncidentShape
{
    public static JsonObject Of(NumberedIncident numbered, CatalogSnapshot catalog)
    {
        var incident = numbered.Incident;
        var id = incident.Id.ToString();
        var shape = Shape.Head("incident", "incidents", id, $"[#{numbered.Number}] {incident.Title}", $"/incidents/{id}");
        shape["incident_number"] = numbered.Number;
        shape["title"] = incident.Title;
        shape["created_at"] = ApiTime.Text(incident.CreatedAt);
        shape["updated_at"] = ApiTime.Text(incident.UpdatedAt);
        shape["resolved_at"] = ApiTime.Text(incident.ResolvedAt);
        shape["status"] = StatusText(incident.Status);
        shape["urgency"] = UrgencyText(incident.Urgency);
        shape["incident_key"] = incident.Alerts.Count > 0 ? incident.Alerts[0].DedupKey : null;
        shape["service"] = ReferenceShapes.Service(incident.ServiceId, catalog);
        shape["escalation_policy"] = ReferenceShapes.Policy(incident.Policy.Id, incident.Policy.Name);
        shape["escalation_level"] = incident.Level;
        shape["assignments"] = Shape.Array(incident.Responders.Where(r => !r.Fallback), responder => new JsonObject
        {
            ["at"] = ApiTime.Text(responder.AssignedAt),
            ["assignee"] = ReferenceShapes.User(responder.UserId, catalog),
        });
        shape["acknowledgements"] = incident is { Status: IncidentStatus.Acknowledged, AcknowledgedBy: { } by }
            ? new JsonArray(
                new JsonObject { ["at"] = ApiTime.Text(incident.UpdatedAt), ["acknowledger"] = ReferenceShapes.User(by, catalog) })
            : [];
        shape["pending_actions"] = Shape.Array(PendingAction.Of(incident), action => new JsonObject
        {
            ["type"] = action.Type,
            ["at"] = ApiTime.Text(action.At),
        });
        shape["alert_counts"] = new JsonObject
        {
            ["all"] = incident.Alerts.Count,
            ["triggered"] = incident.Alerts.Count(alert => alert.Open),
            ["resolved"] = incident.Alerts.Count(alert => !alert.Open),
        };
        shape["nobody_on_call"] = incident.NobodyOnCall;
        return shape;
    }

    public static JsonObject OfAlert(Alert alert, Incident incident, CatalogSnapshot catalog)
    {
        var id = alert.Id.ToString();
        var newest = alert.Newest;
        var shape = Shape.Head("alert", $"incidents/{incident.Id}/alerts", id, newest.Summary, $"/incidents/{incident.Id}");
        shape["created_at"] = ApiTime.Text(alert.CreatedAt);
        shape["resolved_at"] = ApiTime.Text(alert.ResolvedAt);
        shape["status"] = alert.Open ? "triggered" : "resolved";
        shape["alert_key"] = alert.DedupKey;
        shape["severity"] = SeverityText(alert.Severity);
        shape["trigger_count"] = alert.Triggers;
        shape["incident"] = ReferenceShapes.Incident(incident.Id, incident.Title);
        shape["service"] = ReferenceShapes.Service(incident.ServiceId, catalog);
        shape["body"] = new JsonObject
        {
            ["type"] = "alert_body",
            ["details"] = newest.CustomDetails is { ValueKind: not JsonValueKind.Undefined } details ? Node(details) : null,
            ["source"] = newest.Source,
            ["component"] = newest.Component,
            ["group"] = newest.Group,
            ["class"] = newest.Class,
            ["client"] = newest.Client,
            ["client_url"] = newest.ClientUrl,
            ["contexts"] = new JsonArray(
            [
                .. newest.Links.Select(link => new JsonObject { ["type"] = "link", ["href"] = link.Href, ["text"] = link.Text }),
                .. newest.Images.Select(
                    image => new JsonObject { ["type"] = "image", ["src"] = image.Src, ["href"] = image.Href, ["text"] = image.Alt }),
            ]),
        };
        return shape;
    }

    public static string StatusText(IncidentStatus status) => status switch
    {
        IncidentStatus.Triggered => "triggered",
        IncidentStatus.Acknowledged => "acknowledged",
        _ => "resolved",
    };

    public static string UrgencyText(Urgency urgency) => urgency == Urgency.High ? "high" : "low";

    public static string SeverityText(Severity severity) => severity switch
    {
        Severity.Critical => "critical",
        Severity.Error => "error",
        Severity.Warning => "warning",
        _ => "info",
    };

    // A sender may repeat a key, which a JsonObject refuses; JsonNode.Parse of the text keeps the last.
    internal static JsonNode? Node(JsonElement element) =>
        element.ValueKind switch
        {
            JsonValueKind.Object => Object(element),
            JsonValueKind.Array => Shape.Array(element.EnumerateArray(), Node),
            JsonValueKind.Null => null,
            _ => JsonValue.Create(element),
        };

    private static JsonObject Object(JsonElement element)
    {
        var node = new JsonObject();
        foreach (var property in element.EnumerateObject()) node[property.Name] = Node(property.Value);
        return node;
    }
}
