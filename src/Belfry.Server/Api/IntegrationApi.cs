using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Server.Security;

namespace Belfry.Server.Api;

/// <summary><c>/services/{id}/integrations</c>. Routing keys are shown to responders and above: they are secrets of a kind.</summary>
internal static class IntegrationApi
{
    public static void MapIntegrations(this RouteGroupBuilder api)
    {
        api.MapGet("/services/{id}/integrations", ListAsync).RequireAuthorization(Policies.Responder);
        api.MapPost("/services/{id}/integrations", CreateAsync).RequireAuthorization(Policies.Manager);
        api.MapGet("/services/{id}/integrations/{integration}", GetAsync).RequireAuthorization(Policies.Responder);
        api.MapPut("/services/{id}/integrations/{integration}", UpdateAsync).RequireAuthorization(Policies.Manager);
        api.MapPost("/services/{id}/integrations/{integration}/rotate", RotateAsync).RequireAuthorization(Policies.Manager);
        api.MapDelete("/services/{id}/integrations/{integration}", DeleteAsync).RequireAuthorization(Policies.Manager);
    }

    private static async Task<IResult> ListAsync(
        string id, HttpContext http, CatalogStore store, CatalogReader catalog, CancellationToken cancel)
    {
        if (!ApiPage.TryRead(http.Request, out var page, out var refusal)) return refusal!;
        if (await store.FindServiceAsync(ApiEndpoints.IdOf<ServiceId>(id), cancel) is not { } service)
            return ApiErrors.Missing($"service {id}");
        var found = await store.ListIntegrationsAsync(service.Id, page.Offset, page.Limit, cancel);
        return page.Wrap("integrations", found.Items, found.Total, integration => ServiceShape.OfIntegration(integration, catalog.Current));
    }

    private static async Task<IResult> GetAsync(
        string id, string integration, CatalogStore store, CatalogReader catalog, CancellationToken cancel) =>
        await FindAsync(id, integration, store, cancel) is { } found
            ? Shape.One("integration", ServiceShape.OfIntegration(found, catalog.Current))
            : Missing(id, integration);

    private static async Task<IResult> CreateAsync(
        string id, HttpContext http, CatalogStore store, CatalogReader catalog, TimeProvider time, CancellationToken cancel)
    {
        var (body, refusal) = await ApiBody.ReadAsync(http.Request, "integration");
        if (refusal is not null) return refusal;
        var draft = Read(body, null);
        if (body.Refused is { } invalid) return invalid;
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        var made = await store.CreateIntegrationAsync(ApiEndpoints.IdOf<ServiceId>(id), draft, actor, time.GetUtcNow(), cancel);
        return Answer(made, catalog, 201);
    }

    private static async Task<IResult> UpdateAsync(
        string id, string integration, HttpContext http, CatalogStore store, CatalogReader catalog, TimeProvider time,
        CancellationToken cancel)
    {
        var (body, refusal) = await ApiBody.ReadAsync(http.Request, "integration");
        if (refusal is not null) return refusal;
        if (await FindAsync(id, integration, store, cancel) is not { } before) return Missing(id, integration);
        var draft = Read(body, before);
        if (body.Refused is { } invalid) return invalid;
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        return Answer(await store.UpdateIntegrationAsync(before.Id, draft, actor, time.GetUtcNow(), cancel), catalog, 200);
    }

    private static async Task<IResult> RotateAsync(
        string id, string integration, HttpContext http, CatalogStore store, CatalogReader catalog, TimeProvider time,
        CancellationToken cancel)
    {
        if (await FindAsync(id, integration, store, cancel) is not { } before) return Missing(id, integration);
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        return Answer(await store.RotateRoutingKeyAsync(before.Id, actor, time.GetUtcNow(), cancel), catalog, 200);
    }

    private static async Task<IResult> DeleteAsync(
        string id, string integration, HttpContext http, CatalogStore store, CatalogReader catalog, TimeProvider time,
        CancellationToken cancel)
    {
        if (await FindAsync(id, integration, store, cancel) is not { } before) return Missing(id, integration);
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        var made = await store.DeleteIntegrationAsync(before.Id, actor, time.GetUtcNow(), cancel);
        return made is ChangeResult<Integration>.Done ? Results.NoContent() : ApiErrors.Refused(made);
    }

    private static IResult Missing(string service, string integration) =>
        ApiErrors.Missing($"integration {integration} of service {service}");

    private static IResult Answer(ChangeResult<Integration> made, CatalogReader catalog, int status) =>
        made is ChangeResult<Integration>.Done done
            ? Shape.One("integration", ServiceShape.OfIntegration(done.Value, catalog.Current), status)
            : ApiErrors.Refused(made);

    // An integration is addressed through its service: another service's id is unknown here.
    private static async Task<Integration?> FindAsync(string service, string integration, CatalogStore store, CancellationToken cancel) =>
        await store.FindIntegrationAsync(ApiEndpoints.IdOf<IntegrationId>(integration), cancel) is { } found
        && found.ServiceId == ApiEndpoints.IdOf<ServiceId>(service) ? found : null;

    private static IntegrationDraft Read(ApiBody body, Integration? before) => new(
        body.Text("name") ?? body.Text("summary") ?? before?.Name ?? "Events API v2",
        body.Flag("enabled") ?? before?.Enabled ?? true,
        body.Number("events_per_minute", min: 1, max: 1_000_000) ?? before?.EventsPerMinute ?? 7_200);
}
