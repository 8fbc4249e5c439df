using Belfry.Server.Security;

namespace Belfry.Server.Hosting;

/// <summary>
/// <c>/health/live</c>: fails only where another process helps, so never for a store, a broker or a provider. <c>/health/ready</c>: send
/// requests here (<see cref="Readiness"/>). Neither says why in public; <c>/health/details</c> does, to administrators, and
/// <c>/health/consumers</c>, to them and to whoever holds the metrics token.
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
        routes.MapGet("/health/live", (Readiness readiness) => Answer(readiness.IsLive, "live")).Public();
        routes.MapGet("/health/ready", async (Readiness readiness) => Answer(await readiness.IsReadyAsync(), "ready")).Public();
        routes.MapGet("/health/details", (HopRunner hops) => Results.Json(new HealthDetails(hops.Statuses), HostJson.Default.HealthDetails))
            .RequireAuthorization(Policies.Administrator);
        routes.MapGet("/health/consumers", (ServerShape shape) =>
            Results.Json(ConsumerDetails.Of(shape), HostJson.Default.ConsumerDetails)).RequireAuthorization(Policies.Metrics);
    }

    private static IResult Answer(bool holds, string what) => holds
        ? Results.Text($"{what}\n")
        : Results.Text($"not {what}\n", statusCode: StatusCodes.Status503ServiceUnavailable);
}

internal sealed record HealthDetails(IReadOnlyList<HopStatus> Hops);
