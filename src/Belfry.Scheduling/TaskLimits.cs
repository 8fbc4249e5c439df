using System.Text;

namespace Belfry.Scheduling;

/// <summary>
/// The limits of a task. Writers check them before they append and readers check them again, for any program may write to the topic.
/// </summary>
public static class TaskLimits
{
    public const int OrderingIdBytesMax = 512;
    public const int KindBytesMax = 128;
    public const int UniqueKeyBytesMax = 512;

    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    /// <summary>Why a task may not be scheduled, naming the field, its limit and its value; null when it may.</summary>
    public static string? Fault(ScheduledTask task) =>
        Fault(task.Id) ?? FaultOfGeneration(task.Id, task.Generation) ?? FaultOfDue(task.Id, task.DueAt)
        ?? (task.Payload.Length > ScheduledTask.PayloadBytesMax
            ? $"Task {task.Id} has a payload of {task.Payload.Length} bytes, at most {ScheduledTask.PayloadBytesMax} are allowed; " +
              "store the rest elsewhere and put a reference into the payload."
            : null);

    internal static string? Fault(ScheduledTaskId id) =>
        FaultOfText("ordering id", id.OrderingId, OrderingIdBytesMax) ??
        FaultOfText("kind", id.Kind, KindBytesMax) ??
        FaultOfText("unique key", id.UniqueKey, UniqueKeyBytesMax);

    internal static string? FaultOfGeneration(ScheduledTaskId id, long generation) =>
        generation < 0 ? $"Task {id} has generation {generation}; generations start at 0." : null;

    /// <summary>Times before 1970 cannot be told from a unit mistake, and are refused.</summary>
    internal static string? FaultOfDue(ScheduledTaskId id, DateTimeOffset dueAt) =>
        dueAt < DateTimeOffset.UnixEpoch ? $"Task {id} is due at {dueAt:O}; times before 1970 are refused." : null;

    private static string? FaultOfText(string name, string? text, int bytesMax)
    {
        if (string.IsNullOrEmpty(text)) return $"The {name} of a task is empty; it must have 1 to {bytesMax} bytes.";
        if (text.AsSpan().IndexOfAny(',', '\0') >= 0) return $"The {name} '{text}' holds a comma or a NUL; neither is allowed.";
        if (text.Length * 3 <= bytesMax && !HasSurrogates(text)) return null;
        try
        {
            var bytes = StrictUtf8.GetByteCount(text);
            return bytes > bytesMax ? $"The {name} '{text[..32]}..' has {bytes} bytes in UTF-8, at most {bytesMax} are allowed." : null;
        }
        catch (EncoderFallbackException)
        {
            return $"The {name} of a task holds half a surrogate pair, which UTF-8 cannot carry.";
        }
    }

    private static bool HasSurrogates(string text) => text.AsSpan().IndexOfAnyInRange('\ud800', '\udfff') >= 0;
}
