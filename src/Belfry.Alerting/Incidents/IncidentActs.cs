using Belfry.Alerting.Catalog;
using Belfry.Alerting.Escalation;
using Belfry.Alerting.Timeline;

namespace Belfry.Alerting.Incidents;

/// <summary>The changes of status and assignment. Each sets what shall hold and says so in the timeline.</summary>
internal static class IncidentActs
{
    public static void Acknowledge(IncidentEdit edit)
    {
        var incident = edit.Incident;
        edit.Incident = incident with
        {
            Status = IncidentStatus.Acknowledged,
            AcknowledgedBy = edit.Cause.AgentId,
            Responders = OwnedBy(edit),
            NobodyOnCall = incident.NobodyOnCall && edit.Cause.AgentId is null,
            EscalateAt = null,
            UnacknowledgeAt = After(edit.Now, ServiceOf(edit)?.AcknowledgementTimeoutSeconds),
        };
        edit.EndedBy = "acknowledged";
        edit.Acknowledged();
        edit.Log(LogEntryTypes.Acknowledge, "Acknowledged.", new EntryDetails { Until = edit.Incident.UnacknowledgeAt });
    }

    public static void Snooze(IncidentEdit edit, int seconds)
    {
        if (edit.Incident.Status == IncidentStatus.Triggered) Acknowledge(edit);
        var until = edit.Now.AddSeconds(seconds);
        edit.Incident = edit.Incident with { SnoozedUntil = until, UnacknowledgeAt = null };
        edit.EndedBy = "snoozed";
        edit.Log(LogEntryTypes.Snooze, $"Snoozed until {until:yyyy-MM-dd HH:mm:ss} UTC.", new EntryDetails { Until = until });
    }

    public static void Resolve(IncidentEdit edit, string summary, string? note = null)
    {
        edit.Incident = Quiet(edit.Incident) with
        {
            Status = IncidentStatus.Resolved,
            ResolvedAt = edit.Now,
            AutoResolveAt = null,
            Responders = [],
            Alerts = [.. edit.Incident.Alerts.Select(alert => alert.Open ? alert with { Open = false, ResolvedAt = edit.Now } : alert)],
        };
        edit.EndedBy = "resolved";
        edit.Log(LogEntryTypes.Resolve, summary, note is null ? null : new EntryDetails { Text = note });
    }

    /// <summary>Triggered again, from level 1; the one who had acknowledged is notified too.</summary>
    public static void Unacknowledge(IncidentEdit edit, string summary)
    {
        var owner = edit.Incident.AcknowledgedBy;
        edit.Log(LogEntryTypes.Unacknowledge, summary);
        edit.Incident = Quiet(edit.Incident) with { Status = IncidentStatus.Triggered, AcknowledgedBy = null };
        EnterLevel(edit, 1, loop: 1, owner);
    }

    public static void Reopen(IncidentEdit edit, IncidentStatus status)
    {
        edit.Log(LogEntryTypes.Reopen, "Reopened.");
        edit.Incident = edit.Incident with
        {
            Status = IncidentStatus.Triggered,
            ResolvedAt = null,
            AcknowledgedBy = null,
            AutoResolveAt = After(edit.Now, ServiceOf(edit)?.AutoResolveSeconds),
        };
        if (status == IncidentStatus.Acknowledged) Acknowledge(edit);
        else EnterLevel(edit, 1, loop: 1);
    }

    /// <summary>To these users and nobody else: the path ends here.</summary>
    public static void Reassign(IncidentEdit edit, IReadOnlyList<UserId> users)
    {
        edit.Incident = Quiet(edit.Incident) with
        {
            Status = IncidentStatus.Triggered,
            AcknowledgedBy = null,
            NobodyOnCall = false,
            Level = 0,
            Responders = [.. users.Select(user => new Responder(user, edit.Now, Fallback: false))],
        };
        edit.EndedBy = "reassigned";
        edit.Log(LogEntryTypes.Assign, $"Assigned to {Names(edit, users)}.", new EntryDetails { Users = users });
    }

    /// <summary>The delay of a level passed: the next level, else the next run of the path, else its end.</summary>
    public static void NextLevel(IncidentEdit edit)
    {
        var incident = edit.Incident;
        edit.EndedBy = "escalated";
        if (HasNext(edit)) EnterLevel(edit, incident.Level + 1, incident.Loop);
        else if (EscalationPath.Repeats(incident.Policy, incident.Loop)) RepeatPath(edit);
        else
        {
            edit.Incident = incident with { Level = 0, EscalateAt = null };
            edit.Log(LogEntryTypes.ExhaustEscalationPath, "Nobody acknowledged, and the escalation path has come to its end.");
        }
    }

