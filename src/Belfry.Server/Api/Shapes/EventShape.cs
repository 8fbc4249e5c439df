using System.Text.Json.Nodes;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Events;
using Belfry.Alerting.Incidents;

namespace Belfry.Server.Api;

/// <summary>Accepted, refused and failed events: Belfry's own shapes, for PagerDuty has none.</summary>
internal static class EventShape
{
    public static JsonObject Of(EventStory story, CatalogSnapshot catalog)
    {
        var shape = Shape.Head("event", "events", story.Id.ToString(), story.Summary ?? story.DedupKey ?? "event");
        shape["status"] = NameOf(story.Progress);
        shape["status_at"] = ApiTime.Text(story.At);
        shape["received_at"] = story.ReceivedAt is { } received ? ApiTime.Text(received) : null;
        shape["event_action"] = story.Action switch
        {
            null => null,
            EventAction.Trigger => "trigger",
            EventAction.Acknowledge => "acknowledge",
            EventAction.Resolve => "resolve",
            _ => "change",
        };
        shape["dedup_key"] = story.DedupKey;
        shape["effect"] = story.Effect switch
        {
            null => null,
            EventEffect.Opened => "opened_incident",
            EventEffect.Changed => "changed_incident",
            _ => "kept_change_event",
        };
        shape["reason"] = story.Reason;
        shape["incident"] = story.IncidentId is { } incident ? ReferenceShapes.Incident(incident, null) : null;
        var integration = story.IntegrationId is { } id ? catalog.Integrations.FirstOrDefault(one => one.Id == id) : null;
        shape["integration"] = integration is null ? null : ReferenceShapes.Integration(integration);
        var service = story.ServiceId ?? integration?.ServiceId;
        shape["service"] = service is { } known ? ReferenceShapes.Service(known, catalog) : null;
        return shape;
    }

    public static JsonObject OfRejected(RefusedEvent refused) => new()
    {
        ["type"] = "rejected_event",
        ["at"] = ApiTime.Text(refused.At),
        ["reason"] = refused.Reason switch
        {
            RefusalReason.Invalid => "invalid",
            RefusalReason.Unrecognized => "unrecognized",
            RefusalReason.TooLarge => "too_large",
            _ => "rate_limited",
        },
        ["errors"] = new JsonArray([.. refused.Errors.Select(error => JsonValue.Create(error))]),
        ["dedup_key"] = refused.DedupKey,
        ["summary"] = refused.Summary,
    };

    /// <param name="failed">The record.</param>
    /// <param name="state">What became of its event, by the store; null: not known any more.</param>
    public static JsonObject OfFailed(FailedEvent failed, EventState? state) => new()
    {
        ["type"] = "failed_event",
        ["partition"] = failed.Partition,
        ["offset"] = failed.Offset,
        ["failed_at"] = ApiTime.Text(failed.FailedAt),
        ["event_id"] = failed.Id.ToString(),
        ["reason"] = failed.Reason,
        ["source"] = failed.Source,
        ["record"] = failed.IsCommand ? "command" : "event",
        ["size"] = failed.SizeBytes,
        ["start"] = failed.Start,
        ["status"] = state is null ? null : NameOf(state.Progress),
        ["incident"] = state?.IncidentId is { } incident ? ReferenceShapes.Incident(incident, null) : null,
    };

    private static string NameOf(EventProgress progress) => progress switch
    {
        EventProgress.Received => "received",
        EventProgress.Processed => "processed",
        _ => "failed",
    };
}
