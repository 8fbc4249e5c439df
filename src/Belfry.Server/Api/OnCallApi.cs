using System.Text.Json.Nodes;
using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Server.OnCall;
using Belfry.Server.Security;

namespace Belfry.Server.Api;

/// <summary>
/// <c>/oncalls</c>: who is on call now, by policy and level; filters <c>user_ids[]</c>, <c>schedule_ids[]</c>,
/// <c>escalation_policy_ids[]</c>.
/// </summary>
internal static class OnCallApi
{
    public static void MapOnCalls(this RouteGroupBuilder api) =>
        api.MapGet("/oncalls", List).RequireAuthorization(Policies.Observer);

    private static IResult List(HttpContext http, CatalogReader catalog, TimeProvider time)
    {
        if (!ApiPage.TryRead(http.Request, out var page, out var refusal)) return refusal!;
        List<string> faults = [];
        var query = http.Request.Query;
        var users = IncidentQuery.Ids<UserId>(query, "user_ids", faults);
        var schedules = IncidentQuery.Ids<ScheduleId>(query, "schedule_ids", faults);
        var policies = IncidentQuery.Ids<PolicyId>(query, "escalation_policy_ids", faults);
        if (faults.Count > 0) return ApiErrors.Invalid(faults);
        var snapshot = catalog.Current;
        var found = OnCallNow.Of(snapshot, time.GetUtcNow())
            .Where(one => users.Count == 0 || users.Contains(one.UserId))
            .Where(one => schedules.Count == 0 || (one.Schedule is { } schedule && schedules.Contains(schedule.Id)))
            .Where(one => policies.Count == 0 || policies.Contains(one.Policy.Id))
            .ToList();
        return page.Cut("oncalls", found, one => new JsonObject
        {
            ["user"] = ReferenceShapes.User(one.UserId, snapshot),
            ["schedule"] = one.Schedule is { } schedule ? ReferenceShapes.Schedule(schedule.Id, snapshot) : null,
            ["escalation_policy"] = ReferenceShapes.Policy(one.Policy.Id, one.Policy.Name),
            ["escalation_level"] = one.Level,
            ["start"] = ApiTime.Text(one.Start),
            ["end"] = ApiTime.Text(one.End),
        });
    }
}
