using Belfry.Server.Security;

namespace Belfry.Server.Hosting;

/// <summary>
/// <c>/health/live</c>: the process answers; fails only where a restart helps, so never for a store or a hop. <c>/health/ready</c>:
/// every hop runs. Neither says why in public; <c>/health/details</c> does, to administrators.
/// </summary>
internal static class HealthEndpoints
{
    /// <summary>Nothing else is there, not even a way to the sign-in page.</summary>
    public static void UseHealthAlone(this IApplicationBuilder app) => app.Use(next => context =>
    {
        if (context.Request.Path.StartsWithSegments("/health", StringComparison.Ordinal)) return next(context);
        context.Response.StatusCode = StatusCodes.Status404NotFound;
        return Task.CompletedTask;
    });

    public static void MapHealth(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/health/live", () => Results.Text("live\n")).Public();
        routes.MapGet("/health/ready", (HopRunner hops) =>
            hops.AllRun
                ? Results.Text("ready\n")
                : Results.Text("not ready\n", statusCode: StatusCodes.Status503ServiceUnavailable)).Public();
        routes.MapGet("/health/details", (HopRunner hops) => Results.Json(new HealthDetails(hops.Statuses), HostJson.Default.HealthDetails))
            .RequireAuthorization(Policies.Administrator);
    }
}

internal sealed record HealthDetails(IReadOnlyList<HopStatus> Hops);
