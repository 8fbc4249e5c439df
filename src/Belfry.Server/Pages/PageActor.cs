using Belfry.Alerting.Catalog;
using Belfry.Server.Security;

namespace Belfry.Server.Pages;

/// <summary>Who a form counts as: whoever is signed in.</summary>
internal static class PageActor
{
    public static Actor Of(HttpContext http)
    {
        var caller = Caller.Of(http.User);
        return new Actor(caller?.UserId, caller?.Name ?? "", http.Connection.RemoteIpAddress?.ToString());
    }
}
