using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.Timeline;
using Belfry.Server.Security;
using EventId = Belfry.Alerting.EventId;

namespace Belfry.Server.Api;

/// <summary><c>/log_entries</c> and those of one incident: the timeline, newest first as PagerDuty gives it.</summary>
internal static class LogEntryApi
{
    public static void MapLogEntries(this RouteGroupBuilder api)
    {
        api.MapGet("/log_entries", ListAsync).RequireAuthorization(Policies.Observer);
        api.MapGet("/log_entries/{id}", GetAsync).RequireAuthorization(Policies.Observer);
        api.MapGet("/incidents/{id}/log_entries", OfIncidentAsync).RequireAuthorization(Policies.Observer);
    }

    private static async Task<IResult> ListAsync(HttpContext http, TimelineReader timeline, CatalogReader catalog, CancellationToken cancel)
    {
        if (!ApiPage.TryRead(http.Request, out var page, out var refusal)) return refusal!;
        var (entries, total) = await timeline.ListAsync(null, page.Offset, page.Limit, cancel);
        return page.Wrap("log_entries", entries, total, entry => LogEntryShape.Of(entry.Entry, catalog.Current));
    }

    private static async Task<IResult> GetAsync(string id, TimelineReader timeline, CatalogReader catalog, CancellationToken cancel) =>
        Id.TryParse<EventId>(id, out var known) && await timeline.FindAsync(known, cancel) is { } entry
            ? Shape.One("log_entry", LogEntryShape.Of(entry.Entry, catalog.Current))
            : ApiErrors.Missing($"log entry {id}");

    private static async Task<IResult> OfIncidentAsync(
        string id, HttpContext http, IncidentDirectory incidents, TimelineReader timeline, CatalogReader catalog, CancellationToken cancel)
    {
        if (!ApiPage.TryRead(http.Request, out var page, out var refusal)) return refusal!;
        if (await IncidentApi.FindAsync(id, incidents, cancel) is not { Incident.Id: var incident })
            return ApiErrors.Missing($"incident {id}");

        // The timeline counts from the oldest, the API from the newest.
        var (_, total) = await timeline.ListAsync(incident, 0, 1, cancel);
        var end = Math.Max(0, total - page.Offset);
        var start = Math.Max(0, end - page.Limit);
        var (entries, _) = end > start
            ? await timeline.ListAsync(incident, (int)start, (int)(end - start), cancel)
            : ([], total);
        return page.Wrap("log_entries", [.. entries.Reverse()], total, entry => LogEntryShape.Of(entry.Entry, catalog.Current));
    }
}
