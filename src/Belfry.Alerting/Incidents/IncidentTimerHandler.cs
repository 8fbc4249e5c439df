using System.Globalization;
using System.Text.Json;
using Belfry.Log;
using Belfry.Scheduling;

namespace Belfry.Alerting.Incidents;

/// <summary>Runs <c>incident.timer</c> tasks: tells the owner that a timer fired, and decides nothing.</summary>
public sealed class IncidentTimerHandler(IPartitionedLog log, Topics topics) : ITaskHandler
{
    public const string TimerKind = "incident.timer";

    public string Kind => TimerKind;

    public async ValueTask<TaskOutcome> RunAsync(DueTask due, CancellationToken cancel)
    {
        IncidentTimerPayload payload;
        try
        {
            payload = JsonSerializer.Deserialize(due.Task.Payload.Span, IncidentJson.Default.IncidentTimerPayload)
                ?? throw new JsonException("JSON null.");
        }
        catch (JsonException fault)
        {
            return new TaskOutcome.Fail($"The payload of {due.Task.Id} is not readable: {fault.Message}");
        }

        try
        {
            await log.AppendAsync([IncidentCommandWriter.RecordOf(CommandOf(payload, due.Task.DueAt), topics)], cancel);
            return TaskOutcome.Success;
        }
        catch (LogUnavailableException fault)
        {
            return new TaskOutcome.Retry(fault.Message);
        }
    }

    /// <summary>
    /// Its time is the one the timer was set for, not that of running: the owner compares it with the deadline that stands.
    /// </summary>
    private static IncidentCommand CommandOf(IncidentTimerPayload payload, DateTimeOffset dueAt) => new()
    {
        Id = Id.Derive<EventId>(
            payload.IncidentId.Value,
            "timer:" + IncidentTimers.NameOf(payload.Timer) + ":" + payload.Epoch.ToString(CultureInfo.InvariantCulture)),
        ServiceId = payload.ServiceId,
        IncidentId = payload.IncidentId,
        Kind = CommandKind.TimerFired,
        At = dueAt,
        Channel = payload.Timer == IncidentTimer.AutoResolve ? "auto" : "timeout",
        Epoch = payload.Epoch,
        Timer = payload.Timer,
    };
}
