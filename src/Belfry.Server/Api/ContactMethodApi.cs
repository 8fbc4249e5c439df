using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.People;
using Belfry.Server.Security;

namespace Belfry.Server.Api;

/// <summary><c>/users/{id}/contact_methods</c>: one's own, or anybody's as administrator. Addresses are shown to those two only.</summary>
internal static class ContactMethodApi
{
    public static void MapContactMethods(this RouteGroupBuilder api)
    {
        api.MapGet("/users/{id}/contact_methods", ListAsync).RequireAuthorization(Policies.Observer);
        api.MapPost("/users/{id}/contact_methods", CreateAsync).RequireAuthorization(Policies.Responder);
        api.MapGet("/users/{id}/contact_methods/{method}", GetAsync).RequireAuthorization(Policies.Observer);
        api.MapPut("/users/{id}/contact_methods/{method}", UpdateAsync).RequireAuthorization(Policies.Responder);
        api.MapDelete("/users/{id}/contact_methods/{method}", DeleteAsync).RequireAuthorization(Policies.Responder);
    }

    private static async Task<IResult> ListAsync(string id, HttpContext http, PeopleStore people, CancellationToken cancel)
    {
        var user = ApiEndpoints.IdOf<UserId>(id);
        if (!ApiActor.MayEdit(http, user)) return NotYours;
        return await people.ContactRulesOfAsync(user, cancel) is { } rules
            ? Shape.One("contact_methods", Shape.Array(rules.Methods, UserShape.OfMethod))
            : ApiErrors.Missing($"user {id}");
    }

    private static async Task<IResult> GetAsync(string id, string method, HttpContext http, PeopleStore people, CancellationToken cancel)
    {
        var user = ApiEndpoints.IdOf<UserId>(id);
        if (!ApiActor.MayEdit(http, user)) return NotYours;
        return await FindAsync(user, method, people, cancel) is { } found
            ? Shape.One("contact_method", UserShape.OfMethod(found))
            : ApiErrors.Missing($"contact method {method} of user {id}");
    }

    private static async Task<IResult> CreateAsync(
        string id, HttpContext http, PeopleStore people, CatalogReader catalog, TimeProvider time, CancellationToken cancel)
    {
        var user = ApiEndpoints.IdOf<UserId>(id);
        if (!ApiActor.MayEdit(http, user)) return NotYours;
        var (body, refusal) = await ApiBody.ReadAsync(http.Request, "contact_method");
        if (refusal is not null) return refusal;
        var draft = Read(body, null);
        if (body.Refused is { } invalid) return invalid;
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        var made = await people.AddContactMethodAsync(user, draft, actor, time.GetUtcNow(), cancel);
        return made is ChangeResult<NewContactMethod>.Done done
            ? Shape.One("contact_method", UserShape.OfNewMethod(done.Value), 201)
            : ApiErrors.Refused(made);
    }

    private static async Task<IResult> UpdateAsync(
        string id, string method, HttpContext http, PeopleStore people, CatalogReader catalog, TimeProvider time, CancellationToken cancel)
    {
        var user = ApiEndpoints.IdOf<UserId>(id);
        if (!ApiActor.MayEdit(http, user)) return NotYours;
        var (body, refusal) = await ApiBody.ReadAsync(http.Request, "contact_method");
        if (refusal is not null) return refusal;
        if (await FindAsync(user, method, people, cancel) is not { } before)
            return ApiErrors.Missing($"contact method {method} of user {id}");
        var draft = Read(body, before);
        if (body.Refused is { } invalid) return invalid;
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        var made = await people.UpdateContactMethodAsync(user, before.Id, draft, actor, time.GetUtcNow(), cancel);
        return made is ChangeResult<ContactMethod>.Done done
            ? Shape.One("contact_method", UserShape.OfMethod(done.Value))
            : ApiErrors.Refused(made);
    }

    private static async Task<IResult> DeleteAsync(
        string id, string method, HttpContext http, PeopleStore people, CatalogReader catalog, TimeProvider time, CancellationToken cancel)
    {
        var user = ApiEndpoints.IdOf<UserId>(id);
        if (!ApiActor.MayEdit(http, user)) return NotYours;
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        var made = await people.DeleteContactMethodAsync(user, ApiEndpoints.IdOf<ContactMethodId>(method), actor, time.GetUtcNow(), cancel);
        return made is ChangeResult<ContactMethod>.Done ? Results.NoContent() : ApiErrors.Refused(made);
    }

    internal static IResult NotYours => ApiErrors.Forbidden("Only the user and administrators may see and edit this.");

    private static async Task<ContactMethod?> FindAsync(UserId user, string method, PeopleStore people, CancellationToken cancel)
    {
        var id = ApiEndpoints.IdOf<ContactMethodId>(method);
        return (await people.ContactRulesOfAsync(user, cancel))?.Methods.FirstOrDefault(candidate => candidate.Id == id);
    }

    private static ContactMethodDraft Read(ApiBody body, ContactMethod? before)
    {
        var type = body.Choice(
            "type", required: before is null,
            ("email_contact_method", ContactMethodType.Email), ("webhook_contact_method", ContactMethodType.Webhook));
        if (before is not null && type is { } wanted && wanted != before.Type) body.AddFault("type", "cannot be changed");
        return new ContactMethodDraft(
            type ?? before?.Type ?? ContactMethodType.Email,
            body.Text("label", max: 100) ?? before?.Label ?? "Default",
            body.Text("address", required: before is null, max: 2_048) ?? before?.Address ?? "",
            body.Flag("enabled") ?? before?.Enabled ?? true);
    }
}
