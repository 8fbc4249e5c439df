using Belfry.Alerting.Incidents;

namespace Belfry.Server.Incidents;

/// <summary>What will happen to an incident by itself.</summary>
/// <param name="Type"><c>escalate</c>, <c>unacknowledge</c> or <c>resolve</c>.</param>
/// <param name="At">When, UTC.</param>
internal sealed record PendingAction(string Type, DateTimeOffset At)
{
    /// <summary>Soonest first; none for a resolved incident.</summary>
    public static IReadOnlyList<PendingAction> Of(Incident incident)
    {
        if (incident.Status == IncidentStatus.Resolved) return [];
        List<PendingAction> actions = [];
        if (incident.EscalateAt is { } escalate) actions.Add(new PendingAction("escalate", escalate));
        if ((incident.SnoozedUntil ?? incident.UnacknowledgeAt) is { } wake) actions.Add(new PendingAction("unacknowledge", wake));
        if (incident.AutoResolveAt is { } resolve) actions.Add(new PendingAction("resolve", resolve));
        return [.. actions.OrderBy(action => action.At).ThenBy(action => action.Type, StringComparer.Ordinal)];
    }
}
