using Belfry.Alerting.Access;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Authorization;

namespace Belfry.Server.Security;

/// <summary>
/// Stops requests that change something and were not meant by their caller: from another site (Origin, Sec-Fetch-Site), with a token of
/// scope read, or without the antiforgery token of a form or of the header <c>RequestVerificationToken</c> where there is a session or the
/// form is a public one. Runs after authentication. The event routes never come here.
/// </summary>
internal static class RequestGuard
{
    public static void UseRequestGuard(this IApplicationBuilder app) => app.Use(next => async context =>
    {
        if (await WhyRefusedAsync(context) is { } reason)
            await Refusals.WriteAsync(context, reason);
        else
            await next(context);
    });

    private static async ValueTask<string?> WhyRefusedAsync(HttpContext context)
    {
        var request = context.Request;
        if (HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method) || HttpMethods.IsOptions(request.Method)) return null;
        if (IsForeign(request)) return "The request comes from another site.";
        if (context.Items[AccessAuthentication.ScopeKey] is TokenScope.Read) return "The API token may only read.";
        if (Caller.Of(context.User)?.Proof is not CallerProof.Session && !IsPublicForm(context.GetEndpoint())) return null;
        return await HasFormTokenAsync(context) ? null : "The form is too old or not ours; load its page again.";
    }

    private static bool IsPublicForm(Endpoint? endpoint) =>
        endpoint?.Metadata.GetMetadata<IAllowAnonymous>() is not null
        && endpoint.Metadata.GetMetadata<IAntiforgeryMetadata>() is { RequiresValidation: true };

    private static async ValueTask<bool> HasFormTokenAsync(HttpContext context)
    {
        try
        {
            return await context.RequestServices.GetRequiredService<IAntiforgery>().IsRequestValidAsync(context);
        }
        catch (AntiforgeryValidationException)
        {
            // The form itself cannot be read.
            return false;
        }
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
