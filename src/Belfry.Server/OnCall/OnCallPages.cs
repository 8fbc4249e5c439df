using Belfry.Alerting.Catalog;
using Belfry.Server.Layout;
using Belfry.Server.Pages;
using Belfry.Server.Security;
using Microsoft.AspNetCore.Antiforgery;

namespace Belfry.Server.OnCall;

/// <summary><c>/oncall</c>.</summary>
internal static class OnCallPages
{
    public static void MapOnCallPage(this IEndpointRouteBuilder app) =>
        app.MapGet("/oncall", Get).RequireAuthorization(Policies.Observer).ExcludeFromDescription();

    private static IResult Get(HttpContext http, IAntiforgery antiforgery, TimeProvider time, CatalogReader catalog)
    {
        var context = PageContext.Of(http, time, antiforgery);
        return Render.Page<OnCallPage>(context, ("Model", OnCallModel.Of(catalog.Current, context.Now)));
    }
}
