using Belfry.Alerting.Catalog;
using Belfry.Alerting.People;
using Belfry.Server.Layout;
using Belfry.Server.Pages;
using Belfry.Server.Security;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Mvc;

namespace Belfry.Server.People;

/// <summary><c>/people</c>: everybody, how the caller is reached, and a form to add somebody.</summary>
internal static class PeoplePages
{
    public static void MapPeoplePage(this IEndpointRouteBuilder app)
    {
        app.MapGet("/people", GetAsync).RequireAuthorization(Policies.Observer).ExcludeFromDescription();
        app.MapPost("/people", CreateAsync).RequireAuthorization(Policies.Administrator).ExcludeFromDescription();
    }

    private static async Task<IResult> GetAsync(
        HttpContext http, IAntiforgery antiforgery, TimeProvider time, CatalogReader catalog, PeopleStore people, CancellationToken cancel)
    {
        var context = PageContext.Of(http, time, antiforgery);
        var mine = context.Caller is { } caller ? await people.ContactRulesOfAsync(caller.UserId, cancel) : null;
        return Render.Page<PeoplePage>(context, ("Catalog", catalog.Current), ("Mine", mine));
    }

    private static async Task<IResult> CreateAsync(
        [FromForm] IFormCollection form, HttpContext http, IAntiforgery antiforgery, TimeProvider time, PeopleStore people,
        CancellationToken cancel)
    {
        var context = PageContext.Of(http, time, antiforgery);
        var role = (string?)form["role"] switch
        {
            "admin" => UserRole.Administrator,
            "manager" => UserRole.Manager,
            "observer" => UserRole.Observer,
            _ => UserRole.Responder,
        };
        var draft = new UserDraft(Text(form["name"]), Text(form["email"]), Text(form["time_zone"]), role);
        var made = await people.CreateUserAsync(draft, PageActor.Of(http), context.Now, cancel);
        return made is ChangeResult<User>.Done
            ? new SeeOther("/people")
            : Render.Page<ProblemPage>(400, context, ("Problem", made.Explanation), ("Back", "/people"));
    }

    private static string Text(string? text) => text?.Replace("\0", "", StringComparison.Ordinal).Trim() ?? "";
}
