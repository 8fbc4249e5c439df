using System.Text.Json.Nodes;
using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Incidents;

namespace Belfry.Server.Api;

/// <summary>References to the nouns, named from the present configuration; what is gone keeps its id and has no summary.</summary>
internal static class ReferenceShapes
{
    public static JsonObject User(UserId id, CatalogSnapshot catalog) =>
        Shape.Reference("user", "users", id.ToString(), catalog.User(id)?.Name, "/people");

    public static JsonObject Service(ServiceId id, CatalogSnapshot catalog) =>
        Shape.Reference("service", "services", id.ToString(), catalog.Service(id)?.Name, $"/services/{id}");

    public static JsonObject Policy(PolicyId id, string? name) =>
        Shape.Reference("escalation_policy", "escalation_policies", id.ToString(), name);

    public static JsonObject Schedule(ScheduleId id, CatalogSnapshot catalog) =>
        Shape.Reference("schedule", "schedules", id.ToString(), catalog.Schedule(id)?.Name, "/oncall");

    public static JsonObject Incident(IncidentId id, string? title) =>
        Shape.Reference("incident", "incidents", id.ToString(), title, $"/incidents/{id}");

    public static JsonObject Integration(Integration integration) =>
        Shape.Reference(
            "events_api_v2_inbound_integration", $"services/{integration.ServiceId}/integrations", integration.Id.ToString(),
            integration.Name,
            $"/services/{integration.ServiceId}");
}
