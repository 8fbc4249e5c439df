using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Server.Security;

namespace Belfry.Server.Api;

/// <summary><c>/escalation_policies</c>: levels are <c>escalation_rules</c>, as PagerDuty names them.</summary>
internal static class PolicyApi
{
    private const int LevelsMax = 50;

    public static void MapPolicies(this RouteGroupBuilder api)
    {
        api.MapGet("/escalation_policies", ListAsync).RequireAuthorization(Policies.Observer);
        api.MapPost("/escalation_policies", CreateAsync).RequireAuthorization(Policies.Manager);
        api.MapGet("/escalation_policies/{id}", GetAsync).RequireAuthorization(Policies.Observer);
        api.MapPut("/escalation_policies/{id}", UpdateAsync).RequireAuthorization(Policies.Manager);
        api.MapDelete("/escalation_policies/{id}", DeleteAsync).RequireAuthorization(Policies.Manager);
    }

    private static async Task<IResult> ListAsync(HttpContext http, CatalogStore store, CatalogReader catalog, CancellationToken cancel)
    {
        if (!ApiPage.TryRead(http.Request, out var page, out var refusal)) return refusal!;
        var policies = await store.ListPoliciesAsync(page.Offset, page.Limit, cancel);
        return page.Wrap("escalation_policies", policies.Items, policies.Total, policy => ServiceShape.OfPolicy(policy, catalog.Current));
    }

    private static async Task<IResult> GetAsync(string id, CatalogStore store, CatalogReader catalog, CancellationToken cancel) =>
        await store.FindPolicyAsync(ApiEndpoints.IdOf<PolicyId>(id), cancel) is { } policy
            ? Shape.One("escalation_policy", ServiceShape.OfPolicy(policy, catalog.Current))
            : ApiErrors.Missing($"escalation policy {id}");

    private static async Task<IResult> CreateAsync(
        HttpContext http, CatalogStore store, CatalogReader catalog, TimeProvider time, CancellationToken cancel)
    {
        var (body, refusal) = await ApiBody.ReadAsync(http.Request, "escalation_policy");
        if (refusal is not null) return refusal;
        var draft = Read(body, null);
        if (body.Refused is { } invalid) return invalid;
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        return Answer(await store.CreatePolicyAsync(draft, actor, time.GetUtcNow(), cancel), catalog, 201);
    }

    private static async Task<IResult> UpdateAsync(
        string id, HttpContext http, CatalogStore store, CatalogReader catalog, TimeProvider time, CancellationToken cancel)
    {
        var (body, refusal) = await ApiBody.ReadAsync(http.Request, "escalation_policy");
        if (refusal is not null) return refusal;
        if (await store.FindPolicyAsync(ApiEndpoints.IdOf<PolicyId>(id), cancel) is not { } before)
            return ApiErrors.Missing($"escalation policy {id}");
        var draft = Read(body, before);
        if (body.Refused is { } invalid) return invalid;
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        return Answer(await store.UpdatePolicyAsync(before.Id, draft, actor, time.GetUtcNow(), cancel), catalog, 200);
    }

    private static async Task<IResult> DeleteAsync(
        string id, HttpContext http, CatalogStore store, CatalogReader catalog, TimeProvider time, CancellationToken cancel)
    {
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        var made = await store.DeletePolicyAsync(ApiEndpoints.IdOf<PolicyId>(id), actor, time.GetUtcNow(), cancel);
        return made is ChangeResult<EscalationPolicy>.Done ? Results.NoContent() : ApiErrors.Refused(made);
    }

    private static IResult Answer(ChangeResult<EscalationPolicy> made, CatalogReader catalog, int status) =>
        made is ChangeResult<EscalationPolicy>.Done done
            ? Shape.One("escalation_policy", ServiceShape.OfPolicy(done.Value, catalog.Current), status)
            : ApiErrors.Refused(made);

    private static PolicyDraft Read(ApiBody body, EscalationPolicy? before)
    {
        var levels = body.Objects("escalation_rules", required: before is null, max: LevelsMax)?.Select(Level).ToList();
        return new PolicyDraft(
            body.Text("name", required: before is null) ?? before?.Name ?? "",
            body.Number("num_loops", max: 9) ?? before?.NumLoops ?? 0,
            (IReadOnlyList<EscalationLevel>?)levels ?? before?.Levels ?? []);
    }

    private static EscalationLevel Level(ApiBody rule) => new(
        rule.Number("escalation_delay_in_minutes", required: true, min: 1, max: 1_440) ?? 1,
        [.. (rule.Objects("targets", required: true, max: 10) ?? []).Select(Target)]);

    private static EscalationTarget Target(ApiBody target)
    {
        var kind = target.Choice(
            "type", required: true,
            ("user_reference", TargetKind.User), ("user", TargetKind.User),
            ("schedule_reference", TargetKind.Schedule), ("schedule", TargetKind.Schedule));
        var id = target.Reference<UserId>("id", required: true);
        return new EscalationTarget(kind ?? TargetKind.User, id?.Value ?? Guid.Empty);
    }
}
