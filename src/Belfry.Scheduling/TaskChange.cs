namespace Belfry.Scheduling;

/// <summary>What one record of the topic asks for.</summary>
public abstract record TaskChange
{
    private TaskChange()
    {
    }

    public abstract ScheduledTaskId Id { get; }
    public abstract long Generation { get; }

    /// <summary>Makes the task, or replaces one of the same or a lower generation that has not ended.</summary>
    public sealed record Schedule(ScheduledTask Task) : TaskChange
    {
        public override ScheduledTaskId Id => Task.Id;
        public override long Generation => Task.Generation;
    }

    /// <summary>Gives a task that has not ended another time and keeps its payload. Changes nothing when there is no such task.</summary>
    public sealed record Reschedule(ScheduledTaskId TaskId, DateTimeOffset DueAt, long NewGeneration) : TaskChange
    {
        public override ScheduledTaskId Id => TaskId;
        public override long Generation => NewGeneration;
    }

    /// <summary>Ends the task at this generation and all lower ones, those that arrive later included.</summary>
    public sealed record Cancel(ScheduledTaskId TaskId, long UpToGeneration) : TaskChange
    {
        public override ScheduledTaskId Id => TaskId;
        public override long Generation => UpToGeneration;
    }
}

/// <summary>What became of the bytes of a record: a change, or the reason why they are none.</summary>
public abstract record TaskDecoding
{
    private TaskDecoding()
    {
    }

    public sealed record Decoded(TaskChange Change) : TaskDecoding;

    /// <summary>The record can never be read: it belongs to the dead letters with its bytes.</summary>
    public sealed record Undecodable(string Reason) : TaskDecoding;
}
