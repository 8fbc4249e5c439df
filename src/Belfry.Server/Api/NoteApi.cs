using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.Timeline;
using Belfry.Server.Incidents;
using Belfry.Server.Security;

namespace Belfry.Server.Api;

/// <summary><c>/incidents/{id}/notes</c>: what people wrote to an incident, oldest first, and writing one.</summary>
internal static class NoteApi
{
    private const int TextMax = 65_536;
    private const int EntriesMax = 1_000;

    public static void MapNotes(this RouteGroupBuilder api)
    {
        api.MapGet("/incidents/{id}/notes", ListAsync).RequireAuthorization(Policies.Observer);
        api.MapPost("/incidents/{id}/notes", CreateAsync).RequireAuthorization(Policies.Responder);
    }

    private static async Task<IResult> ListAsync(
        string id, IncidentDirectory incidents, TimelineReader timeline, CatalogReader catalog, CancellationToken cancel)
    {
        if (await IncidentApi.FindAsync(id, incidents, cancel) is not { } found) return ApiErrors.Missing($"incident {id}");
        var (entries, _) = await timeline.ListAsync(found.Incident.Id, 0, EntriesMax, cancel);
        var notes = entries.Where(entry => LogEntryShape.NoteText(entry.Entry) is not null);
        return Shape.One("notes", Shape.Array(notes, note => LogEntryShape.Note(note.Entry, catalog.Current)));
    }

    private static async Task<IResult> CreateAsync(
        string id, HttpContext http, IncidentDirectory incidents, CatalogReader catalog, CommandSender sender, CancellationToken cancel)
    {
        var (body, refusal) = await ApiBody.ReadAsync(http.Request, "note");
        if (refusal is not null) return refusal;
        var text = body.Text("content", required: true, max: TextMax);
        if (body.Refused is { } invalid) return invalid;
        if (await IncidentApi.FindAsync(id, incidents, cancel) is not { } found) return ApiErrors.Missing($"incident {id}");
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        var command = sender.New(found.Incident, CommandKind.Note, actor.UserId, "api") with { Text = text };
        var applied = IncidentApi.Applied(await sender.SendAsync([command], cancel));
        return Shape.One("note", LogEntryShape.NewNote(command, catalog.Current), applied ? 201 : 202);
    }
}
