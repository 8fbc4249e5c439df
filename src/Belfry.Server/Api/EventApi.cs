using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Incidents;
using Belfry.Server.Security;
using Microsoft.AspNetCore.Mvc;
using EventId = Belfry.Alerting.EventId;

namespace Belfry.Server.Api;

/// <summary><c>/events</c> and <c>/integrations/{id}/rejects</c>: what became of what was sent.</summary>
internal static class EventApi
{
    public static void MapEventLookup(this RouteGroupBuilder api)
    {
        api.MapGet("/events", ListAsync).RequireAuthorization(Policies.Observer)
            .WithSummary("Accepted events of one dedup key, newest first");
        api.MapGet("/events/{id}", GetAsync).RequireAuthorization(Policies.Observer)
            .WithSummary("What became of an accepted event: received, processed or failed");
        api.MapGet("/integrations/{id}/rejects", RejectsAsync).RequireAuthorization(Policies.Observer)
            .WithSummary("The last 50 events that an integration was refused, newest first");
    }

    private static async Task<IResult> ListAsync(
        [FromQuery(Name = "integration_id")] string? integrationId, [FromQuery(Name = "dedup_key")] string? dedupKey, HttpContext http,
        EventLookup events, CatalogReader catalog, CancellationToken cancel)
    {
        if (!ApiPage.TryRead(http.Request, out var page, out var refusal)) return refusal!;
        if (!Id.TryParse<IntegrationId>(integrationId, out var integration))
            return ApiErrors.Invalid("integration_id is missing or no id.");
        if (string.IsNullOrEmpty(dedupKey)) return ApiErrors.Invalid("dedup_key is missing.");
        var found = await events.OfKeyAsync(integration, dedupKey, ApiPage.LimitMax, cancel);
        return page.Cut("events", found, story => EventShape.Of(story, catalog.Current));
    }

    private static async Task<IResult> GetAsync(string id, EventLookup events, CatalogReader catalog, CancellationToken cancel) =>
        Id.TryParse<EventId>(id, out var known) && await events.FindAsync(known, cancel) is { } story
            ? Shape.One("event", EventShape.Of(story, catalog.Current))
            : ApiErrors.Missing($"event {id}, or it is not known any more");

    private static async Task<IResult> RejectsAsync(
        string id, HttpContext http, EventLookup events, CatalogReader catalog, CancellationToken cancel)
    {
        if (!ApiPage.TryRead(http.Request, out var page, out var refusal)) return refusal!;
        var known = ApiEndpoints.IdOf<IntegrationId>(id);
        if (catalog.Current.Integrations.All(integration => integration.Id != known)) return ApiErrors.Missing($"integration {id}");
        return page.Cut("rejects", await events.RefusedAsync(known, cancel), EventShape.OfRejected);
    }
}
