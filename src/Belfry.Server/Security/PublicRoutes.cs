namespace Belfry.Server.Security;

/// <summary>
/// The whole list of routes that need no sign-in, by route pattern. <see cref="Public"/> is the only way to open a route, and a test
/// compares this list with the endpoint table. Static files are served before routing and are public as well.
/// </summary>
internal static class PublicRoutes
{
    public static IReadOnlySet<string> Patterns { get; } = new HashSet<string>
    {
        "/v2/enqueue",
        "/v2/change/enqueue",
        "/health/live",
        "/health/ready",
        "/ack/{token}",
        "/setup/{token}",
        "/login",
    };

    /// <summary>Opens a route of the list.</summary>
    /// <exception cref="InvalidOperationException">At start: the route is not in <see cref="Patterns"/>.</exception>
    public static TBuilder Public<TBuilder>(this TBuilder builder) where TBuilder : IEndpointConventionBuilder
    {
        builder.Finally(endpoint =>
        {
            var pattern = "/" + ((RouteEndpointBuilder)endpoint).RoutePattern.RawText?.Trim('/');
            if (!Patterns.Contains(pattern))
                throw new InvalidOperationException(
                    $"Route '{pattern}' is opened but not listed in PublicRoutes; list it there or name a policy.");
        });
        return builder.AllowAnonymous();
    }
}
