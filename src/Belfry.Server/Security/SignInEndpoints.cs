using System.Globalization;
using Belfry.Alerting.Access;
using Belfry.Alerting.Catalog;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Mvc;

namespace Belfry.Server.Security;

/// <summary>
/// <c>/login</c> (fields <c>email</c>, <c>password</c>, <c>return_url</c>), <c>/setup/{token}</c> (<c>name</c>, <c>email</c>,
/// <c>password</c>) and <c>/logout</c>, all by form and without script; each form carries the antiforgery token.
/// </summary>
internal static class SignInEndpoints
{
    public static void MapSignIn(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/login", ShowLogin).Public();
        routes.MapPost("/login", LogInAsync).Public();
        routes.MapGet("/setup/{token}", ShowSetupAsync).Public();
        routes.MapPost("/setup/{token}", SetUpAsync).Public();
        routes.MapPost("/logout", LogOutAsync).RequireAuthorization(Policies.Observer);
    }

    private static IResult ShowLogin(HttpContext context, IAntiforgery antiforgery, [FromQuery(Name = "return_url")] string? returnUrl) =>
        Caller.Of(context.User) is not null
            ? Results.LocalRedirect(LocalOr(returnUrl))
            : SignInPages.Login(antiforgery.GetAndStoreTokens(context), LocalOr(returnUrl), "", []);

    private static async Task<IResult> LogInAsync(
        HttpContext context, IAntiforgery antiforgery, SignIn signIn, AccessStore access, TimeProvider time, [FromForm] string? email,
        [FromForm] string? password, [FromForm(Name = "return_url")] string? returnUrl, CancellationToken cancel)
    {
        await CloseOldAsync(context, access, time, cancel);
        var result = await signIn.ByPasswordAsync(email ?? "", password ?? "", AddressOf(context), AgentOf(context), cancel);
        return Finish(context, result, LocalOr(returnUrl), (faults, status) =>
            SignInPages.Login(antiforgery.GetAndStoreTokens(context), LocalOr(returnUrl), email ?? "", faults, status));
    }

    private static async Task<IResult> ShowSetupAsync(
        HttpContext context, string token, IAntiforgery antiforgery, AccessStore access, CatalogReader catalog, TimeProvider time,
        CancellationToken cancel)
    {
        if (await access.FindInvitationAsync(token, time.GetUtcNow(), cancel) is not { } invitation) return SignInPages.LinkEnded();
        var invited = invitation.UserId is { } id ? catalog.Current.User(id) : null;
        return SignInPages.Setup(antiforgery.GetAndStoreTokens(context), invited, "", "", []);
    }

    private static async Task<IResult> SetUpAsync(
        HttpContext context, string token, IAntiforgery antiforgery, SignIn signIn, AccessStore access, CatalogReader catalog,
        TimeProvider time,
        [FromForm] string? name, [FromForm] string? email, [FromForm] string? password, CancellationToken cancel)
    {
        var invitation = await access.FindInvitationAsync(token, time.GetUtcNow(), cancel);
        if (invitation is null) return SignInPages.LinkEnded();
        var result = await signIn.ByInvitationAsync(
            token, name ?? "", email ?? "", password ?? "", AddressOf(context), AgentOf(context), cancel);
        var invited = invitation.UserId is { } id ? catalog.Current.User(id) : null;
        return Finish(context, result, "/", (faults, status) =>
            SignInPages.Setup(antiforgery.GetAndStoreTokens(context), invited, name ?? "", email ?? "", faults, status));
    }

    private static async Task<IResult> LogOutAsync(HttpContext context, AccessStore access, TimeProvider time, CancellationToken cancel)
    {
        await CloseOldAsync(context, access, time, cancel);
        SessionCookie.Clear(context);
        return Results.LocalRedirect("/login");
    }

    private static IResult Finish(HttpContext context, SignInResult result, string next, Func<IReadOnlyList<string>, int, IResult> again)
    {
        switch (result)
        {
            case SignInResult.Done done:
                SessionCookie.Set(context, done.Session);
                return Results.LocalRedirect(next);
            case SignInResult.Limited limited:
                var seconds = Math.Max(1, (long)Math.Ceiling(limited.RetryAfter.TotalSeconds));
                context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
                return again([$"Too many tries; try again in {Math.Ceiling(seconds / 60.0):0} min."], StatusCodes.Status429TooManyRequests);
            case SignInResult.Refused refused:
                return again(refused.Faults, StatusCodes.Status400BadRequest);
            default:
                throw new ArgumentOutOfRangeException(nameof(result), result, "No answer for it.");
        }
    }

    // A new sign-in ends the session it comes from: a cookie planted before is worth nothing after.
    private static async Task CloseOldAsync(HttpContext context, AccessStore access, TimeProvider time, CancellationToken cancel)
    {
        if (!context.Request.Cookies.TryGetValue(SessionCookie.Name, out var old)) return;
        var caller = Caller.Of(context.User);
        await access.CloseSessionAsync(
            old, new Actor(caller?.UserId, caller?.Name ?? "nobody", AddressOf(context)), time.GetUtcNow(), cancel);
    }

    private static string LocalOr(string? url) =>
        url is { Length: > 0 and < 2_000 } && url[0] == '/' && !url.StartsWith("//", StringComparison.Ordinal)
            && !url.Contains('\\', StringComparison.Ordinal)
        && !url.Any(char.IsControl) ? url : "/";

    private static string AddressOf(HttpContext context) => context.Connection.RemoteIpAddress?.ToString() ?? "";

    private static string AgentOf(HttpContext context) => context.Request.Headers.UserAgent.ToString();
}
