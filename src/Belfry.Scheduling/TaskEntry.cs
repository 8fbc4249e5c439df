using Belfry.Log;

namespace Belfry.Scheduling;

/// <summary>Something in memory that the store must get. Durable once the version that was changed last has been flushed.</summary>
internal abstract class Undurable
{
    public int Version { get; private set; }
    public int FlushingVersion { get; private set; }
    public int DurableVersion { get; private set; }
    public bool InFlushQueue { get; set; }

    /// <summary>Records whose outcome this carries and that are not durable yet, and their bytes.</summary>
    public int Records { get; set; }
    public int RecordBytes { get; set; }

    public bool IsDurable => DurableVersion == Version;

    public void Touch() => Version++;
    public void BeginFlush() => FlushingVersion = Version;
    public void EndFlush() => DurableVersion = FlushingVersion;
    protected void StartDurable() => Version = FlushingVersion = DurableVersion = 1;
}

/// <summary>A record nobody can read, on its way to the dead letters.</summary>
internal sealed class UndecodableEntry(UndecodableTask record) : Undurable
{
    public UndecodableTask Record { get; } = record;
}

/// <summary>A task in memory: resident in its lane, running, or only waiting for its flush.</summary>
internal sealed class TaskEntry : Undurable
{
    /// <summary>What an entry costs beside its payload, for the bound on bytes.</summary>
    private const int OverheadBytes = 300;

    public required long Sequence { get; init; }
    public required ScheduledTaskId Id { get; init; }
    public required long DueMs { get; set; }
    public required long Generation { get; set; }
    public TaskState State { get; set; }
    public int Attempts { get; set; }
    public long? NextAttemptMs { get; set; }

    /// <summary>The same on the monotonic clock, which is the one waits go by.</summary>
    public long RetryAtMonoMs { get; set; }
    public long Offset { get; set; }
    public ReadOnlyMemory<byte> Payload { get; set; }
    public string? Reason { get; set; }
    public long? EndedMs { get; set; }

    public bool InLane { get; set; }
    public bool IsRunning { get; set; }

    /// <summary>A change came while it ran: the outcome of that attempt decides nothing.</summary>
    public bool IsSuperseded { get; set; }

    /// <summary>Neither in memory's order nor in the store yet: no load may pass it by.</summary>
    public bool IsStray { get; set; }

    public TaskKey Key => new(DueMs, Sequence);
    public bool IsOpen => State <= TaskState.Parked;
    public int Bytes => OverheadBytes + Payload.Length;

    public static TaskEntry Of(StoredTask row, SchedulerInstant now, long retryWaitMaxMs)
    {
        var entry = new TaskEntry
        {
            Sequence = row.Sequence, Id = row.Id, DueMs = row.DueMs, Generation = row.Generation, State = row.State,
            Attempts = row.Attempts,
            NextAttemptMs = row.NextAttemptMs, Offset = row.Offset, Payload = row.Payload, Reason = row.Reason, EndedMs = row.EndedMs,
            RetryAtMonoMs = row.NextAttemptMs is { } next ? now.MonoMs + Math.Clamp(next - now.WallMs, 0, retryWaitMaxMs) : 0,
        };
        entry.StartDurable();
        return entry;
    }

    public StoredTask ToRow() => new()
    {
        Sequence = Sequence, Id = Id, DueMs = DueMs, Generation = Generation, State = State, Attempts = Attempts,
        NextAttemptMs = NextAttemptMs, Offset = Offset, Payload = Payload, Reason = Reason, EndedMs = EndedMs, IsNew = DurableVersion == 0,
    };

    public ScheduledTask ToTask() => new()
    {
        Id = Id, DueAt = DateTimeOffset.FromUnixTimeMilliseconds(DueMs), Generation = Generation, Payload = Payload,
    };

    public void End(TaskState state, string? reason, long nowMs)
    {
        State = state;
        EndedMs = nowMs;
        NextAttemptMs = null;
        Reason = reason is { Length: > StoredTask.ReasonCharsMax } ? reason[..StoredTask.ReasonCharsMax] : reason;
        if (state != TaskState.Dead) Payload = default;
    }
}

/// <summary>
/// One moment on both clocks, in milliseconds: the wall clock says what is due, the monotonic one how long something waited.
/// </summary>
internal readonly record struct SchedulerInstant(long WallMs, long MonoMs)
{
    public static SchedulerInstant Of(TimeProvider time) =>
        new(time.GetUtcNow().ToUnixTimeMilliseconds(), (long)(time.GetTimestamp() * 1000.0 / time.TimestampFrequency));
}

/// <summary>A record on its way from the log into the core.</summary>
internal readonly record struct PendingRecord(LogRecord Record, TaskChange? Change, string? Fault);
