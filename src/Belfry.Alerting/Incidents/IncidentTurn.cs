using Belfry.Alerting.Catalog;
using Belfry.Alerting.Events;
using Belfry.Alerting.Planning;
using Belfry.Alerting.Timeline;
using Belfry.Scheduling;

namespace Belfry.Alerting.Incidents;

/// <summary>A timer of an incident to set, or with no task to cancel.</summary>
internal sealed record TimerChange(ScheduledTaskId Id, long Generation, ScheduledTask? Task);

/// <summary>An assignment that begins or ends, for planning; null: planning may forget it, for its incident is resolved.</summary>
internal sealed record AssignmentChange(UserId UserId, IncidentId IncidentId, long Epoch, Assignment? Assignment);

/// <summary>One turn of the core: what it decides by, and what it has decided so far, in order.</summary>
internal sealed class IncidentTurn(DateTimeOffset now, CatalogSnapshot catalog, IEnumerable<EventId> known)
{
    private readonly HashSet<EventId> _seen = [.. known];
    private readonly Dictionary<IncidentId, int> _places = [];
    private readonly List<Incident> _changed = [];

    /// <summary>To the millisecond, as deadlines are stored.</summary>
    public DateTimeOffset Now { get; } = DateTimeOffset.FromUnixTimeMilliseconds(now.ToUnixTimeMilliseconds());
    public CatalogSnapshot Catalog { get; } = catalog;

    /// <summary>Each changed incident once, as it is after the turn, in the order of first change.</summary>
    public IReadOnlyList<Incident> Changed => _changed;
    public List<LogEntry> Entries { get; } = [];
    public List<AssignmentChange> Assignments { get; } = [];
    public List<TimerChange> Timers { get; } = [];
    public List<EventState> States { get; } = [];
    public List<AlertEvent> ChangeEvents { get; } = [];

    /// <summary>False for an id that this turn or an earlier one has taken.</summary>
    public bool IsNew(EventId id) => _seen.Add(id);

    public void Change(Incident incident)
    {
        if (_places.TryGetValue(incident.Id, out var place)) _changed[place] = incident;
        else
        {
            _places.Add(incident.Id, _changed.Count);
            _changed.Add(incident);
        }
    }
}
