using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Events;
using Belfry.Alerting.Incidents;
using Belfry.Server.Layout;
using Belfry.Server.Pages;
using Belfry.Server.Security;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Mvc;

namespace Belfry.Server.Services;

/// <summary>The services and the page of one, with what its senders need.</summary>
internal static class ServicePages
{
    public static void MapServicePages(this IEndpointRouteBuilder app)
    {
        app.MapGet("/services", List).RequireAuthorization(Policies.Observer).ExcludeFromDescription();
        app.MapGet("/services/{id}", GetAsync).RequireAuthorization(Policies.Observer).ExcludeFromDescription();
        app.MapPost("/services", CreateAsync).RequireAuthorization(Policies.Manager).ExcludeFromDescription();
        app.MapPost("/services/{id}/integrations", CreateIntegrationAsync).RequireAuthorization(Policies.Manager).ExcludeFromDescription();
    }

    private static IResult List(HttpContext http, IAntiforgery antiforgery, TimeProvider time, CatalogReader catalog) =>
        Render.Page<ServiceListPage>(PageContext.Of(http, time, antiforgery), ("Catalog", catalog.Current));

    private static async Task<IResult> GetAsync(
        string id, HttpContext http, IAntiforgery antiforgery, TimeProvider time, CatalogReader catalog, EventLookup events,
        CancellationToken cancel)
    {
        var context = PageContext.Of(http, time, antiforgery);
        var snapshot = catalog.Current;
        if (!Id.TryParse<ServiceId>(id, out var known) || snapshot.Service(known) is not { } service)
            return Render.NotFound(context, "service");
        var integrations = new List<(Integration, IReadOnlyList<RefusedEvent>)>();
        foreach (var integration in snapshot.Integrations
            .Where(integration => integration.ServiceId == service.Id)
            .OrderBy(integration => integration.Name, StringComparer.Ordinal).ThenBy(integration => integration.Id.Value))
            integrations.Add((integration, await events.RefusedAsync(integration.Id, cancel)));
        var model = new ServiceModel(
            service, snapshot.Policy(service.PolicyId), integrations, $"{http.Request.Scheme}://{http.Request.Host}");
        return Render.Page<ServicePage>(context, ("Model", model));
    }

    private static async Task<IResult> CreateAsync(
        [FromForm] IFormCollection form, HttpContext http, IAntiforgery antiforgery, TimeProvider time, CatalogStore store,
        CancellationToken cancel)
    {
        var context = PageContext.Of(http, time, antiforgery);
        _ = Id.TryParse<PolicyId>(form["policy"], out var policy);
        var draft = new ServiceDraft(Text(form["name"]), Text(form["description"]), policy);
        var made = await store.CreateServiceAsync(draft, PageActor.Of(http), context.Now, cancel);
        return made is ChangeResult<Service>.Done done
            ? new SeeOther($"/services/{done.Value.Id}")
            : Render.Page<ProblemPage>(400, context, ("Problem", made.Explanation), ("Back", "/services"));
    }

    private static async Task<IResult> CreateIntegrationAsync(
        string id, [FromForm] IFormCollection form, HttpContext http, IAntiforgery antiforgery, TimeProvider time, CatalogStore store,
        CancellationToken cancel)
    {
        var context = PageContext.Of(http, time, antiforgery);
        if (!Id.TryParse<ServiceId>(id, out var service)) return Render.NotFound(context, "service");
        var made = await store.CreateIntegrationAsync(
            service, new IntegrationDraft(Text(form["name"])), PageActor.Of(http), context.Now, cancel);
        return made is ChangeResult<Integration>.Done
            ? new SeeOther($"/services/{service}")
            : Render.Page<ProblemPage>(400, context, ("Problem", made.Explanation), ("Back", $"/services/{service}"));
    }

    private static string Text(string? text) => text?.Replace("\0", "", StringComparison.Ordinal).Trim() ?? "";
}
