using System.Text.Json.Nodes;
using Belfry.Alerting.Catalog;

namespace Belfry.Server.Api;

/// <summary>Services, integrations and escalation policies in PagerDuty's shape.</summary>
internal static class ServiceShape
{
    public static JsonObject Of(Service service, CatalogSnapshot catalog)
    {
        var shape = Shape.Head("service", "services", service.Id.ToString(), service.Name, $"/services/{service.Id}");
        shape["name"] = service.Name;
        shape["description"] = service.Description;
        shape["status"] = "active";
        shape["acknowledgement_timeout"] = service.AcknowledgementTimeoutSeconds;
        shape["auto_resolve_timeout"] = service.AutoResolveSeconds;
        shape["escalation_policy"] = ReferenceShapes.Policy(service.PolicyId, catalog.Policy(service.PolicyId)?.Name);
        shape["incident_urgency_rule"] = new JsonObject
        {
            ["type"] = "constant",
            ["urgency"] = service.Urgency switch
            {
                UrgencyRule.AlwaysHigh => "high",
                UrgencyRule.AlwaysLow => "low",
                _ => "severity_based",
            },
        };
        shape["integrations"] = Shape.Array(
            catalog.Integrations.Where(integration => integration.ServiceId == service.Id).OrderBy(
                integration => integration.Name, StringComparer.Ordinal),
            ReferenceShapes.Integration);
        return shape;
    }

    public static JsonObject OfIntegration(Integration integration, CatalogSnapshot catalog)
    {
        var shape = Shape.Head(
            "events_api_v2_inbound_integration", $"services/{integration.ServiceId}/integrations", integration.Id.ToString(),
            integration.Name,
            $"/services/{integration.ServiceId}");
        shape["name"] = integration.Name;
        shape["integration_key"] = integration.RoutingKey;
        shape["enabled"] = integration.Enabled;
        shape["events_per_minute"] = integration.EventsPerMinute;
        shape["service"] = ReferenceShapes.Service(integration.ServiceId, catalog);
        return shape;
    }

    public static JsonObject OfPolicy(EscalationPolicy policy, CatalogSnapshot catalog)
    {
        var shape = Shape.Head("escalation_policy", "escalation_policies", policy.Id.ToString(), policy.Name);
        shape["name"] = policy.Name;
        shape["num_loops"] = policy.NumLoops;
        shape["escalation_rules"] = Shape.Array(policy.Levels, level => new JsonObject
        {
            ["escalation_delay_in_minutes"] = level.DelayMinutes,
            ["targets"] = Shape.Array(level.Targets, target => target.Kind == TargetKind.User
                ? ReferenceShapes.User(new(target.Id), catalog)
                : ReferenceShapes.Schedule(new(target.Id), catalog)),
        });
        shape["services"] = Shape.Array(
            catalog.Services.Where(service => service.PolicyId == policy.Id).OrderBy(service => service.Name, StringComparer.Ordinal),
            service => ReferenceShapes.Service(service.Id, catalog));
        return shape;
    }
}
