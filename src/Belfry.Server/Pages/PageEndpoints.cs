namespace Belfry.Server.Pages;

/// <summary>
/// The web pages. Each names a policy of <c>Security/Policies.cs</c>; forms carry an antiforgery token. <c>/login</c>, <c>/logout</c> and
/// <c>/setup/{token}</c> are in <c>Security/</c>.
/// </summary>
internal static class PageEndpoints
{
    public static IServiceCollection AddPages(this IServiceCollection services) => services;

    public static void MapPages(this WebApplication app) => _ = app;
}
