using Belfry.Alerting.Access;
using Microsoft.AspNetCore.Antiforgery;

namespace Belfry.Server.Security;

/// <summary>
/// Stops requests that change something and were not meant by their caller: from another site (Origin, Sec-Fetch-Site), with a session
/// but without the antiforgery token of a form or of the header <c>RequestVerificationToken</c>, or with a token of scope read. Runs
/// after authentication. The event routes never come here.
/// </summary>
internal static class RequestGuard
{
    public static void UseRequestGuard(this IApplicationBuilder app) => app.Use(next => async context =>
    {
        if (await WhyRefusedAsync(context) is { } reason)
            await AccessErrors.WriteAsync(context.Response, StatusCodes.Status403Forbidden, reason);
        else
            await next(context);
    });

    private static async ValueTask<string?> WhyRefusedAsync(HttpContext context)
    {
        var request = context.Request;
        if (HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method) || HttpMethods.IsOptions(request.Method)) return null;
        if (IsForeign(request)) return "The request comes from another site.";
        if (context.Items[AccessAuthentication.ScopeKey] is TokenScope.Read) return "The API token may only read.";
        if (Caller.Of(context.User)?.Proof is not CallerProof.Session) return null;
        var antiforgery = context.RequestServices.GetRequiredService<IAntiforgery>();
        return await antiforgery.IsRequestValidAsync(context) ? null : "The form is too old or not ours; load the page again.";
    }

    /// <summary>Browsers send one of the two with every such request; programs send neither.</summary>
    internal static bool IsForeign(HttpRequest request)
    {
        var site = request.Headers["Sec-Fetch-Site"].ToString();
        if (site.Length > 0 && site is not ("same-origin" or "none")) return true;
        var origin = request.Headers.Origin.ToString();
        return origin.Length > 0 && !string.Equals(origin, $"{request.Scheme}://{request.Host}", StringComparison.OrdinalIgnoreCase);
    }
}
