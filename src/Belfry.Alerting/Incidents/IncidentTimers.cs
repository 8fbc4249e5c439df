using System.Text.Json;
using Belfry.Scheduling;

namespace Belfry.Alerting.Incidents;

/// <summary>The payload of an <c>incident.timer</c> task.</summary>
internal sealed record IncidentTimerPayload
{
    public int Version { get; init; } = 1;
    public required IncidentId IncidentId { get; init; }
    public required ServiceId ServiceId { get; init; }
    public required IncidentTimer Timer { get; init; }
    public required long Epoch { get; init; }
}

/// <summary>
/// How an incident's timers stand in the scheduler: one task per incident and timer, its generation the incident's epoch.
/// </summary>
internal static class IncidentTimers
{
    public static ScheduledTaskId TaskIdOf(IncidentId incident, IncidentTimer timer) =>
        new(incident.ToString(), IncidentTimerHandler.TimerKind, NameOf(timer));

    public static byte[] PayloadOf(Incident incident, IncidentTimer timer) => JsonSerializer.SerializeToUtf8Bytes(
        new IncidentTimerPayload { IncidentId = incident.Id, ServiceId = incident.ServiceId, Timer = timer, Epoch = incident.Epoch },
        IncidentJson.Default.IncidentTimerPayload);

    public static string NameOf(IncidentTimer timer) => timer switch
    {
        IncidentTimer.Escalate => "escalate",
        IncidentTimer.Unacknowledge => "unacknowledge",
        IncidentTimer.AutoResolve => "auto_resolve",
        IncidentTimer.Snooze => "snooze",
        _ => throw new ArgumentOutOfRangeException(nameof(timer), timer, "Unknown timer."),
    };
}
