using Belfry.Alerting;
using Belfry.Alerting.Access;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.People;
using Belfry.Server.Api;
using Belfry.Server.Hosting;

namespace Belfry.Server.Security;

/// <summary>API tokens, sessions and invitations over REST. People see and end their own; administrators everybody's.</summary>
internal static class AccessEndpoints
{
    private static readonly TimeSpan InvitationLifetime = TimeSpan.FromDays(3);

    public static void MapAccess(this IEndpointRouteBuilder routes)
    {
        var api = routes.MapGroup(ApiEndpoints.Root).AddEndpointFilter<ApiRateLimitFilter>().AddEndpointFilter<PathIdFilter>();
        api.MapGet("/tokens", ListTokensAsync).RequireAuthorization(Policies.Responder);
        api.MapPost("/tokens", IssueTokenAsync).RequireAuthorization(Policies.Responder);
        api.MapDelete("/tokens/{id}", RevokeTokenAsync).RequireAuthorization(Policies.Responder);
        api.MapGet("/sessions", ListSessionsAsync).RequireAuthorization(Policies.Responder);
        api.MapDelete("/sessions/{id}", RevokeSessionAsync).RequireAuthorization(Policies.Responder);
        api.MapPost("/users/{id}/invitation", InviteAsync).RequireAuthorization(Policies.Administrator);
    }

    private static async Task<IResult> ListTokensAsync(HttpContext context, AccessStore access, CancellationToken cancel)
    {
        var caller = Caller.Of(context.User)!;
        var tokens = await access.TokensOfAsync(caller.Role == UserRole.Administrator ? null : caller.UserId, cancel);
        return Results.Json(new TokenList([.. tokens.Select(TokenShape.Of)]), HostJson.Default.TokenList);
    }

    private static async Task<IResult> IssueTokenAsync(
        HttpContext context, AccessStore access, TimeProvider time, CancellationToken cancel)
    {
        var caller = Caller.Of(context.User)!;
        var now = time.GetUtcNow();
        if (await ReadAsync(context) is not { } wanted)
            return ApiErrors.Invalid("The body must be a JSON object with name, scope and expires_at.");
        var faults = new List<string>();
        if (string.IsNullOrWhiteSpace(wanted.Name) || wanted.Name.Length > 100) faults.Add("name must have 1 to 100 characters.");
        if (wanted.Scope is not (null or "read" or "write")) faults.Add("scope must be read or write.");
        if (wanted.ExpiresAt <= now) faults.Add("expires_at must be in the future.");
        if (faults.Count > 0) return ApiErrors.Invalid(faults);
        var scope = wanted.Scope == "write" ? TokenScope.Write : TokenScope.Read;
        var (token, secret) = await access.IssueTokenAsync(
            caller.UserId, wanted.Name!, scope, wanted.ExpiresAt, ActorOf(context, caller), now, cancel);
        return Results.Json(
            new IssuedToken(TokenShape.Of(token), secret.Text), HostJson.Default.IssuedToken, statusCode: StatusCodes.Status201Created);
    }

    private static async Task<IResult> RevokeTokenAsync(
        HttpContext context, string id, AccessStore access, TimeProvider time, CancellationToken cancel)
    {
        var caller = Caller.Of(context.User)!;
        var visible = await access.TokensOfAsync(caller.Role == UserRole.Administrator ? null : caller.UserId, cancel);
        var revoked = Guid.TryParse(id, out var token) && visible.Any(one => one.Id == token)
            && await access.RevokeTokenAsync(token, ActorOf(context, caller), time.GetUtcNow(), cancel);
        return revoked ? Results.NoContent() : ApiErrors.Missing($"token {id}");
    }

    private static async Task<IResult> ListSessionsAsync(
        HttpContext context, AccessStore access, TimeProvider time, CancellationToken cancel)
    {
        var sessions = await access.SessionsOfAsync(Caller.Of(context.User)!.UserId, time.GetUtcNow(), cancel);
        return Results.Json(new SessionList([.. sessions.Select(SessionShape.Of)]), HostJson.Default.SessionList);
    }

    private static async Task<IResult> RevokeSessionAsync(
        HttpContext context, string id, AccessStore access, TimeProvider time, CancellationToken cancel)
    {
        var caller = Caller.Of(context.User)!;
        var revoked = Guid.TryParse(id, out var session)
            && await access.RevokeSessionAsync(caller.UserId, session, ActorOf(context, caller), time.GetUtcNow(), cancel);
        return revoked ? Results.NoContent() : ApiErrors.Missing($"session {id}");
    }

    private static async Task<IResult> InviteAsync(
        HttpContext context, string id, AccessStore access, CatalogReader catalog, TimeProvider time, CancellationToken cancel)
    {
        if (!Id.TryParse<UserId>(id, out var user) || catalog.Current.User(user) is null) return ApiErrors.Missing($"user {id}");
        var now = time.GetUtcNow();
        var secret = await access.InviteAsync(user, InvitationLifetime, ActorOf(context, Caller.Of(context.User)!), now, cancel);
        var link = $"{context.Request.Scheme}://{context.Request.Host}/setup/{secret.Text}";
        return Results.Json(
            new IssuedInvitation(link, now + InvitationLifetime), HostJson.Default.IssuedInvitation,
            statusCode: StatusCodes.Status201Created);
    }

    private static async ValueTask<NewToken?> ReadAsync(HttpContext context)
    {
        try
        {
            return await context.Request.ReadFromJsonAsync(HostJson.Default.NewToken, context.RequestAborted);
        }
        catch (Exception fault) when (fault is System.Text.Json.JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private static Actor ActorOf(HttpContext context, Caller caller) =>
        new(caller.UserId, caller.Name, context.Connection.RemoteIpAddress?.ToString());
}
