using System.Globalization;
using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Incidents;
using Belfry.Server.Api;
using Belfry.Server.Layout;
using Belfry.Server.Pages;
using Belfry.Server.Security;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Mvc;

namespace Belfry.Server.Incidents;

/// <summary>What the buttons of the incident pages post. Each answers 303 to a page that shows the outcome.</summary>
internal static class IncidentActions
{
    private const string Channel = "website";
    private const int NoteMax = 65_536;

    public static void MapIncidentActions(this IEndpointRouteBuilder app)
    {
        app.MapPost("/incidents/bulk", BulkAsync).RequireAuthorization(Policies.Responder).ExcludeFromDescription();
        app.MapPost("/incidents/{id}/{action}", ActAsync).RequireAuthorization(Policies.Responder).ExcludeFromDescription();
    }

    private static async Task<IResult> ActAsync(
        string id, string action, [FromForm] IFormCollection form, HttpContext http, IAntiforgery antiforgery, TimeProvider time,
        IncidentDirectory incidents, CatalogReader catalog, CommandSender sender, CancellationToken cancel)
    {
        var context = PageContext.Of(http, time, antiforgery);
        if (await IncidentApi.FindAsync(id, incidents, cancel) is not { Incident: var incident })
            return Render.NotFound(context, "incident");
        IncidentCommand New(CommandKind kind) => sender.New(incident, kind, context.Caller?.UserId, Channel);
        var back = $"/incidents/{incident.Id}";
        var (command, fault) = action switch
        {
            "acknowledge" => (New(CommandKind.Acknowledge), null),
            "resolve" => (New(CommandKind.Resolve), null),
            "reopen" => (New(CommandKind.Reopen) with { Status = IncidentStatus.Triggered }, null),
            "escalate" => Escalate(form["level"], incident, New(CommandKind.Escalate)),
            "snooze" => Snooze(form["seconds"], New(CommandKind.Snooze)),
            "reassign" => Reassign(form["user"], catalog.Current, New(CommandKind.Reassign)),
            "note" => Note(form["text"], New(CommandKind.Note)),
            _ => ((IncidentCommand?)null, (string?)null),
        };
        if (fault is not null) return Render.Page<ProblemPage>(400, context, ("Problem", fault), ("Back", back));
        if (command is null) return Render.NotFound(context, "action");
        await sender.SendAsync([command], cancel);
        return new SeeOther(back);
    }

    private static async Task<IResult> BulkAsync(
        [FromForm] IFormCollection form, HttpContext http, IAntiforgery antiforgery, TimeProvider time,
        IncidentDirectory incidents, CommandSender sender, CancellationToken cancel)
    {
        var context = PageContext.Of(http, time, antiforgery);
        CommandKind? kind = (string?)form["action"] switch
        {
            "acknowledge" => CommandKind.Acknowledge,
            "resolve" => CommandKind.Resolve,
            _ => null,
        };
        var ids = form["id"];
        if (kind is null) return Render.NotFound(context, "action");
        if (ids.Count > IncidentApi.BulkMax)
            return Render.Page<ProblemPage>(
                400, context, ("Problem", $"{ids.Count} incidents are selected, at most {IncidentApi.BulkMax} are taken at once."),
                ("Back", "/"));
        List<IncidentCommand> commands = [];
        foreach (var id in ids)
            if (await IncidentApi.FindAsync(id ?? "", incidents, cancel) is { Incident: { Status: not IncidentStatus.Resolved } incident })
                commands.Add(sender.New(incident, kind.Value, context.Caller?.UserId, Channel));
        if (commands.Count > 0) await sender.SendAsync(commands, cancel);
        return new SeeOther("/");
    }

    private static (IncidentCommand?, string?) Escalate(string? level, Incident incident, IncidentCommand command)
    {
        if (string.IsNullOrEmpty(level)) return (command, null);
        var last = incident.Policy.Levels.Count;
        return int.TryParse(level, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= 1 && number <= last
            ? (command with { Level = number }, null)
            : (null, $"The policy has the levels 1 to {last}.");
    }

    private static (IncidentCommand?, string?) Snooze(string? seconds, IncidentCommand command) =>
        int.TryParse(seconds, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number is >= 1 and <= 604_800
            ? (command with { SnoozeSeconds = number }, null)
            : (null, "A snooze lasts from 1 second to 7 days.");

    private static (IncidentCommand?, string?) Reassign(string? user, CatalogSnapshot catalog, IncidentCommand command) =>
        Id.TryParse<UserId>(user, out var id) && catalog.User(id) is not null
            ? (command with { AssignTo = [id] }, null)
            : (null, "Choose whom to assign the incident to.");

    private static (IncidentCommand?, string?) Note(string? text, IncidentCommand command)
    {
        var trimmed = text?.Replace("\0", "", StringComparison.Ordinal).Trim() ?? "";
        return trimmed.Length is > 0 and <= NoteMax
            ? (command with { Text = trimmed }, null)
            : (null, $"A note has 1 to {NoteMax} characters.");
    }
}
