namespace Belfry.Scheduling;

/// <summary>What a core wants done. At most one of the store's is under way at a time; its answer goes back into the core.</summary>
internal abstract record SchedulerEffect
{
    private SchedulerEffect()
    {
    }

    /// <summary>Run the handler of <see cref="DueTask.Task"/>'s kind, and answer with <c>Ran</c>.</summary>
    public sealed record Run(long Sequence, DueTask Due) : SchedulerEffect;

    /// <summary>Answer with <c>Persisted</c>.</summary>
    public sealed record Persist(TaskBatch Batch) : SchedulerEffect;

    /// <summary>Answer with <c>Found</c>.</summary>
    public sealed record Find(IReadOnlyList<ScheduledTaskId> Ids) : SchedulerEffect;

    /// <summary>Answer with <c>WindowLoaded</c>.</summary>
    public sealed record LoadWindow(TaskKey After, long UntilMs, int Max, long BytesMax) : SchedulerEffect;

    /// <summary>Answer with <c>LaneLoaded</c>.</summary>
    public sealed record LoadLane(string OrderingId, TaskKey After, TaskKey UpTo, int Max, long BytesMax) : SchedulerEffect;
}
