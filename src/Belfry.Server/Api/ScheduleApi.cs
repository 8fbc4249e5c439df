using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.OnCall;
using Belfry.Server.Security;

namespace Belfry.Server.Api;

/// <summary>
/// <c>/schedules</c>. With <c>since</c> and <c>until</c> (at most 400 days apart) the answer carries the rendered shifts;
/// <c>/schedules/preview</c> renders a schedule that is not saved.
/// </summary>
internal static class ScheduleApi
{
    private static readonly TimeSpan WindowMax = TimeSpan.FromDays(400);
    private static readonly TimeSpan WindowDefault = TimeSpan.FromDays(14);

    public static void MapSchedules(this RouteGroupBuilder api)
    {
        api.MapGet("/schedules", ListAsync).RequireAuthorization(Policies.Observer);
        api.MapPost("/schedules", CreateAsync).RequireAuthorization(Policies.Manager);
        api.MapPost("/schedules/preview", PreviewAsync).RequireAuthorization(Policies.Manager);
        api.MapGet("/schedules/{id}", GetAsync).RequireAuthorization(Policies.Observer);
        api.MapPut("/schedules/{id}", UpdateAsync).RequireAuthorization(Policies.Manager);
        api.MapDelete("/schedules/{id}", DeleteAsync).RequireAuthorization(Policies.Manager);
    }

    private static async Task<IResult> ListAsync(HttpContext http, ScheduleStore store, CatalogReader catalog, CancellationToken cancel)
    {
        if (!ApiPage.TryRead(http.Request, out var page, out var refusal)) return refusal!;
        var schedules = await store.ListAsync(page.Offset, page.Limit, cancel);
        return page.Wrap("schedules", schedules.Items, schedules.Total, schedule => ScheduleShape.Of(schedule, catalog.Current));
    }

    private static async Task<IResult> GetAsync(
        string id, HttpContext http, ScheduleStore store, CatalogReader catalog, TimeProvider time, CancellationToken cancel)
    {
        if (await store.FindAsync(ApiEndpoints.IdOf<ScheduleId>(id), cancel) is not { } schedule)
            return ApiErrors.Missing($"schedule {id}");
        if (!TryWindow(http.Request.Query, time.GetUtcNow(), out var from, out var to, out var refusal)) return refusal!;
        return Rendered(schedule, from, to, catalog, 200);
    }

    private static async Task<IResult> PreviewAsync(HttpContext http, CatalogReader catalog, TimeProvider time, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        var (body, refusal) = await ApiBody.ReadAsync(http.Request, "schedule");
        if (refusal is not null) return refusal;
        var draft = ScheduleBody.Read(body, null);
        if (body.Refused is { } invalid) return invalid;
        if (!TryWindow(http.Request.Query, time.GetUtcNow(), out var from, out var to, out var window)) return window!;
        return Rendered(
            new OnCallSchedule(new ScheduleId(Guid.Empty), draft.Name, draft.TimeZone, draft.Layers, []), from, to, catalog, 200);
    }

    private static async Task<IResult> CreateAsync(
        HttpContext http, ScheduleStore store, CatalogReader catalog, TimeProvider time, CancellationToken cancel)
    {
        var (body, refusal) = await ApiBody.ReadAsync(http.Request, "schedule");
        if (refusal is not null) return refusal;
        var draft = ScheduleBody.Read(body, null);
        if (body.Refused is { } invalid) return invalid;
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        return Answer(await store.CreateAsync(draft, actor, time.GetUtcNow(), cancel), catalog, 201);
    }

    private static async Task<IResult> UpdateAsync(
        string id, HttpContext http, ScheduleStore store, CatalogReader catalog, TimeProvider time, CancellationToken cancel)
    {
        var (body, refusal) = await ApiBody.ReadAsync(http.Request, "schedule");
        if (refusal is not null) return refusal;
        if (await store.FindAsync(ApiEndpoints.IdOf<ScheduleId>(id), cancel) is not { } before) return ApiErrors.Missing($"schedule {id}");
        var draft = ScheduleBody.Read(body, before);
        if (body.Refused is { } invalid) return invalid;
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        return Answer(await store.UpdateAsync(before.Id, draft, actor, time.GetUtcNow(), cancel), catalog, 200);
    }

    private static async Task<IResult> DeleteAsync(
        string id, HttpContext http, ScheduleStore store, CatalogReader catalog, TimeProvider time, CancellationToken cancel)
    {
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        var made = await store.DeleteAsync(ApiEndpoints.IdOf<ScheduleId>(id), actor, time.GetUtcNow(), cancel);
        return made is ChangeResult<OnCallSchedule>.Done ? Results.NoContent() : ApiErrors.Refused(made);
    }

    private static IResult Answer(ChangeResult<OnCallSchedule> made, CatalogReader catalog, int status) =>
        made is ChangeResult<OnCallSchedule>.Done done
            ? Shape.One("schedule", ScheduleShape.Of(done.Value, catalog.Current), status)
            : ApiErrors.Refused(made);

    private static IResult Rendered(OnCallSchedule schedule, DateTimeOffset from, DateTimeOffset to, CatalogReader catalog, int status) =>
        Shape.One("schedule", ScheduleShape.Rendered(schedule, OnCallRota.Shifts(schedule, from, to), catalog.Current), status);

    internal static bool TryWindow(
        IQueryCollection query, DateTimeOffset now, out DateTimeOffset from, out DateTimeOffset to, out IResult? refusal)
    {
        List<string> faults = [];
        from = IncidentQuery.Instant(query, "since", faults) ?? now;
        to = IncidentQuery.Instant(query, "until", faults) ?? from + WindowDefault;
        if (faults.Count == 0 && to <= from) faults.Add("until is not after since.");
        if (faults.Count == 0 && to - from > WindowMax) faults.Add($"since and until are more than {WindowMax.Days} days apart.");
        refusal = faults.Count > 0 ? ApiErrors.Invalid(faults) : null;
        return refusal is null;
    }
}
