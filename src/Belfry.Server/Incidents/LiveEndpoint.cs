using System.Globalization;
using System.Text.Json.Nodes;
using Belfry.Alerting.Incidents;
using Belfry.Server.Api;
using Belfry.Server.Security;

namespace Belfry.Server.Incidents;

/// <summary><c>/live/incidents?since=N</c>: a long poll that answers <c>{"version":M}</c> at the next change, or after 25 s.</summary>
internal static class LiveEndpoint
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(25);

    public static void MapLive(this IEndpointRouteBuilder app) =>
        app.MapGet("/live/incidents", WaitAsync).RequireAuthorization(Policies.Observer).ExcludeFromDescription();

    private static async Task<IResult> WaitAsync(HttpContext http, IncidentChanges changes, TimeProvider time, CancellationToken cancel)
    {
        var known = long.TryParse(http.Request.Query["since"], NumberStyles.None, CultureInfo.InvariantCulture, out var since);
        var version = known ? await changes.WaitAsync(since, Patience, time, cancel) : changes.Version;
        http.Response.Headers.CacheControl = "no-store";
        return new JsonNodeResult(200, new JsonObject { ["version"] = version });
    }
}
