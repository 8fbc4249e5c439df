using Belfry.Alerting;
using Belfry.Server.Incidents;
using Belfry.Server.Security;

namespace Belfry.Server.Api;

/// <summary>
/// The REST API under <c>/api</c> in PagerDuty's shapes: API tokens only, each route names a policy of <c>Security/Policies.cs</c>.
/// reference: events and REST contract, section 10.
/// </summary>
internal static class ApiEndpoints
{
    public const string Root = "/api";

    public static IServiceCollection AddApi(this IServiceCollection services)
    {
        services.AddOpenApi("v1");
        services.AddSingleton<IStartupFilter, ApiErrorsFilter>();
        services.AddSingleton<ApiRateLimiter>();
        services.AddSingleton<CommandSender>();
        return services;
    }

    public static void MapApi(this WebApplication app)
    {
        app.MapOpenApi("/openapi/{documentName}.json").RequireAuthorization(Policies.Observer);
        var api = app.MapGroup(Root).AddEndpointFilter<ApiRateLimitFilter>().AddEndpointFilter<PathIdFilter>().DisableAntiforgery();
        api.MapIncidents();
        api.MapNotes();
        api.MapLogEntries();
        api.MapUsers();
        api.MapContactMethods();
        api.MapNotificationRules();
        api.MapSchedules();
        api.MapOverrides();
        api.MapPolicies();
        api.MapServices();
        api.MapIntegrations();
        api.MapOnCalls();
        api.MapEventLookup();
        api.MapFailedEvents();
        api.MapUnknown();
    }

    /// <summary>Binds an id of a path; a text that is none counts as unknown, so it gives 404 like any other unknown id.</summary>
    public static T IdOf<T>(string text) where T : struct, IId<T> => Id.TryParse<T>(text, out var id) ? id : T.Of(Guid.Empty);
}
