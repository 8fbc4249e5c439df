using System.Globalization;
using System.Text.Json;
using Belfry.Log;

namespace Belfry.Scheduling;

/// <summary>
/// Builds the records of the <c>scheduled-tasks</c> topic without sending them, so that a caller can put them into an outbox.
/// Ordering key: the ordering id. Wire format: docs/topics.md.
/// </summary>
public static partial class TaskRecords
{
    public const string TopicBaseName = "scheduled-tasks";

    /// <summary>The version of Belfry's own format. PagerDuty's records count their own, of which 1 is known.</summary>
    public const int Version = 1;

    /// <summary>
    /// The kind of tasks written in PagerDuty's format, whose identity includes the time: the unique key is the time, a bar, and the
    /// record's own uniqueness key; the payload is its <c>taskData</c> object. Source: PagerDuty/scheduler, <c>TaskKey.scala</c>.
    /// </summary>
    public const string PagerDutyKind = "pd";

    /// <summary>
    /// A record that makes or replaces <paramref name="task"/>. <paramref name="topic"/> is the full name, prefix included.
    /// </summary>
    /// <exception cref="ArgumentException">A field breaks its limit (<see cref="TaskLimits"/>); the message names it.</exception>
    public static OutgoingRecord Schedule(string topic, ScheduledTask task)
    {
        Refuse(TaskLimits.Fault(task));
        return Record(topic, task.Id, new TaskWire
        {
            Version = Version,
            Change = "schedule",
            OrderingId = task.Id.OrderingId,
            Kind = task.Id.Kind,
            UniqueKey = task.Id.UniqueKey,
            DueAt = FormatTime(task.DueAt),
            Generation = task.Generation,
            Payload = task.Payload,
        });
    }

    /// <summary>A record that gives a task another time. A lower generation than the newest seen changes nothing.</summary>
    /// <exception cref="ArgumentException">A field breaks its limit.</exception>
    public static OutgoingRecord Reschedule(string topic, ScheduledTaskId id, DateTimeOffset dueAt, long generation)
    {
        Refuse(TaskLimits.Fault(id) ?? TaskLimits.FaultOfGeneration(id, generation) ?? TaskLimits.FaultOfDue(id, dueAt));
        return Record(topic, id, new TaskWire
        {
            Version = Version,
            Change = "reschedule",
            OrderingId = id.OrderingId,
            Kind = id.Kind,
            UniqueKey = id.UniqueKey,
            DueAt = FormatTime(dueAt),
            Generation = generation,
        });
    }

    /// <summary>A record that ends <paramref name="id"/> at <paramref name="generation"/> and all lower ones.</summary>
    /// <exception cref="ArgumentException">A field breaks its limit.</exception>
    public static OutgoingRecord Cancel(string topic, ScheduledTaskId id, long generation)
    {
        Refuse(TaskLimits.Fault(id) ?? TaskLimits.FaultOfGeneration(id, generation));
        return Record(topic, id, new TaskWire
        {
            Version = Version,
            Change = "cancel",
            OrderingId = id.OrderingId,
            Kind = id.Kind,
            UniqueKey = id.UniqueKey,
            Generation = generation,
        });
    }

    /// <summary>Reads a record of either format. Never throws for its content.</summary>
    public static TaskDecoding Decode(ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty) return new TaskDecoding.Undecodable("The record has no value.");
        try
        {
            return JsonSerializer.Deserialize(value, TaskWireJson.Default.TaskWire) switch
            {
                null => new TaskDecoding.Undecodable("The record is the JSON literal null."),
                { Change: null, PdOrderingId: not null } wire => DecodePagerDuty(wire),
                var wire => DecodeOwn(wire),
            };
        }
        catch (JsonException error)
        {
            return new TaskDecoding.Undecodable($"The record is not valid JSON of a task: {error.Message}");
        }
    }

    private static TaskDecoding DecodeOwn(TaskWire wire)
    {
        if (wire.Version != Version) return UnknownVersion(wire.Version);
        var id = new ScheduledTaskId(wire.OrderingId ?? "", wire.Kind ?? "", wire.UniqueKey ?? "");
        var generation = wire.Generation ?? 0;
        var fault = TaskLimits.Fault(id) ?? TaskLimits.FaultOfGeneration(id, generation);
        if (fault is not null) return new TaskDecoding.Undecodable(fault);
        if (wire.Change == "cancel") return new TaskDecoding.Decoded(new TaskChange.Cancel(id, generation));
        if (!TryParseTime(wire.DueAt, out var dueAt)) return BadTime("due_at", wire.DueAt);
        switch (wire.Change)
        {
            case "reschedule":
                fault = TaskLimits.FaultOfDue(id, dueAt);
                return fault is null
                    ? new TaskDecoding.Decoded(new TaskChange.Reschedule(id, dueAt, generation))
                    : new TaskDecoding.Undecodable(fault);
            case "schedule":
                return Scheduled(new ScheduledTask { Id = id, DueAt = dueAt, Generation = generation, Payload = wire.Payload ?? default });
            default:
                return new TaskDecoding.Undecodable($"'change' is '{wire.Change}'; known are schedule, reschedule and cancel.");
        }
    }

    private static TaskDecoding DecodePagerDuty(TaskWire wire)
    {
        if (wire.Version is not (null or 1)) return UnknownVersion(wire.Version);
        if (!TryParseTime(wire.PdScheduledTime, out var dueAt)) return BadTime("scheduledTime", wire.PdScheduledTime);
        var data = wire.PdTaskData ?? [];
        return string.IsNullOrEmpty(wire.PdUniquenessKey)
            ? new TaskDecoding.Undecodable("'uniquenessKey' is missing or empty.")
            : Scheduled(new ScheduledTask
            {
                Id = new ScheduledTaskId(wire.PdOrderingId!, PagerDutyKind, $"{FormatTime(dueAt)}|{wire.PdUniquenessKey}"),
                DueAt = dueAt,
                Payload = JsonSerializer.SerializeToUtf8Bytes(data, TaskWireJson.Default.DictionaryStringString),
            });
    }

    private static TaskDecoding Scheduled(ScheduledTask task) =>
        TaskLimits.Fault(task) is { } fault
            ? new TaskDecoding.Undecodable(fault)
            : new TaskDecoding.Decoded(new TaskChange.Schedule(task));

    private static TaskDecoding.Undecodable UnknownVersion(int? version) =>
        new($"'version' is {version?.ToString(CultureInfo.InvariantCulture) ?? "missing"}; this program reads version {Version}.");

    private static TaskDecoding.Undecodable BadTime(string field, string? text) =>
        new($"'{field}' is '{text}'; a UTC time such as 2016-06-07T21:11:26.000Z is expected.");

    internal static string FormatTime(DateTimeOffset at) =>
        at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    private static bool TryParseTime(string? text, out DateTimeOffset at) =>
        DateTimeOffset.TryParseExact(
            text, ["yyyy-MM-dd'T'HH:mm:ss.fff'Z'", "yyyy-MM-dd'T'HH:mm:ss'Z'"], CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out at);

    private static OutgoingRecord Record(string topic, ScheduledTaskId id, TaskWire wire) => new()
    {
        Topic = topic,
        OrderingKey = id.OrderingId,
        Value = JsonSerializer.SerializeToUtf8Bytes(wire, TaskWireJson.Default.TaskWire),
    };

    private static void Refuse(string? fault)
    {
        if (fault is not null) throw new ArgumentException(fault);
    }
}
