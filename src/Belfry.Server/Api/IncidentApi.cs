using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Incidents;
using Belfry.Server.Incidents;
using Belfry.Server.Security;

namespace Belfry.Server.Api;

/// <summary><c>/incidents</c>: list, read, change one or up to 250, alerts, snooze.</summary>
internal static class IncidentApi
{
    public const int BulkMax = 250;
    private const string Channel = "api";

    public static void MapIncidents(this RouteGroupBuilder api)
    {
        api.MapGet("/incidents", ListAsync).RequireAuthorization(Policies.Observer);
        api.MapPut("/incidents", UpdateManyAsync).RequireAuthorization(Policies.Responder);
        api.MapGet("/incidents/{id}", GetAsync).RequireAuthorization(Policies.Observer);
        api.MapPut("/incidents/{id}", UpdateAsync).RequireAuthorization(Policies.Responder);
        api.MapGet("/incidents/{id}/alerts", AlertsAsync).RequireAuthorization(Policies.Observer);
        api.MapPost("/incidents/{id}/snooze", SnoozeAsync).RequireAuthorization(Policies.Responder);
    }

    private static async Task<IResult> ListAsync(
        HttpContext http, IncidentDirectory incidents, CatalogReader catalog, CancellationToken cancel)
    {
        if (!ApiPage.TryRead(http.Request, out var page, out var refusal)) return refusal!;
        var (filters, faults) = IncidentQuery.Read(http.Request.Query);
        if (faults.Count > 0) return ApiErrors.Invalid(faults);
        var (items, total) = await incidents.ListAsync(filters, page.Offset, page.Limit, cancel);
        return page.Wrap("incidents", items, total, incident => IncidentShape.Of(incident, catalog.Current));
    }

    private static async Task<IResult> GetAsync(string id, IncidentDirectory incidents, CatalogReader catalog, CancellationToken cancel) =>
        await FindAsync(id, incidents, cancel) is { } found
            ? Shape.One("incident", IncidentShape.Of(found, catalog.Current))
            : ApiErrors.Missing($"incident {id}");

    private static async Task<IResult> AlertsAsync(
        string id, HttpContext http, IncidentDirectory incidents, CatalogReader catalog, CancellationToken cancel)
    {
        if (!ApiPage.TryRead(http.Request, out var page, out var refusal)) return refusal!;
        if (await FindAsync(id, incidents, cancel) is not { Incident: var incident }) return ApiErrors.Missing($"incident {id}");
        return page.Cut("alerts", incident.Alerts, alert => IncidentShape.OfAlert(alert, incident, catalog.Current));
    }

    private static async Task<IResult> UpdateAsync(
        string id, HttpContext http, IncidentDirectory incidents, CatalogReader catalog, CommandSender sender, CancellationToken cancel)
    {
        var (body, refusal) = await ApiBody.ReadAsync(http.Request, "incident");
        if (refusal is not null) return refusal;
        var change = IncidentUpdate.Read(body, catalog.Current);
        if (body.Refused is { } invalid) return invalid;
        if (await FindAsync(id, incidents, cancel) is not { } found) return ApiErrors.Missing($"incident {id}");
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        var applied = Applied(await sender.SendAsync(change.CommandsFor(found.Incident, sender, actor.UserId, Channel), cancel));
        return Shape.One("incident", IncidentShape.Of(await AgainAsync(found, incidents, cancel), catalog.Current), applied ? 200 : 202);
    }

    private static async Task<IResult> UpdateManyAsync(
        HttpContext http, IncidentDirectory incidents, CatalogReader catalog, CommandSender sender, CancellationToken cancel)
    {
        var (body, refusal) = await ApiBody.ReadRootAsync(http.Request);
        if (refusal is not null) return refusal;
        var items = body.Objects("incidents", required: true, max: int.MaxValue) ?? [];
        if (items.Count > BulkMax)
            return ApiErrors.Of(
                413, ApiErrors.InvalidInput, "Payload Too Large", [$"incidents has {items.Count} entries, at most {BulkMax} are taken."]);
        var changes = items.Select(
            item => (Id: item.Text("id", required: true), Change: IncidentUpdate.Read(item, catalog.Current))).ToList();
        if (body.Refused is { } invalid) return invalid;
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;

        // Every id is looked at before anything is sent, so that a refused request has changed nothing.
        List<NumberedIncident> found = [];
        foreach (var (id, _) in changes)
            if (await FindAsync(id!, incidents, cancel) is { } one) found.Add(one);
            else body.Faults.Add($"There is no incident {id}.");
        if (body.Refused is { } unknown) return unknown;

        var commands = found.Zip(changes, (one, change) => change.Change.CommandsFor(one.Incident, sender, actor.UserId, Channel));
        var applied = Applied(await sender.SendAsync([.. commands.SelectMany(list => list)], cancel));
        List<NumberedIncident> now = [];
        foreach (var one in found) now.Add(await AgainAsync(one, incidents, cancel));
        var shapes = Shape.Array(now, incident => IncidentShape.Of(incident, catalog.Current));
        return Shape.One("incidents", shapes, applied ? 200 : 202);
    }

    private static async Task<IResult> SnoozeAsync(
        string id, HttpContext http, IncidentDirectory incidents, CatalogReader catalog, CommandSender sender, CancellationToken cancel)
    {
        var (body, refusal) = await ApiBody.ReadRootAsync(http.Request);
        if (refusal is not null) return refusal;
        var seconds = body.Number("duration", required: true, min: 1, max: 604_800);
        if (body.Refused is { } invalid) return invalid;
        if (await FindAsync(id, incidents, cancel) is not { } found) return ApiErrors.Missing($"incident {id}");
        if (found.Incident.Status == IncidentStatus.Resolved)
            return ApiErrors.Invalid("The incident is resolved; only open ones can be snoozed.");
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        var command = sender.New(found.Incident, CommandKind.Snooze, actor.UserId, Channel) with { SnoozeSeconds = seconds };
        var applied = Applied(await sender.SendAsync([command], cancel));
        return Shape.One("incident", IncidentShape.Of(await AgainAsync(found, incidents, cancel), catalog.Current), applied ? 201 : 202);
    }

    /// <summary>By id or, as people write it, by number.</summary>
    internal static ValueTask<NumberedIncident?> FindAsync(string id, IncidentDirectory incidents, CancellationToken cancel)
    {
        if (Id.TryParse<IncidentId>(id, out var known)) return incidents.FindAsync(known, cancel);
        return long.TryParse(id, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var number)
            ? incidents.FindByNumberAsync(number, cancel)
            : ValueTask.FromResult<NumberedIncident?>(null);
    }

    internal static bool Applied(IReadOnlyList<EventState?> states) => states.All(state => state is not null);

    private static async Task<NumberedIncident> AgainAsync(NumberedIncident found, IncidentDirectory incidents, CancellationToken cancel) =>
        await incidents.FindAsync(found.Incident.Id, cancel) ?? found;
}
