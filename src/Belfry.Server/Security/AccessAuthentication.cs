using System.Text.Encodings.Web;
using Belfry.Alerting;
using Belfry.Alerting.Access;
using Belfry.Alerting.Catalog;
using Belfry.Server.Api;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;

namespace Belfry.Server.Security;

/// <summary>
/// Finds out who a request is from: an API token in the Authorization header (<c>Token token=…</c> or <c>Bearer …</c>), else, outside
/// <c>/api</c>, the session cookie. A header that opens nothing fails and never falls back to the cookie. Tokens are never read from a
/// cookie, query or form, for those end up in logs and histories.
/// </summary>
internal sealed class AccessAuthentication(
    IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory loggers, UrlEncoder encoder, AccessStore access,
    CatalogReader catalog, TimeProvider time) : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
{
    public const string SchemeName = "belfry";

    /// <summary>In <see cref="HttpContext.Items"/>: the token's scope, for the guard.</summary>
    public static readonly object ScopeKey = new();

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        var now = time.GetUtcNow();
        var header = Request.Headers.Authorization.ToString();
        if (header.Length > 0) return await ByTokenAsync(header, now);
        if (IsApi(Request) || !Request.Cookies.TryGetValue(SessionCookie.Name, out var cookie)) return AuthenticateResult.NoResult();
        var session = await access.FindSessionAsync(cookie, now, Context.RequestAborted);
        return session is null ? AuthenticateResult.NoResult() : Ticket(session.UserId, CallerProof.Session);
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        if (Refusals.IsFromProgram(Request))
        {
            Response.Headers.WWWAuthenticate = "Bearer";
            return new JsonNodeResult(
                StatusCodes.Status401Unauthorized, ApiErrors.ShapeOfStatus(StatusCodes.Status401Unauthorized)).ExecuteAsync(Context);
        }

        // Only what was read can be read again: a form whose session has ended starts over at the incidents.
        var back = HttpMethods.IsGet(Request.Method) ? Request.Path + Request.QueryString : "/";
        Response.Redirect($"/login?return_url={Uri.EscapeDataString(back)}");
        return Task.CompletedTask;
    }

    protected override Task HandleForbiddenAsync(AuthenticationProperties properties) =>
        Refusals.WriteAsync(Context, "Your role does not allow this.");

    public static bool IsApi(HttpRequest request) => request.Path.StartsWithSegments("/api", StringComparison.OrdinalIgnoreCase);

    private async Task<AuthenticateResult> ByTokenAsync(string header, DateTimeOffset now)
    {
        if (TokenIn(header) is not { } text) return AuthenticateResult.Fail("No token of a known form.");
        var token = await access.FindTokenAsync(text, now, Context.RequestAborted);
        if (token is null) return AuthenticateResult.Fail("Unknown, expired or revoked token.");
        Context.Items[ScopeKey] = token.Scope;
        return Ticket(token.UserId, CallerProof.Token);
    }

    internal static string? TokenIn(string header)
    {
        var space = header.IndexOf(' ', StringComparison.Ordinal);
        if (space < 0) return null;
        var value = header[(space + 1)..].Trim();
        return header[..space].ToUpperInvariant() switch
        {
            "BEARER" => value,
            "TOKEN" when value.StartsWith("token=", StringComparison.OrdinalIgnoreCase) => value[6..].Trim('"'),
            _ => null,
        };
    }

    private AuthenticateResult Ticket(UserId id, CallerProof proof)
    {
        if (catalog.Current.User(id) is not { } user) return AuthenticateResult.Fail("The user is gone.");
        var caller = new Caller(user.Id, user.Name, user.Role, proof);
        return AuthenticateResult.Success(new AuthenticationTicket(caller.ToPrincipal(SchemeName), SchemeName));
    }
}

/// <summary>The cookie that names a session. Its content opens it, so it is neither readable by script nor sent across sites.</summary>
internal static class SessionCookie
{
    public const string Name = "belfry_session";

    public static void Set(HttpContext context, Secret secret) => context.Response.Cookies.Append(Name, secret.Text, Options(context));

    public static void Clear(HttpContext context) => context.Response.Cookies.Delete(Name, Options(context));

    private static CookieOptions Options(HttpContext context) => new()
    {
        HttpOnly = true, SameSite = SameSiteMode.Strict, Secure = context.Request.IsHttps, Path = "/", MaxAge = Session.AgeMax,
    };
}
