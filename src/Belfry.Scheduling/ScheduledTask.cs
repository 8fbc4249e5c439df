using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Belfry.Scheduling;

/// <summary>Names one logical task. Its time is not part of it, so a task can be moved. Comparison is ordinal.</summary>
/// <param name="OrderingId">Tasks of one ordering id run one after another, in due order. Not empty, no comma.</param>
/// <param name="Kind">A stable string that chooses the handler, such as <c>incident.timer</c>. Never a CLR name.</param>
/// <param name="UniqueKey">Tells tasks of one ordering id and kind apart. Not empty, no comma.</param>
public readonly record struct ScheduledTaskId(string OrderingId, string Kind, string UniqueKey)
{
    public override string ToString() => $"{Kind}({OrderingId},{UniqueKey})";

    /// <summary>
    /// 64 bits of the SHA-256 of the three parts, the same everywhere and for ever: stores find rows by it, and compare the parts
    /// afterwards.
    /// </summary>
    public long Hash64()
    {
        // The parts hold no NUL, so it may part them.
        var text = $"{OrderingId}\0{Kind}\0{UniqueKey}";
        Span<byte> bytes = stackalloc byte[TaskLimits.OrderingIdBytesMax + TaskLimits.KindBytesMax + TaskLimits.UniqueKeyBytesMax + 2];
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes[..Encoding.UTF8.GetBytes(text, bytes)], digest);
        return BinaryPrimitives.ReadInt64LittleEndian(digest);
    }
}

/// <summary>Work to be done at a time.</summary>
public sealed record ScheduledTask
{
    public required ScheduledTaskId Id { get; init; }

    /// <summary>UTC, to the millisecond. In the past means at once.</summary>
    public required DateTimeOffset DueAt { get; init; }

    /// <summary>At most <see cref="PayloadBytesMax"/>.</summary>
    public ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>
    /// Orders the changes of one task: a schedule or cancel with a lower generation than the newest seen changes nothing.
    /// </summary>
    public long Generation { get; init; }

    public const int PayloadBytesMax = 65_536;
}

/// <summary>A task as its handler gets it.</summary>
/// <param name="Task">What is due.</param>
/// <param name="Attempt">From 1; durable over restarts.</param>
/// <param name="Epoch">The fencing epoch of the owner that runs it; hand it to stores that fence.</param>
public sealed record DueTask(ScheduledTask Task, int Attempt, long Epoch);

/// <summary>Runs tasks of one kind. May be called side by side for different ordering ids; never for the same one.</summary>
public interface ITaskHandler
{
    string Kind { get; }

    /// <summary>An exception counts as <see cref="TaskOutcome.Retry"/> with its message.</summary>
    ValueTask<TaskOutcome> RunAsync(DueTask due, CancellationToken cancel);
}

/// <summary>What became of one attempt.</summary>
public abstract record TaskOutcome
{
    private TaskOutcome()
    {
    }

    public sealed record Done : TaskOutcome;

    /// <summary>Again after <see cref="After"/>, or the kind's backoff when null; out of attempts it is a dead letter.</summary>
    public sealed record Retry(string Reason, TimeSpan? After = null) : TaskOutcome;

    /// <summary>Never again: a dead letter now.</summary>
    public sealed record Fail(string Reason) : TaskOutcome;

    public static TaskOutcome Success { get; } = new Done();
}
