using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.People;
using Belfry.Server.Security;

namespace Belfry.Server.Api;

/// <summary><c>/users/{id}/notification_rules</c>: one's own, or anybody's as administrator.</summary>
internal static class NotificationRuleApi
{
    public static void MapNotificationRules(this RouteGroupBuilder api)
    {
        api.MapGet("/users/{id}/notification_rules", ListAsync).RequireAuthorization(Policies.Observer);
        api.MapPost("/users/{id}/notification_rules", CreateAsync).RequireAuthorization(Policies.Responder);
        api.MapGet("/users/{id}/notification_rules/{rule}", GetAsync).RequireAuthorization(Policies.Observer);
        api.MapPut("/users/{id}/notification_rules/{rule}", UpdateAsync).RequireAuthorization(Policies.Responder);
        api.MapDelete("/users/{id}/notification_rules/{rule}", DeleteAsync).RequireAuthorization(Policies.Responder);
    }

    private static async Task<IResult> ListAsync(string id, HttpContext http, PeopleStore people, CancellationToken cancel)
    {
        var user = ApiEndpoints.IdOf<UserId>(id);
        if (!ApiActor.MayEdit(http, user)) return ContactMethodApi.NotYours;
        return await people.ContactRulesOfAsync(user, cancel) is { } rules
            ? Shape.One("notification_rules", Shape.Array(rules.Rules, UserShape.OfRule))
            : ApiErrors.Missing($"user {id}");
    }

    private static async Task<IResult> GetAsync(string id, string rule, HttpContext http, PeopleStore people, CancellationToken cancel)
    {
        var user = ApiEndpoints.IdOf<UserId>(id);
        if (!ApiActor.MayEdit(http, user)) return ContactMethodApi.NotYours;
        return await FindAsync(user, rule, people, cancel) is { } found
            ? Shape.One("notification_rule", UserShape.OfRule(found))
            : ApiErrors.Missing($"notification rule {rule} of user {id}");
    }

    private static async Task<IResult> CreateAsync(
        string id, HttpContext http, PeopleStore people, CatalogReader catalog, TimeProvider time, CancellationToken cancel)
    {
        var user = ApiEndpoints.IdOf<UserId>(id);
        if (!ApiActor.MayEdit(http, user)) return ContactMethodApi.NotYours;
        var (body, refusal) = await ApiBody.ReadAsync(http.Request, "notification_rule");
        if (refusal is not null) return refusal;
        var draft = Read(body, null);
        if (body.Refused is { } invalid) return invalid;
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        var made = await people.AddRuleAsync(user, draft, actor, time.GetUtcNow(), cancel);
        return Answer(made, 201);
    }

    private static async Task<IResult> UpdateAsync(
        string id, string rule, HttpContext http, PeopleStore people, CatalogReader catalog, TimeProvider time, CancellationToken cancel)
    {
        var user = ApiEndpoints.IdOf<UserId>(id);
        if (!ApiActor.MayEdit(http, user)) return ContactMethodApi.NotYours;
        var (body, refusal) = await ApiBody.ReadAsync(http.Request, "notification_rule");
        if (refusal is not null) return refusal;
        if (await FindAsync(user, rule, people, cancel) is not { } before)
            return ApiErrors.Missing($"notification rule {rule} of user {id}");
        var draft = Read(body, before);
        if (body.Refused is { } invalid) return invalid;
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        return Answer(await people.UpdateRuleAsync(user, before.Id, draft, actor, time.GetUtcNow(), cancel), 200);
    }

    private static async Task<IResult> DeleteAsync(
        string id, string rule, HttpContext http, PeopleStore people, CatalogReader catalog, TimeProvider time, CancellationToken cancel)
    {
        var user = ApiEndpoints.IdOf<UserId>(id);
        if (!ApiActor.MayEdit(http, user)) return ContactMethodApi.NotYours;
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        var made = await people.DeleteRuleAsync(user, ApiEndpoints.IdOf<NotificationRuleId>(rule), actor, time.GetUtcNow(), cancel);
        return made is ChangeResult<NotificationRule>.Done ? Results.NoContent() : ApiErrors.Refused(made);
    }

    private static IResult Answer(ChangeResult<NotificationRule> made, int status) => made is ChangeResult<NotificationRule>.Done done
        ? Shape.One("notification_rule", UserShape.OfRule(done.Value), status)
        : ApiErrors.Refused(made);

    private static async Task<NotificationRule?> FindAsync(UserId user, string rule, PeopleStore people, CancellationToken cancel)
    {
        var id = ApiEndpoints.IdOf<NotificationRuleId>(rule);
        return (await people.ContactRulesOfAsync(user, cancel))?.Rules.FirstOrDefault(candidate => candidate.Id == id);
    }

    private static NotificationRuleDraft Read(ApiBody body, NotificationRule? before) => new(
        body.Choice("urgency", required: before is null, ("high", Urgency.High), ("low", Urgency.Low)) ?? before?.Urgency ?? Urgency.High,
        body.Number("start_delay_in_minutes", required: before is null, max: 1_440) ?? before?.StartDelayMinutes ?? 0,
        body.Reference<ContactMethodId>("contact_method", required: before is null) ?? before?.ContactMethodId ?? default);
}
