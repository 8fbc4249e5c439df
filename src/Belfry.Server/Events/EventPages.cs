using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Incidents;
using Belfry.Server.Api;
using Belfry.Server.Layout;
using Belfry.Server.Pages;
using Belfry.Server.Security;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Mvc;
using EventId = Belfry.Alerting.EventId;

namespace Belfry.Server.Events;

/// <summary>The administrator's page of events: looking one up, the refused ones, and the failed ones with their replay.</summary>
internal static class EventPages
{
    private const int FoundMax = 25;
    private const int FailedMax = 20;

    public static void MapEventPages(this IEndpointRouteBuilder app)
    {
        app.MapGet("/events", GetAsync).RequireAuthorization(Policies.Administrator).ExcludeFromDescription();
        app.MapPost("/events/failed/{partition}/{offset}/replay", ReplayAsync).RequireAuthorization(Policies.Administrator)
            .ExcludeFromDescription();
    }

    private static async Task<IResult> GetAsync(
        HttpContext http, IAntiforgery antiforgery, TimeProvider time, CatalogReader catalog, EventLookup events, FailedEvents failed,
        IncidentDirectory incidents, CancellationToken cancel)
    {
        var context = PageContext.Of(http, time, antiforgery);
        var query = new EventsQuery(Text(http, "id"), Text(http, "integration"), Text(http, "dedup_key"));
        var snapshot = catalog.Current;
        var integration = Id.TryParse<IntegrationId>(query.IntegrationId, out var chosen)
            ? snapshot.Integrations.FirstOrDefault(one => one.Id == chosen)
            : null;
        if (await failed.ListAsync(Text(http, "cursor"), FailedMax, cancel) is not { } list) return Render.NotFound(context, "page");
        var states = await incidents.EventStatesAsync([.. list.Items.Select(one => one.Id).Distinct()], cancel);
        var model = new EventsModel(
            query, await FindAsync(query, events, cancel), integration, await events.RefusedAsync(integration?.Id, cancel), list,
            states.ToDictionary(state => state.Id), snapshot);
        return Render.Page<EventsPage>(context, ("Model", model));
    }

    private static async Task<IReadOnlyList<EventStory>> FindAsync(EventsQuery query, EventLookup events, CancellationToken cancel)
    {
        if (Id.TryParse<EventId>(query.EventId, out var id)) return await events.FindAsync(id, cancel) is { } story ? [story] : [];
        return query.EventId.Length == 0 && query.Asks && Id.TryParse<IntegrationId>(query.IntegrationId, out var integration)
            ? await events.OfKeyAsync(integration, query.DedupKey, FoundMax, cancel)
            : [];
    }

    private static async Task<IResult> ReplayAsync(
        string partition, string offset, [FromForm] IFormCollection form, HttpContext http, IAntiforgery antiforgery, TimeProvider time,
        FailedEvents failed, CancellationToken cancel)
    {
        _ = form; // Read so that its antiforgery token is checked.
        var context = PageContext.Of(http, time, antiforgery);
        return FailedEventApi.TryRead(partition, offset, out var at)
            && await failed.ReplayAsync(at.Partition, at.Offset, PageActor.Of(http), context.Now, cancel) is { } replayed
            ? new SeeOther($"/events?id={replayed.Id}")
            : Render.NotFound(context, "failed event");
    }

    private static string Text(HttpContext http, string name) =>
        ((string?)http.Request.Query[name])?.Replace("\0", "", StringComparison.Ordinal).Trim() ?? "";
}
