using Belfry.Alerting.Catalog;
using Belfry.Alerting.Escalation;
using Belfry.Alerting.Events;
using Belfry.Alerting.Timeline;

namespace Belfry.Alerting.Incidents;

/// <summary>
/// Decides what events and commands do to the incidents of one partition. Holds the open incidents; those resolved earlier that a
/// command names are handed in by the shell (<see cref="Admit"/>) and leave with the turn. Awaits nothing, reads no clock, makes no id.
/// </summary>
internal sealed class IncidentCore
{
    private readonly Dictionary<IncidentId, Incident> _incidents = [];
    private readonly Dictionary<(IntegrationId, string), IncidentId> _openAlerts = [];
    private readonly List<IncidentId> _leaving = [];

    public int Held => _incidents.Count;

    /// <summary>The id of the incident that a trigger opens, if it opens one.</summary>
    public static IncidentId OpenedBy(EventId trigger) => Id.Derive<IncidentId>(trigger.Value, "incident");

    public Incident? Find(IncidentId id) => _incidents.GetValueOrDefault(id);

    /// <summary>Takes an incident of the store into memory.</summary>
    public void Admit(Incident incident)
    {
        _incidents[incident.Id] = incident;
        Index(incident);
        if (incident.Status == IncidentStatus.Resolved) _leaving.Add(incident.Id);
    }

    /// <summary>Lets go of what is resolved.</summary>
    public void End()
    {
        foreach (var id in _leaving)
            if (_incidents.TryGetValue(id, out var incident) && incident.Status == IncidentStatus.Resolved) _incidents.Remove(id);
        _leaving.Clear();
    }

    public void Take(AlertEvent alertEvent, IncidentTurn turn)
    {
        if (!turn.IsNew(alertEvent.Id)) return;
        switch (alertEvent.Action)
        {
            case EventAction.Trigger: Trigger(alertEvent, turn); break;
            case EventAction.Acknowledge: OnOpenAlert(alertEvent, turn, AcknowledgeByEvent); break;
            case EventAction.Resolve: OnOpenAlert(alertEvent, turn, ResolveAlert); break;
            case EventAction.Change:
                turn.ChangeEvents.Add(alertEvent);
                Processed(turn, alertEvent, null, null);
                break;
            default: throw new ArgumentOutOfRangeException(nameof(alertEvent), alertEvent.Action, "Unknown event action.");
        }
    }

    public void Take(IncidentCommand command, IncidentTurn turn)
    {
        if (!turn.IsNew(command.Id)) return;
        if (Find(command.IncidentId) is not { } incident || incident.ServiceId != command.ServiceId)
        {
            State(turn, command, EventProgress.Failed, $"Service {command.ServiceId} has no incident {command.IncidentId}.");
            return;
        }

        var edit = new IncidentEdit(incident, incident, new IncidentCause(command.Id, command.ActorId, command.Channel), turn);
        var whyNot = IncidentCommands.Apply(command, edit);
        if (whyNot is not null && command.Kind != CommandKind.TimerFired)
            edit.Log(LogEntryTypes.Ignored, $"Changed nothing: {whyNot}", new EntryDetails { Reason = whyNot });
        Keep(edit.Finish());
        State(turn, command, EventProgress.Processed, whyNot);
    }

    private void Trigger(AlertEvent alertEvent, IncidentTurn turn)
    {
        if (_openAlerts.TryGetValue((alertEvent.IntegrationId, alertEvent.DedupKey), out var id))
            TriggerAgain(_incidents[id], alertEvent, turn);
        else Open(alertEvent, turn);
    }

    private void Open(AlertEvent alertEvent, IncidentTurn turn)
    {
        var service = turn.Catalog.Service(alertEvent.ServiceId);
        var policy = service is null ? null : turn.Catalog.Policy(service.PolicyId);
        var incident = new Incident
        {
            Id = OpenedBy(alertEvent.Id),
            ServiceId = alertEvent.ServiceId,
            Title = alertEvent.Summary,
            Status = IncidentStatus.Triggered,
            Urgency = UrgencyRules.Of(service?.Urgency ?? UrgencyRule.AlwaysHigh, alertEvent.Severity),
            CreatedAt = turn.Now,
            UpdatedAt = turn.Now,
            Policy = policy ?? new EscalationPolicy(service?.PolicyId ?? default, "(no policy)", 0, []),
            Epoch = 1,
            AutoResolveAt = IncidentActs.After(turn.Now, service?.AutoResolveSeconds),
            Alerts =
            [
                new Alert
                {
                    Id = Id.Derive<AlertId>(alertEvent.Id.Value, "alert"),
                    IntegrationId = alertEvent.IntegrationId,
                    DedupKey = alertEvent.DedupKey,
                    Open = true,
                    Severity = alertEvent.Severity ?? Severity.Error,
                    CreatedAt = turn.Now,
                    Newest = alertEvent,
                },
            ],
        };
        var edit = new IncidentEdit(null, incident, CauseOf(alertEvent), turn);
        edit.Log(LogEntryTypes.Trigger, $"Triggered: {alertEvent.Summary}", TriggerDetails(alertEvent));
        IncidentActs.EnterLevel(edit, 1, loop: 1);
        Keep(edit.Finish());
        Processed(turn, alertEvent, incident.Id, null);
    }

