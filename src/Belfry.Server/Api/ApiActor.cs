using Belfry.Alerting.Catalog;
using Belfry.Alerting.People;
using Belfry.Server.Security;

namespace Belfry.Server.Api;

/// <summary>
/// Who a write counts as: the token's user, or whom the <c>From</c> header names. To name somebody else takes a manager, so that
/// nobody can put a deed in another's name; the token's rights hold in either case.
/// </summary>
internal static class ApiActor
{
    public static (Actor Actor, IResult? Refusal) Of(HttpContext http, CatalogSnapshot catalog)
    {
        var caller = Caller.Of(http.User);
        if (caller is null) return (new Actor(null, ""), ApiErrors.Forbidden("The request has no caller."));
        var address = http.Connection.RemoteIpAddress?.ToString();
        var own = new Actor(caller.UserId, caller.Name, address);
        string? from = http.Request.Headers.From;
        if (string.IsNullOrWhiteSpace(from)) return (own, null);
        var named = catalog.Users.FirstOrDefault(user => string.Equals(user.Email, from.Trim(), StringComparison.OrdinalIgnoreCase));
        if (named is null) return (own, ApiErrors.Invalid("The From header names no user's email address."));
        if (named.Id != caller.UserId && caller.Role < UserRole.Manager)
            return (own, ApiErrors.Forbidden("Only managers and administrators may name another user in the From header."));
        return (new Actor(named.Id, named.Name, address), null);
    }

    /// <summary>Whether the caller may edit this user's own things: one's own, or anybody's as administrator.</summary>
    public static bool MayEdit(HttpContext http, Belfry.Alerting.UserId user) =>
        Caller.Of(http.User) is { } caller && (caller.UserId == user || caller.Role >= UserRole.Administrator);
}
