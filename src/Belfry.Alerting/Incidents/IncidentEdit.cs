using System.Globalization;
using System.Text.Json;
using Belfry.Alerting.Planning;
using Belfry.Alerting.Timeline;
using Belfry.Scheduling;

namespace Belfry.Alerting.Incidents;

/// <summary>Who or what makes a change: its id labels all ids that follow from it.</summary>
internal sealed record IncidentCause(EventId Id, UserId? AgentId, string Channel);

/// <summary>What a log entry tells besides its sentence; absent where it says nothing.</summary>
internal sealed record EntryDetails
{
    public int? Level { get; init; }
    public int? Loop { get; init; }
    public IReadOnlyList<UserId>? Users { get; init; }
    public DateTimeOffset? Until { get; init; }
    public string? Reason { get; init; }
    public string? Text { get; init; }
    public Urgency? Urgency { get; init; }
    public Events.Severity? Severity { get; init; }
    public string? DedupKey { get; init; }
    public string? Source { get; init; }
}

/// <summary>
/// One change of one incident in the making. The acts only set what shall hold; <see cref="Finish"/> compares before and after, and so
/// epoch, assignments and timers can never be forgotten or sent twice.
/// </summary>
internal sealed class IncidentEdit(Incident? before, Incident after, IncidentCause cause, IncidentTurn turn)
{
    private int _entries;
    private bool _acknowledged;

    public Incident Incident { get; set; } = after;
    public IncidentTurn Turn { get; } = turn;
    public IncidentCause Cause { get; } = cause;
    public DateTimeOffset Now => Turn.Now;

    /// <summary>Why assignments that end here end.</summary>
    public string EndedBy { get; set; } = "reassigned";

    /// <summary>This change is an acknowledgement: links up to the new epoch have acted.</summary>
    public void Acknowledged() => _acknowledged = true;

    public void Log(string type, string summary, EntryDetails? details = null)
    {
        var label = "entry:" + (_entries++).ToString(CultureInfo.InvariantCulture);
        Turn.Entries.Add(new LogEntry
        {
            Id = Id.Derive<EventId>(Cause.Id.Value, label),
            IncidentId = Incident.Id,
            ServiceId = Incident.ServiceId,
            Type = type,
            At = Now,
            AgentId = Cause.AgentId,
            Channel = Cause.Channel,
            Summary = summary,
            Details = details is null ? null : JsonSerializer.SerializeToElement(details, IncidentJson.Default.EntryDetails),
        });
    }

    /// <summary>Completes the change: epoch, stamps, assignments, timers. Returns the incident as it is now.</summary>
    public Incident Finish()
    {
        if (ReferenceEquals(Incident, before)) return Incident;
        var epoch = EpochAfter();
        Incident = Incident with
        {
            Epoch = epoch,
            AcknowledgedEpoch = _acknowledged ? epoch : Incident.AcknowledgedEpoch,
            UpdatedAt = Now > Incident.UpdatedAt ? Now : Incident.UpdatedAt,
            Responders = [.. Incident.Responders.Select(responder => responder.Epoch == 0 ? responder with { Epoch = epoch } : responder)],
        };
        AssignmentChanges(epoch);
        TimerChanges(epoch);
        Turn.Change(Incident);
        return Incident;
    }

    private long EpochAfter()
    {
        if (before is null) return 1;
        var same = before.Status == Incident.Status && before.Level == Incident.Level && before.Loop == Incident.Loop
            && ReferenceEquals(before.Responders, Incident.Responders) && !_acknowledged
            && Enum.GetValues<IncidentTimer>().All(timer => Deadline(before, timer) == Deadline(Incident, timer));
        return same ? before.Epoch : before.Epoch + 1;
    }

    private void AssignmentChanges(long epoch)
    {
        var former = before is { Status: IncidentStatus.Triggered } ? before.Responders : [];
        var present = Incident.Status == IncidentStatus.Triggered ? Incident.Responders : [];
        foreach (var responder in former)
            if (!present.Any(other => other.UserId == responder.UserId)) Change(AssignmentOf(responder, epoch, EndedBy));
        if (epoch == before?.Epoch) return;
        foreach (var responder in present)
            if (responder.Epoch == epoch) Change(AssignmentOf(responder, epoch, null));
        ToldChanges(former, present, epoch);
    }

    // At the end of an incident and not of each assignment: until then a late repeat of an older assignment must be known as such.
    private void ToldChanges(IReadOnlyList<Responder> former, IReadOnlyList<Responder> present, long epoch)
    {
        var told = Incident.Told.Concat(former.Concat(present).Select(responder => responder.UserId)).Distinct().ToList();
        if (Incident.Status == IncidentStatus.Resolved)
        {
            Turn.Assignments.AddRange(told.Select(user => new AssignmentChange(user, Incident.Id, epoch, null)));
            told = [];
        }

        if (told.Count != Incident.Told.Count) Incident = Incident with { Told = told };
    }

    private void Change(Assignment assignment) =>
        Turn.Assignments.Add(new AssignmentChange(assignment.UserId, assignment.IncidentId, assignment.Epoch, assignment));

    private Assignment AssignmentOf(Responder responder, long epoch, string? endedBy) => new()
    {
        UserId = responder.UserId,
        IncidentId = Incident.Id,
        ServiceId = Incident.ServiceId,
        Epoch = epoch,
        Active = endedBy is null,
        Urgency = Incident.Urgency,
        Level = Incident.Level,
        AssignedAt = responder.AssignedAt,
        EndedBy = endedBy,
        Title = Incident.Title,
        ServiceName = Turn.Catalog.Service(Incident.ServiceId)?.Name ?? "(deleted service)",
    };

    private void TimerChanges(long epoch)
    {
        foreach (var timer in Enum.GetValues<IncidentTimer>())
        {
            var due = Deadline(Incident, timer);
            if (due == (before is null ? null : Deadline(before, timer))) continue;
            var id = IncidentTimers.TaskIdOf(Incident.Id, timer);
            Turn.Timers.Add(new TimerChange(id, epoch, due is null ? null : new ScheduledTask
            {
                Id = id,
                DueAt = due.Value,
                Generation = epoch,
                Payload = IncidentTimers.PayloadOf(Incident, timer),
            }));
        }
    }

    internal static DateTimeOffset? Deadline(Incident incident, IncidentTimer timer) => timer switch
    {
        IncidentTimer.Escalate => incident.EscalateAt,
        IncidentTimer.Unacknowledge => incident.UnacknowledgeAt,
        IncidentTimer.AutoResolve => incident.AutoResolveAt,
        IncidentTimer.Snooze => incident.SnoozedUntil,
        _ => throw new ArgumentOutOfRangeException(nameof(timer), timer, "Unknown timer."),
    };
}
