namespace Belfry.Server.Api;

/// <summary>The REST API under <c>/api</c>: API tokens only, each route names a policy of <c>Security/Policies.cs</c>.</summary>
internal static class ApiEndpoints
{
    public static IServiceCollection AddApi(this IServiceCollection services) => services;

    public static void MapApi(this WebApplication app) => _ = app;
}
