using Belfry.Log;
using Belfry.Scheduling;

namespace Belfry.Alerting.Incidents;

/// <summary>Runs <c>incident.timer</c> tasks: tells the owner that a timer fired, and decides nothing.</summary>
public sealed class IncidentTimerHandler(IPartitionedLog log, Topics topics) : ITaskHandler
{
    public const string TimerKind = "incident.timer";

    public string Kind => TimerKind;

    public ValueTask<TaskOutcome> RunAsync(DueTask due, CancellationToken cancel) => throw new NotSupportedException($"{log}{topics}");
}
