using System.Globalization;
using Belfry.Alerting.Timeline;

namespace Belfry.Alerting.Incidents;

/// <summary>What a command needs, and what it does to its incident.</summary>
internal static class IncidentCommands
{
    public const int NoteCharactersMax = 65_536;
    public const int SnoozeSecondsMax = 604_800;
    public const int AssigneesMax = 100;

    /// <summary>Null when the command has what its kind needs; else what is wrong, with limit and value.</summary>
    public static string? Fault(IncidentCommand command) => command.Kind switch
    {
        CommandKind.Snooze when command.SnoozeSeconds is not (>= 1 and <= SnoozeSecondsMax) =>
            $"A snooze takes 1 to {SnoozeSecondsMax} seconds, " +
            $"not {command.SnoozeSeconds?.ToString(CultureInfo.InvariantCulture) ?? "none"}.",
        CommandKind.Reassign when command.AssignTo is not { Count: >= 1 and <= AssigneesMax } =>
            $"A reassignment names 1 to {AssigneesMax} users, not {command.AssignTo?.Count ?? 0}.",
        CommandKind.Note when string.IsNullOrWhiteSpace(command.Text) => "A note has a text.",
        CommandKind.Note or CommandKind.Resolve when command.Text is { Length: > NoteCharactersMax } =>
            $"A note has at most {NoteCharactersMax} characters, not {command.Text.Length}.",
        CommandKind.Escalate when command.Level is < 1 => $"Levels count from 1, so there is no level {command.Level}.",
        CommandKind.Reopen when command.Status == IncidentStatus.Resolved => "An incident is reopened as triggered or acknowledged.",
        CommandKind.TimerFired when command.Timer is null || command.Epoch is null => "A fired timer names the timer and its epoch.",
        _ when !Enum.IsDefined(command.Kind) => $"There is no command kind {command.Kind}.",
        _ => null,
    };

    /// <summary>Does what the table says. Null when it took effect; else why it changed nothing.</summary>
    public static string? Apply(IncidentCommand command, IncidentEdit edit)
    {
        var incident = edit.Incident;
        if (Fault(command) is { } fault) return fault;
        if (HasActed(command, incident)) return "the link has acted already.";
        if (command.Timer is { } timer && command.Kind == CommandKind.TimerFired && !Due(incident, timer, command.At))
            return "the timer is stale.";
        switch (IncidentTransitions.Of(incident.Status, IncidentTransitions.InputOf(command)))
        {
            case IncidentAct.Nothing: return $"the incident is {NameOf(incident.Status)} already.";
            case IncidentAct.Refuse: return $"the incident is {NameOf(incident.Status)}.";
            case IncidentAct.Stale: return "the timer is stale.";
            case IncidentAct.Acknowledge: IncidentActs.Acknowledge(edit); return null;
            case IncidentAct.Resolve: IncidentActs.Resolve(edit, ResolvedBy(command), command.Text); return null;
            case IncidentAct.EscalateByHand: return EscalateByHand(command, edit);
            case IncidentAct.Reassign: return Reassign(command, edit);
            case IncidentAct.Snooze: IncidentActs.Snooze(edit, command.SnoozeSeconds!.Value); return null;
            case IncidentAct.Note: return Note(command, edit);
            case IncidentAct.Reopen: IncidentActs.Reopen(edit, command.Status ?? IncidentStatus.Triggered); return null;
            case IncidentAct.NextLevel: IncidentActs.NextLevel(edit); return null;
            case IncidentAct.Unacknowledge: IncidentActs.Unacknowledge(edit, UnacknowledgedBy(command)); return null;
            default: throw new ArgumentOutOfRangeException(nameof(command), command.Kind, "The table names an act without a case.");
        }
    }

    public static string NameOf(IncidentStatus status) => status switch
    {
        IncidentStatus.Triggered => "triggered",
        IncidentStatus.Acknowledged => "acknowledged",
        IncidentStatus.Resolved => "resolved",
        _ => throw new ArgumentOutOfRangeException(nameof(status), status, "Unknown incident status."),
    };

    /// <summary>
    /// A timer counts when the deadline it was set for still stands: a deadline moved or taken away since is later than, or absent at,
    /// the time it fired for. Compared with the timer's own time, so that clocks of two machines never decide.
    /// </summary>
    private static bool Due(Incident incident, IncidentTimer timer, DateTimeOffset firedFor) =>
        IncidentEdit.Deadline(incident, timer) is { } deadline && firedFor >= deadline;

    private static bool HasActed(IncidentCommand command, Incident incident) => command.Kind switch
    {
        CommandKind.Acknowledge => command.Epoch < incident.AcknowledgedEpoch,
        CommandKind.Escalate => command.Epoch < incident.Epoch,
        _ => false,
    };

    private static string? EscalateByHand(IncidentCommand command, IncidentEdit edit)
    {
        var incident = edit.Incident;
        if (incident.Urgency == Urgency.Low) return "an incident of low urgency never escalates; reassign it instead.";
        if (command.Level > incident.Policy.Levels.Count)
            return $"the policy has {incident.Policy.Levels.Count} levels, not {command.Level}.";
        return IncidentActs.EscalateByHand(edit, command.Level) ? null : "the escalation path has come to its end.";
    }

    private static string? Reassign(IncidentCommand command, IncidentEdit edit)
    {
        var users = command.AssignTo!.Distinct().Where(user => edit.Turn.Catalog.User(user) is not null).ToList();
        if (users.Count == 0) return "none of the users exists.";
        IncidentActs.Reassign(edit, users);
        return null;
    }

    private static string? Note(IncidentCommand command, IncidentEdit edit)
    {
        edit.Incident = edit.Incident with { UpdatedAt = edit.Now };
        edit.Log(LogEntryTypes.Annotate, "Note added.", new EntryDetails { Text = command.Text });
        return null;
    }

    private static string ResolvedBy(IncidentCommand command) =>
        command.Kind == CommandKind.TimerFired ? "Resolved automatically, having been open so long." : "Resolved.";

    private static string UnacknowledgedBy(IncidentCommand command) =>
        command.Timer == IncidentTimer.Snooze ? "The snooze has ended." : "The acknowledgement has timed out.";
}
