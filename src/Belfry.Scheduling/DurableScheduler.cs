using Belfry.Log;

namespace Belfry.Scheduling;

/// <summary>
/// Schedules work that outlives this process. A call completes once the log holds the change durably; a worker that owns the task's
/// partition carries it out. Needs no store. Safe for use by several threads.
/// </summary>
/// <param name="log">The log, its topics declared.</param>
/// <param name="topic">The full name of the <c>scheduled-tasks</c> topic, prefix included.</param>
public sealed class DurableScheduler(IPartitionedLog log, string topic)
{
    /// <summary>Most tasks one call of <see cref="ScheduleManyAsync"/> takes.</summary>
    public const int TasksPerCallMax = 10_000;

    /// <summary>
    /// Runs <paramref name="task"/> at its time. The same id again replaces the task until it has ended; once it has ended only a
    /// higher generation starts it anew, so a repeat after an error is harmless.
    /// </summary>
    /// <exception cref="ArgumentException">A field breaks its limit.</exception>
    /// <exception cref="LogUnavailableException">Not acknowledged; repeat with the same task.</exception>
    public ValueTask ScheduleAsync(ScheduledTask task, CancellationToken cancel) =>
        log.AppendAsync([TaskRecords.Schedule(topic, task)], cancel);

    /// <summary>
    /// As <see cref="ScheduleAsync"/> for up to <see cref="TasksPerCallMax"/> tasks; on an error any subset may be scheduled.
    /// </summary>
    /// <exception cref="ArgumentException">There are too many tasks, or a field breaks its limit; nothing was sent.</exception>
    /// <exception cref="LogUnavailableException">Not acknowledged; repeat with the same tasks.</exception>
    public async ValueTask ScheduleManyAsync(IReadOnlyList<ScheduledTask> tasks, CancellationToken cancel)
    {
        if (tasks.Count > TasksPerCallMax)
            throw new ArgumentException($"{tasks.Count} tasks in one call, at most {TasksPerCallMax} are allowed; call several times.");
        if (tasks.Count == 0) return;
        var records = new OutgoingRecord[tasks.Count];
        for (var i = 0; i < records.Length; i++) records[i] = TaskRecords.Schedule(topic, tasks[i]);
        await log.AppendAsync(records, cancel);
    }

    /// <summary>
    /// Moves a task that has not ended to <paramref name="dueAt"/>, payload kept; attempts start anew with a higher generation.
    /// Changes nothing when the task is unknown, ended, or of a higher generation.
    /// </summary>
    /// <exception cref="LogUnavailableException">Not acknowledged; repeat.</exception>
    public ValueTask RescheduleAsync(ScheduledTaskId id, DateTimeOffset dueAt, long generation, CancellationToken cancel) =>
        log.AppendAsync([TaskRecords.Reschedule(topic, id, dueAt, generation)], cancel);

    /// <summary>
    /// Ends a task at this generation and all lower ones, those that arrive later included. An attempt that is running is not
    /// interrupted, but no other follows.
    /// </summary>
    /// <exception cref="LogUnavailableException">Not acknowledged; repeat.</exception>
    public ValueTask CancelAsync(ScheduledTaskId id, long generation, CancellationToken cancel) =>
        log.AppendAsync([TaskRecords.Cancel(topic, id, generation)], cancel);
}
