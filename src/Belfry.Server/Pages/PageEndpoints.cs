using Belfry.Server.Events;
using Belfry.Server.Incidents;
using Belfry.Server.OnCall;
using Belfry.Server.People;
using Belfry.Server.Services;
using Microsoft.Extensions.FileProviders;

namespace Belfry.Server.Pages;

/// <summary>
/// The web pages: static server rendering, every form posts without script and carries an antiforgery token. Each route names a policy of
/// <c>Security/Policies.cs</c>. <c>/login</c>, <c>/logout</c> and <c>/setup/{token}</c> are in <c>Security/</c>.
/// </summary>
internal static class PageEndpoints
{
    public static IServiceCollection AddPages(this IServiceCollection services)
    {
        services.Configure<StaticFileOptions>(options =>
            options.FileProvider = new EmbeddedFileProvider(typeof(PageEndpoints).Assembly, "Belfry.Server.wwwroot"));
        services.AddRazorComponents();
        return services;
    }

    public static void MapPages(this WebApplication app)
    {
        app.MapIncidentPages();
        app.MapIncidentActions();
        app.MapLive();
        app.MapServicePages();
        app.MapEventPages();
        app.MapOnCallPage();
        app.MapPeoplePage();
        app.MapAcknowledgePage();
    }
}
