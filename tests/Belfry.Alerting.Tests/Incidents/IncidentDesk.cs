using Belfry.Alerting.Catalog;
using Belfry.Alerting.Events;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.OnCall;
using Belfry.Alerting.People;
using Belfry.Alerting.Planning;

namespace Belfry.Alerting.Tests.Incidents;

/// <summary>
/// A core with a clock and a catalog: one service, ann at level 1 (30 min), bob at level 2 (10 min), one loop more; eve administers.
/// </summary>
internal sealed class IncidentDesk
{
    public static readonly UserId Ann = new(Named(1)), Bob = new(Named(2)), Cat = new(Named(3)), Eve = new(Named(9));
    public static readonly ServiceId ServiceId = new(Named(20));
    public static readonly IntegrationId Inlet = new(Named(30)), OtherInlet = new(Named(31));
    private static readonly PolicyId PolicyId = new(Named(40));

    private int _ids;

    public IncidentCore Core { get; } = new();
    public DateTimeOffset Now { get; set; } = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    public CatalogSnapshot Catalog { get; set; } = CatalogOf();
    public IncidentTurn Last { get; private set; } = null!;
    public List<IncidentTurn> Turns { get; } = [];

    public static Guid Named(int n) => new(n, 0, 0, [0, 0, 0, 0, 0, 0, 0, 1]);

    public static CatalogSnapshot CatalogOf(
        UrgencyRule urgency = UrgencyRule.BySeverity, int loops = 1, int? ackTimeout = 1800, int? autoResolve = 14400,
        IReadOnlyList<EscalationLevel>? levels = null, IReadOnlyList<OnCallSchedule>? schedules = null,
        string policyName = "primary") => new(
            1, [new Service(ServiceId, "api", "", PolicyId, urgency, ackTimeout, autoResolve)], [],
            [new EscalationPolicy(PolicyId, policyName, loops, levels ?? [Level(30, Ann), Level(10, Bob)])], schedules ?? [],
            [Person(Ann, "ann"), Person(Bob, "bob"), Person(Cat, "cat"), Person(Eve, "eve", UserRole.Administrator)]);

    public static EscalationLevel Level(int minutes, params UserId[] users) =>
        new(minutes, [.. users.Select(user => new EscalationTarget(TargetKind.User, user.Value))]);

    public static User Person(UserId id, string name, UserRole role = UserRole.Responder) =>
        new(id, name, $"{name}@example.org", "UTC", role);

    public AlertEvent Event(EventAction action, string key = "disk", Severity? severity = Severity.Critical, IntegrationId? inlet = null) =>
        new()
    {
        Id = new EventId(Named(1000 + ++_ids)), ServiceId = ServiceId, IntegrationId = inlet ?? Inlet, Action = action,
        DedupKey = action == EventAction.Change ? "" : key, ReceivedAt = Now, Summary = "disk full", Source = "db1", Severity = severity,
    };

    public Incident? Send(AlertEvent alertEvent)
    {
        Turn(turn => Core.Take(alertEvent, turn));
        return Last.Changed.FirstOrDefault();
    }

    public Incident Trigger(string key = "disk", Severity? severity = Severity.Critical) =>
        Send(Event(EventAction.Trigger, key, severity)) ?? throw new InvalidOperationException("The trigger changed nothing.");

    public IncidentCommand Command(IncidentId id, CommandKind kind, UserId? actor = null) => new()
    {
        Id = new EventId(Named(1000 + ++_ids)), ServiceId = ServiceId, IncidentId = id, Kind = kind, At = Now, ActorId = actor,
        Channel = "website",
    };

    /// <summary>The incident after the command, changed or not.</summary>
    public Incident Send(IncidentCommand command)
    {
        Turn(turn => Core.Take(command, turn));
        return Turns.SelectMany(turn => turn.Changed).Last(incident => incident.Id == command.IncidentId);
    }

    public Incident Do(Incident incident, CommandKind kind, UserId? actor = null) => Send(Command(incident.Id, kind, actor));

    public Incident Fire(Incident incident, IncidentTimer timer, DateTimeOffset? firedFor = null)
    {
        var at = firedFor ?? IncidentEdit.Deadline(incident, timer) ?? throw new InvalidOperationException($"No {timer} timer is set.");
        if (at > Now) Now = at;
        return Send(
            Command(incident.Id, CommandKind.TimerFired) with { Timer = timer, Epoch = incident.Epoch, At = at, Channel = "timeout" });
    }

    public IReadOnlyList<Assignment> Active => [.. Assignments.Where(assignment => assignment.Active)];
    public IReadOnlyList<Assignment> Ended => [.. Assignments.Where(assignment => !assignment.Active)];
    public IReadOnlyList<UserId> Forgotten => [.. Last.Assignments.Where(change => change.Assignment is null).Select(c => c.UserId)];
    public IReadOnlyList<string> Said => [.. Last.Entries.Select(entry => entry.Type)];
    public IReadOnlyList<string> Set => [.. Last.Timers.Where(timer => timer.Task is not null).Select(timer => timer.Id.UniqueKey)];
    public IReadOnlyList<string> Cancelled => [.. Last.Timers.Where(timer => timer.Task is null).Select(timer => timer.Id.UniqueKey)];

    private IEnumerable<Assignment> Assignments => Last.Assignments.Select(change => change.Assignment).OfType<Assignment>();

    private void Turn(Action<IncidentTurn> work)
    {
        Last = new IncidentTurn(Now, Catalog, Turns.SelectMany(turn => turn.States).Select(state => state.Id));
        work(Last);
        Turns.Add(Last);
        Core.End();
    }

    /// <summary>Brings a resolved incident back into memory, as the shell does for a command that names it.</summary>
    public Incident Admitted(Incident incident)
    {
        Core.Admit(incident);
        return incident;
    }
}
