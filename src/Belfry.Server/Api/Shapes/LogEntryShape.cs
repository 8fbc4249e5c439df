using System.Text.Json;
using System.Text.Json.Nodes;
using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.Timeline;
using EventId = Belfry.Alerting.EventId;

namespace Belfry.Server.Api;

/// <summary>Timeline entries as PagerDuty's log entries, and notes.</summary>
internal static class LogEntryShape
{
    public static JsonObject Of(LogEntry entry, CatalogSnapshot catalog)
    {
        var shape = Shape.Head(entry.Type + "_log_entry", "log_entries", entry.Id.ToString(), entry.Summary);
        shape["created_at"] = ApiTime.Text(entry.At);
        shape["agent"] = Agent(entry.AgentId, entry.ServiceId, catalog);
        shape["channel"] = new JsonObject { ["type"] = entry.Channel };
        shape["incident"] = ReferenceShapes.Incident(entry.IncidentId, null);
        shape["service"] = ReferenceShapes.Service(entry.ServiceId, catalog);
        shape["event_details"] = entry.Details is { ValueKind: not JsonValueKind.Undefined } details ? IncidentShape.Node(details) : null;
        return shape;
    }

    public static JsonObject Note(LogEntry entry, CatalogSnapshot catalog) =>
        NoteOf(entry.Id, NoteText(entry) ?? entry.Summary, entry.At, entry.AgentId, entry.ServiceId, entry.Channel, catalog);

    /// <summary>A note that was just sent; its entry in the timeline has an id of its own.</summary>
    public static JsonObject NewNote(IncidentCommand command, CatalogSnapshot catalog) =>
        NoteOf(command.Id, command.Text ?? "", command.At, command.ActorId, command.ServiceId, command.Channel, catalog);

    /// <summary>What somebody wrote, from the detail <c>text</c> of an <c>annotate</c> entry; null for Belfry's own annotations.</summary>
    public static string? NoteText(LogEntry entry) =>
        entry is { Type: LogEntryTypes.Annotate, Details: { ValueKind: JsonValueKind.Object } details }
        && details.TryGetProperty("text", out var text) && text.ValueKind == JsonValueKind.String
            ? text.GetString()
            : null;

    private static JsonObject NoteOf(
        EventId id, string text, DateTimeOffset at, UserId? user, ServiceId service, string channel, CatalogSnapshot catalog) => new()
        {
            ["id"] = id.ToString(),
            ["user"] = Agent(user, service, catalog),
            ["content"] = text,
            ["created_at"] = ApiTime.Text(at),
            ["channel"] = new JsonObject { ["summary"] = channel },
        };

    private static JsonObject Agent(UserId? user, ServiceId service, CatalogSnapshot catalog) =>
        user is { } id ? ReferenceShapes.User(id, catalog) : ReferenceShapes.Service(service, catalog);
}