    /// <summary>False, and nothing done, at the end of the path.</summary>
    public static bool EscalateByHand(IncidentEdit edit, int? level)
    {
        var incident = edit.Incident;
        edit.EndedBy = "escalated";
        if (level is null && !HasNext(edit) && !EscalationPath.Repeats(incident.Policy, incident.Loop)) return false;
        edit.Incident = Quiet(incident) with { Status = IncidentStatus.Triggered, AcknowledgedBy = null };
        if (level is { } chosen) EnterLevel(edit, chosen, incident.Loop);
        else NextLevel(edit);
        return true;
    }

    /// <summary>Goes to the first level from <paramref name="level"/> on that has somebody; with nobody there, to the fallback.</summary>
    public static void EnterLevel(IncidentEdit edit, int level, int loop, UserId? also = null)
    {
        var incident = edit.Incident;
        var step = EscalationPath.From(incident.Policy, level, loop, edit.Turn.Catalog, edit.Now);
        var users = step?.Users ?? edit.Turn.Catalog.Fallback;
        var responders = users.Select(user => new Responder(user, edit.Now, Fallback: step is null)).ToList();
        if (also is { } owner && edit.Turn.Catalog.User(owner) is not null && !users.Contains(owner))
            responders.Add(new Responder(owner, edit.Now, Fallback: false));
        var delay = step?.Delay
            ?? (incident.Policy.Levels is [var first, ..] ? TimeSpan.FromMinutes(first.DelayMinutes) : null as TimeSpan?);
        edit.Incident = incident with
        {
            Level = step?.Level ?? 0,
            Loop = loop,
            NobodyOnCall = step is null,
            Responders = responders,
            EscalateAt = incident.Urgency == Urgency.High ? edit.Now + delay : null,
        };
        var details = new EntryDetails { Level = edit.Incident.Level, Loop = loop, Users = [.. responders.Select(r => r.UserId)] };
        if (step is null) edit.Log(LogEntryTypes.NobodyOnCall, $"Nobody is on call; the fallback is told: {Names(edit, users)}.", details);
        else if (edit.EndedBy == "escalated")
            edit.Log(LogEntryTypes.Escalate, $"Escalated to level {step.Level}: {Names(edit, users)}.", details);
        else edit.Log(LogEntryTypes.Assign, $"Assigned to level {step.Level}: {Names(edit, users)}.", details);
    }

    /// <summary>A worse alert joined: those who have it are told again by their high-urgency rules, and escalation begins.</summary>
    public static void RaiseUrgency(IncidentEdit edit)
    {
        var incident = edit.Incident with { Urgency = Urgency.High };
        edit.Log(LogEntryTypes.UrgencyChange, "Urgency rose to high.", new EntryDetails { Urgency = Urgency.High });
        edit.Incident = incident;
        if (incident.Status != IncidentStatus.Triggered) return;
        var first = incident.NobodyOnCall ? 1 : incident.Level;
        edit.Incident = incident with
        {
            Responders = [.. incident.Responders.Select(responder => responder with { AssignedAt = edit.Now, Epoch = 0 })],
            EscalateAt = first >= 1 && first <= incident.Policy.Levels.Count
                ? edit.Now.AddMinutes(incident.Policy.Levels[first - 1].DelayMinutes)
                : null,
        };
    }

    internal static DateTimeOffset? After(DateTimeOffset now, int? seconds) => seconds is > 0 ? now.AddSeconds(seconds.Value) : null;

    private static void RepeatPath(IncidentEdit edit)
    {
        var loop = edit.Incident.Loop + 1;
        edit.Log(LogEntryTypes.RepeatEscalationPath, $"The escalation path begins again, run {loop}.", new EntryDetails { Loop = loop });
        EnterLevel(edit, 1, loop);
    }

    private static bool HasNext(IncidentEdit edit) =>
        EscalationPath.From(edit.Incident.Policy, edit.Incident.Level + 1, edit.Incident.Loop, edit.Turn.Catalog, edit.Now) is not null;

    private static Incident Quiet(Incident incident) => incident with { EscalateAt = null, UnacknowledgeAt = null, SnoozedUntil = null };

    private static IReadOnlyList<Responder> OwnedBy(IncidentEdit edit) => edit.Cause.AgentId is { } owner
        ? [new Responder(owner, edit.Now, Fallback: false)]
        : edit.Incident.Responders;

    private static Service? ServiceOf(IncidentEdit edit) => edit.Turn.Catalog.Service(edit.Incident.ServiceId);

    private static string Names(IncidentEdit edit, IEnumerable<UserId> users)
    {
        var names = string.Join(", ", users.Select(user => edit.Turn.Catalog.User(user)?.Name ?? user.ToString()));
        return names.Length == 0 ? "nobody" : names;
    }
}
