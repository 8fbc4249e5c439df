using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Incidents;
using Belfry.Server.Incidents;

namespace Belfry.Server.Api;

/// <summary>
/// What a PUT asks of one incident: a status, a level or assignees; of several, assignees come first and the status last.
/// </summary>
internal sealed record IncidentUpdate(
    IncidentStatus? Status, int? Level, IReadOnlyList<UserId>? AssignTo, string? Resolution)
{
    private const int AssigneesMax = 100;

    /// <summary>Adds a fault for what is unknown, and for a change of what cannot be changed.</summary>
    public static IncidentUpdate Read(ApiBody body, CatalogSnapshot catalog)
    {
        var status = body.Choice(
            "status", required: false,
            ("triggered", IncidentStatus.Triggered), ("acknowledged", IncidentStatus.Acknowledged), ("resolved", IncidentStatus.Resolved));
        var level = body.Number("escalation_level", min: 1, max: 50);
        var resolution = body.Text("resolution", max: 65_536);
        List<UserId>? assignees = null;
        if (body.Objects("assignments", max: AssigneesMax) is { } assignments)
        {
            assignees = [];
            foreach (var assignment in assignments)
            {
                if (assignment.Reference<UserId>("assignee", required: true) is not { } user) continue;
                if (catalog.User(user) is null) assignment.AddFault("assignee", "names no user");
                else if (!assignees.Contains(user)) assignees.Add(user);
            }

            if (assignments.Count == 0) body.AddFault("assignments", "is empty; name at least one user");
        }

        foreach (var fixedField in (string[])["title", "urgency", "priority", "service", "escalation_policy"])
            if (body.Has(fixedField)) body.AddFault(fixedField, "cannot be changed");
        if (level is not null && assignees is not null) body.AddFault("escalation_level", "and assignments exclude each other");
        if (status is null && level is null && assignees is null && body.Faults.Count == 0)
            body.AddFault("status", "escalation_level or assignments is missing: nothing is to be changed");
        return new IncidentUpdate(status, level, assignees, resolution);
    }

    /// <summary>One command for each wish, in the order to apply them.</summary>
    public IReadOnlyList<IncidentCommand> CommandsFor(Incident incident, CommandSender sender, UserId? actor, string channel)
    {
        List<IncidentCommand> commands = [];
        IncidentCommand New(CommandKind kind) => sender.New(incident, kind, actor, channel);
        if (AssignTo is not null) commands.Add(New(CommandKind.Reassign) with { AssignTo = AssignTo });
        if (Level is not null) commands.Add(New(CommandKind.Escalate) with { Level = Level });
        if (Status == IncidentStatus.Resolved) commands.Add(New(CommandKind.Resolve) with { Text = Resolution });
        else if (Status == IncidentStatus.Acknowledged && incident.Status != IncidentStatus.Resolved)
            commands.Add(New(CommandKind.Acknowledge));
        else if (Status is { } reopened && incident.Status == IncidentStatus.Resolved)
            commands.Add(New(CommandKind.Reopen) with { Status = reopened });
        return commands;
    }
}
