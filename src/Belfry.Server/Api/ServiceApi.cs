using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Server.Security;

namespace Belfry.Server.Api;

/// <summary><c>/services</c>.</summary>
internal static class ServiceApi
{
    public static void MapServices(this RouteGroupBuilder api)
    {
        api.MapGet("/services", ListAsync).RequireAuthorization(Policies.Observer);
        api.MapPost("/services", CreateAsync).RequireAuthorization(Policies.Manager);
        api.MapGet("/services/{id}", GetAsync).RequireAuthorization(Policies.Observer);
        api.MapPut("/services/{id}", UpdateAsync).RequireAuthorization(Policies.Manager);
        api.MapDelete("/services/{id}", DeleteAsync).RequireAuthorization(Policies.Manager);
    }

    private static async Task<IResult> ListAsync(HttpContext http, CatalogStore store, CatalogReader catalog, CancellationToken cancel)
    {
        if (!ApiPage.TryRead(http.Request, out var page, out var refusal)) return refusal!;
        var services = await store.ListServicesAsync(page.Offset, page.Limit, cancel);
        return page.Wrap("services", services.Items, services.Total, service => ServiceShape.Of(service, catalog.Current));
    }

    private static async Task<IResult> GetAsync(string id, CatalogStore store, CatalogReader catalog, CancellationToken cancel) =>
        await store.FindServiceAsync(ApiEndpoints.IdOf<ServiceId>(id), cancel) is { } service
            ? Shape.One("service", ServiceShape.Of(service, catalog.Current))
            : ApiErrors.Missing($"service {id}");

    private static async Task<IResult> CreateAsync(
        HttpContext http, CatalogStore store, CatalogReader catalog, TimeProvider time, CancellationToken cancel)
    {
        var (body, refusal) = await ApiBody.ReadAsync(http.Request, "service");
        if (refusal is not null) return refusal;
        var draft = Read(body, null);
        if (body.Refused is { } invalid) return invalid;
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        return Answer(await store.CreateServiceAsync(draft, actor, time.GetUtcNow(), cancel), catalog, 201);
    }

    private static async Task<IResult> UpdateAsync(
        string id, HttpContext http, CatalogStore store, CatalogReader catalog, TimeProvider time, CancellationToken cancel)
    {
        var (body, refusal) = await ApiBody.ReadAsync(http.Request, "service");
        if (refusal is not null) return refusal;
        if (await store.FindServiceAsync(ApiEndpoints.IdOf<ServiceId>(id), cancel) is not { } before)
            return ApiErrors.Missing($"service {id}");
        var draft = Read(body, before);
        if (body.Refused is { } invalid) return invalid;
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        return Answer(await store.UpdateServiceAsync(before.Id, draft, actor, time.GetUtcNow(), cancel), catalog, 200);
    }

    private static async Task<IResult> DeleteAsync(
        string id, HttpContext http, CatalogStore store, CatalogReader catalog, TimeProvider time, CancellationToken cancel)
    {
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        var made = await store.DeleteServiceAsync(ApiEndpoints.IdOf<ServiceId>(id), actor, time.GetUtcNow(), cancel);
        return made is ChangeResult<Service>.Done ? Results.NoContent() : ApiErrors.Refused(made);
    }

    private static IResult Answer(ChangeResult<Service> made, CatalogReader catalog, int status) => made is ChangeResult<Service>.Done done
        ? Shape.One("service", ServiceShape.Of(done.Value, catalog.Current), status)
        : ApiErrors.Refused(made);

    private static ServiceDraft Read(ApiBody body, Service? before) => new(
        body.Text("name", required: before is null) ?? before?.Name ?? "",
        body.Text("description", max: 4_096) ?? before?.Description ?? "",
        body.Reference<PolicyId>("escalation_policy", required: before is null) ?? before?.PolicyId ?? default,
        Urgency(body) ?? before?.Urgency ?? UrgencyRule.AlwaysHigh,
        Seconds(body, "acknowledgement_timeout", before is null ? 1_800 : before.AcknowledgementTimeoutSeconds),
        Seconds(body, "auto_resolve_timeout", before is null ? 14_400 : before.AutoResolveSeconds));

    private static UrgencyRule? Urgency(ApiBody body) => body.Object("incident_urgency_rule")?.Choice(
        "urgency", required: true,
        ("high", UrgencyRule.AlwaysHigh), ("low", UrgencyRule.AlwaysLow), ("severity_based", UrgencyRule.BySeverity));

    private static int? Seconds(ApiBody body, string name, int? otherwise) =>
        body.IsNull(name) ? null : body.Has(name) ? body.Number(name) : otherwise;
}
