using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.People;
using Belfry.Server.Security;

namespace Belfry.Server.Api;

/// <summary><c>/users</c>. Everybody may read; people edit themselves, administrators anybody; only the latter give roles.</summary>
internal static class UserApi
{
    public static void MapUsers(this RouteGroupBuilder api)
    {
        api.MapGet("/users", ListAsync).RequireAuthorization(Policies.Observer);
        api.MapPost("/users", CreateAsync).RequireAuthorization(Policies.Administrator);
        api.MapGet("/users/me", MeAsync).RequireAuthorization(Policies.Observer);
        api.MapGet("/users/{id}", GetAsync).RequireAuthorization(Policies.Observer);
        api.MapPut("/users/{id}", UpdateAsync).RequireAuthorization(Policies.Responder);
        api.MapDelete("/users/{id}", DeleteAsync).RequireAuthorization(Policies.Administrator);
    }

    private static async Task<IResult> ListAsync(HttpContext http, PeopleStore people, CancellationToken cancel)
    {
        if (!ApiPage.TryRead(http.Request, out var page, out var refusal)) return refusal!;
        var users = await people.ListUsersAsync(page.Offset, page.Limit, cancel);
        return page.Wrap("users", users.Items, users.Total, UserShape.Of);
    }

    private static async Task<IResult> MeAsync(HttpContext http, PeopleStore people, CancellationToken cancel) =>
        Caller.Of(http.User) is { } caller && await people.FindUserAsync(caller.UserId, cancel) is { } user
            ? Shape.One("user", UserShape.Of(user))
            : ApiErrors.Missing("user of this token");

    private static async Task<IResult> GetAsync(string id, PeopleStore people, CancellationToken cancel) =>
        await people.FindUserAsync(ApiEndpoints.IdOf<UserId>(id), cancel) is { } user
            ? Shape.One("user", UserShape.Of(user))
            : ApiErrors.Missing($"user {id}");

    private static async Task<IResult> CreateAsync(
        HttpContext http, PeopleStore people, CatalogReader catalog, TimeProvider time, CancellationToken cancel)
    {
        var (body, refusal) = await ApiBody.ReadAsync(http.Request, "user");
        if (refusal is not null) return refusal;
        var draft = Read(body, null);
        if (body.Refused is { } invalid) return invalid;
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        var made = await people.CreateUserAsync(draft, actor, time.GetUtcNow(), cancel);
        return made is ChangeResult<User>.Done done ? Shape.One("user", UserShape.Of(done.Value), 201) : ApiErrors.Refused(made);
    }

    private static async Task<IResult> UpdateAsync(
        string id, HttpContext http, PeopleStore people, CatalogReader catalog, TimeProvider time, CancellationToken cancel)
    {
        var user = ApiEndpoints.IdOf<UserId>(id);
        if (!ApiActor.MayEdit(http, user)) return ApiErrors.Forbidden("Only administrators may edit another user.");
        var (body, refusal) = await ApiBody.ReadAsync(http.Request, "user");
        if (refusal is not null) return refusal;
        if (await people.FindUserAsync(user, cancel) is not { } before) return ApiErrors.Missing($"user {id}");
        var draft = Read(body, before);
        if (body.Refused is { } invalid) return invalid;
        if (draft.Role != before.Role && Caller.Of(http.User) is not { Role: UserRole.Administrator })
            return ApiErrors.Forbidden("Only administrators may give a role.");
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        var made = await people.UpdateUserAsync(user, draft, actor, time.GetUtcNow(), cancel);
        return made is ChangeResult<User>.Done done ? Shape.One("user", UserShape.Of(done.Value)) : ApiErrors.Refused(made);
    }

    private static async Task<IResult> DeleteAsync(
        string id, HttpContext http, PeopleStore people, CatalogReader catalog, TimeProvider time, CancellationToken cancel)
    {
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        var made = await people.DeleteUserAsync(ApiEndpoints.IdOf<UserId>(id), actor, time.GetUtcNow(), cancel);
        return made is ChangeResult<User>.Done ? Results.NoContent() : ApiErrors.Refused(made);
    }

    private static UserDraft Read(ApiBody body, User? before)
    {
        var role = body.Choice(
            "role", required: false,
            ("observer", UserRole.Observer), ("responder", UserRole.Responder), ("manager", UserRole.Manager),
            ("admin", UserRole.Administrator));
        return new UserDraft(
            body.Text("name", required: before is null) ?? before?.Name ?? "",
            body.Text("email", required: before is null, max: 320) ?? before?.Email ?? "",
            body.Text("time_zone") ?? before?.TimeZone ?? "Etc/UTC",
            role ?? before?.Role ?? UserRole.Responder);
    }
}
