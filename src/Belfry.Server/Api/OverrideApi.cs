using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.OnCall;
using Belfry.Server.Security;

namespace Belfry.Server.Api;

/// <summary><c>/schedules/{id}/overrides</c>: the last created is on top. Responders may swap shifts among themselves.</summary>
internal static class OverrideApi
{
    public static void MapOverrides(this RouteGroupBuilder api)
    {
        api.MapGet("/schedules/{id}/overrides", ListAsync).RequireAuthorization(Policies.Observer);
        api.MapPost("/schedules/{id}/overrides", CreateAsync).RequireAuthorization(Policies.Responder);
        api.MapDelete("/schedules/{id}/overrides/{override}", DeleteAsync).RequireAuthorization(Policies.Responder);
    }

    private static async Task<IResult> ListAsync(
        string id, HttpContext http, ScheduleStore store, CatalogReader catalog, CancellationToken cancel)
    {
        if (await store.FindAsync(ApiEndpoints.IdOf<ScheduleId>(id), cancel) is not { } schedule)
            return ApiErrors.Missing($"schedule {id}");
        List<string> faults = [];
        var since = IncidentQuery.Instant(http.Request.Query, "since", faults) ?? DateTimeOffset.MinValue;
        var until = IncidentQuery.Instant(http.Request.Query, "until", faults) ?? DateTimeOffset.MaxValue;
        if (faults.Count > 0) return ApiErrors.Invalid(faults);
        var overrides = schedule.Overrides.Where(one => one.End > since && one.Start < until);
        return Shape.One("overrides", Shape.Array(overrides, one => ScheduleShape.OfOverride(one, catalog.Current)));
    }

    private static async Task<IResult> CreateAsync(
        string id, HttpContext http, ScheduleStore store, CatalogReader catalog, TimeProvider time, CancellationToken cancel)
    {
        var (body, refusal) = await ApiBody.ReadAsync(http.Request, "override");
        if (refusal is not null) return refusal;
        var user = body.Reference<UserId>("user", required: true);
        var start = body.Instant("start", required: true);
        var end = body.Instant("end", required: true);
        if (body.Refused is { } invalid) return invalid;
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        var made = await store.AddOverrideAsync(
            ApiEndpoints.IdOf<ScheduleId>(id), new OverrideDraft(user!.Value, start!.Value, end!.Value), actor, time.GetUtcNow(), cancel);
        return made is ChangeResult<ScheduleOverride>.Done done
            ? Shape.One("override", ScheduleShape.OfOverride(done.Value, catalog.Current), 201)
            : ApiErrors.Refused(made);
    }

    private static async Task<IResult> DeleteAsync(
        string id, string @override, HttpContext http, ScheduleStore store, CatalogReader catalog, TimeProvider time,
        CancellationToken cancel)
    {
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        var known = Guid.TryParseExact(@override, "N", out var overrideId) ? overrideId : Guid.Empty;
        var made = await store.RemoveOverrideAsync(ApiEndpoints.IdOf<ScheduleId>(id), known, actor, time.GetUtcNow(), cancel);
        return made is ChangeResult<ScheduleOverride>.Done ? Results.NoContent() : ApiErrors.Refused(made);
    }
}