    private void TriggerAgain(Incident incident, AlertEvent alertEvent, IncidentTurn turn)
    {
        var edit = new IncidentEdit(incident, incident, CauseOf(alertEvent), turn);
        edit.Incident = incident with
        {
            Alerts = Replaced(incident, alertEvent, alert => alert with
            {
                Triggers = alert.Triggers + 1, Severity = alertEvent.Severity ?? Severity.Error, Newest = alertEvent,
            }),
        };
        edit.Log(LogEntryTypes.Trigger, $"Triggered again: {alertEvent.Summary}", TriggerDetails(alertEvent));
        var rule = turn.Catalog.Service(incident.ServiceId)?.Urgency;
        if (incident.Urgency == Urgency.Low && rule is { } given && UrgencyRules.Of(given, alertEvent.Severity) == Urgency.High)
            IncidentActs.RaiseUrgency(edit);
        Keep(edit.Finish());
        Processed(turn, alertEvent, incident.Id, null);
    }

    private void OnOpenAlert(AlertEvent alertEvent, IncidentTurn turn, Func<IncidentEdit, AlertEvent, string?> act)
    {
        if (!_openAlerts.TryGetValue((alertEvent.IntegrationId, alertEvent.DedupKey), out var id))
        {
            Processed(turn, alertEvent, null, "No open alert has this dedup key and routing key.");
            return;
        }

        var edit = new IncidentEdit(_incidents[id], _incidents[id], CauseOf(alertEvent), turn);
        var whyNot = act(edit, alertEvent);
        Keep(edit.Finish());
        Processed(turn, alertEvent, id, whyNot);
    }

    private static string? AcknowledgeByEvent(IncidentEdit edit, AlertEvent alertEvent)
    {
        if (IncidentTransitions.Of(edit.Incident.Status, IncidentInput.Acknowledge) != IncidentAct.Acknowledge)
            return $"The incident is {IncidentCommands.NameOf(edit.Incident.Status)} already.";
        IncidentActs.Acknowledge(edit);
        return null;
    }

    private static string? ResolveAlert(IncidentEdit edit, AlertEvent alertEvent)
    {
        edit.Incident = edit.Incident with
        {
            Alerts = Replaced(edit.Incident, alertEvent, alert => alert with { Open = false, ResolvedAt = edit.Now }),
        };
        if (edit.Incident.Alerts.Any(alert => alert.Open))
            edit.Log(LogEntryTypes.Annotate, "An alert resolved; others are open.", new EntryDetails { DedupKey = alertEvent.DedupKey });
        else
            IncidentActs.Resolve(edit, "Resolved by its source.");
        return null;
    }

    private static IReadOnlyList<Alert> Replaced(Incident incident, AlertEvent alertEvent, Func<Alert, Alert> with) =>
    [
        .. incident.Alerts.Select(alert =>
            alert.Open && alert.IntegrationId == alertEvent.IntegrationId && alert.DedupKey == alertEvent.DedupKey ? with(alert) : alert),
    ];

    private void Keep(Incident incident)
    {
        _incidents[incident.Id] = incident;
        Index(incident);
        if (incident.Status == IncidentStatus.Resolved) _leaving.Add(incident.Id);
    }

    private void Index(Incident incident)
    {
        foreach (var alert in incident.Alerts)
        {
            var scope = (alert.IntegrationId, alert.DedupKey);
            if (alert.Open) _openAlerts[scope] = incident.Id;
            else if (_openAlerts.TryGetValue(scope, out var holder) && holder == incident.Id) _openAlerts.Remove(scope);
        }
    }

    private static IncidentCause CauseOf(AlertEvent alertEvent) => new(alertEvent.Id, null, "api");

    private static EntryDetails TriggerDetails(AlertEvent alertEvent) => new()
    {
        Severity = alertEvent.Severity, DedupKey = alertEvent.DedupKey, Source = alertEvent.Source,
    };

    private static void Processed(IncidentTurn turn, AlertEvent alertEvent, IncidentId? incident, string? reason) => turn.States.Add(
        new EventState(alertEvent.Id, alertEvent.IntegrationId, alertEvent.DedupKey, EventProgress.Processed, reason, incident, turn.Now));

    private static void State(IncidentTurn turn, IncidentCommand command, EventProgress progress, string? reason) => turn.States.Add(
        new EventState(command.Id, null, "", progress, reason, command.IncidentId, turn.Now));
}
