using Belfry.Server.Security;
using Microsoft.AspNetCore.Antiforgery;

namespace Belfry.Server.Layout;

/// <summary>What every page needs to know of its request; pages themselves look nothing up.</summary>
/// <param name="Caller">Who looks at it; null on public pages.</param>
/// <param name="Path">Path and query, to come back to after a form.</param>
/// <param name="Now">One instant for the whole page, UTC.</param>
/// <param name="TokenField">Name of the hidden antiforgery field.</param>
/// <param name="Token">Its value.</param>
/// <param name="LiveVersion">Version of the incidents shown; null where the page does not follow them.</param>
public sealed record PageContext(
    Caller? Caller, string Path, DateTimeOffset Now, string TokenField, string Token, long? LiveVersion = null)
{
    public static PageContext Of(HttpContext http, TimeProvider time, IAntiforgery antiforgery)
    {
        var tokens = antiforgery.GetAndStoreTokens(http);
        http.Response.Headers.CacheControl = "no-store";
        return new PageContext(
            Caller.Of(http.User), http.Request.Path + http.Request.QueryString, time.GetUtcNow(), tokens.FormFieldName,
            tokens.RequestToken ?? "");
    }

    /// <summary>May act on incidents.</summary>
    public bool MayAct => Caller is { Role: >= Alerting.People.UserRole.Responder };

    /// <summary>May edit services, schedules and policies.</summary>
    public bool MayManage => Caller is { Role: >= Alerting.People.UserRole.Manager };

    /// <summary>May see and replay what failed, and edit people.</summary>
    public bool MayAdminister => Caller is { Role: >= Alerting.People.UserRole.Administrator };
}
