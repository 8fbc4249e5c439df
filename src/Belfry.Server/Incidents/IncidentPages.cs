using Belfry.Alerting.Catalog;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.Timeline;
using Belfry.Server.Api;
using Belfry.Server.Layout;
using Belfry.Server.Pages;
using Belfry.Server.Security;
using Microsoft.AspNetCore.Antiforgery;

namespace Belfry.Server.Incidents;

/// <summary>The list of incidents and the page of one.</summary>
internal static class IncidentPages
{
    public static void MapIncidentPages(this IEndpointRouteBuilder app)
    {
        app.MapGet("/", ListAsync).RequireAuthorization(Policies.Observer).ExcludeFromDescription();
        app.MapGet("/incidents/{id}", GetAsync).RequireAuthorization(Policies.Observer).ExcludeFromDescription();
    }

    private static async Task<IResult> ListAsync(
        HttpContext http, IAntiforgery antiforgery, TimeProvider time, IncidentDirectory incidents, IncidentChanges changes,
        CatalogReader catalog, CancellationToken cancel)
    {
        // The version is taken before the read: a change in between is then seen as new, never missed.
        var context = PageContext.Of(http, time, antiforgery) with { LiveVersion = changes.Version };
        var query = IncidentListQuery.Read(http.Request.Query);
        var (items, total) = await incidents.ListAsync(
            query.FilterFor(context.Caller?.UserId), (query.Page - 1) * IncidentListQuery.PageSize, IncidentListQuery.PageSize, cancel);
        return Render.Page<IncidentListPage>(context, ("Model", new IncidentListModel(query, items, total, catalog.Current)));
    }

    private static async Task<IResult> GetAsync(
        string id, HttpContext http, IAntiforgery antiforgery, TimeProvider time, IncidentDirectory incidents, IncidentChanges changes,
        TimelineReader timeline, CatalogReader catalog, CancellationToken cancel)
    {
        var context = PageContext.Of(http, time, antiforgery) with { LiveVersion = changes.Version };
        if (await IncidentApi.FindAsync(id, incidents, cancel) is not { } found) return Render.NotFound(context, "incident");
        var (_, total) = await timeline.ListAsync(found.Incident.Id, 0, 1, cancel);
        var skipped = (int)Math.Max(0, total - IncidentModel.EntriesMax);
        var (entries, _) = await timeline.ListAsync(found.Incident.Id, skipped, IncidentModel.EntriesMax, cancel);
        return Render.Page<IncidentPage>(context, ("Model", new IncidentModel(found, [.. entries.Reverse()], total, catalog.Current)));
    }
}
