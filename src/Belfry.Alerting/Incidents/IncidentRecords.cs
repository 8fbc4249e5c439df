using System.Text.Json;
using Belfry.Alerting.Planning;
using Belfry.Log;
using Belfry.Scheduling;

namespace Belfry.Alerting.Incidents;

/// <summary>What a turn decided, as records for the outbox: assignments, timers, log entries and dead letters, each in its order.</summary>
internal static class IncidentRecords
{
    public const string Reason = "reason";
    public const string Source = "source";

    public static List<OutgoingRecord> Of(IncidentTurn turn, Topics topics)
    {
        var records = new List<OutgoingRecord>(turn.Assignments.Count + turn.Timers.Count + turn.Entries.Count);
        foreach (var change in turn.Assignments)
            records.Add(change.Assignment is { } assignment
                ? new OutgoingRecord
                {
                    Topic = topics.PlanningAssignments.Name,
                    OrderingKey = change.UserId.ToString(),
                    Key = PlanningWire.KeyOf(change.UserId, change.IncidentId),
                    Value = JsonSerializer.SerializeToUtf8Bytes(assignment, IncidentJson.Default.Assignment),
                }
                : PlanningWire.Tombstone(topics, change.UserId, change.IncidentId, change.Epoch));
        foreach (var timer in turn.Timers)
            records.Add(timer.Task is { } task
                ? TaskRecords.Schedule(topics.ScheduledTasks.Name, task)
                : TaskRecords.Cancel(topics.ScheduledTasks.Name, timer.Id, timer.Generation));
        foreach (var entry in turn.Entries)
            records.Add(new OutgoingRecord
            {
                Topic = topics.IncidentLog.Name,
                OrderingKey = entry.IncidentId.ToString(),
                Value = JsonSerializer.SerializeToUtf8Bytes(entry, IncidentJson.Default.LogEntry),
            });
        return records;
    }

    /// <summary>The raw bytes, with the reason and the place they came from in the headers.</summary>
    public static OutgoingRecord DeadLetter(LogRecord record, string reason, Topics topics) => new()
    {
        Topic = topics.FailedEvents.Name,
        OrderingKey = record.Key ?? "",
        Value = record.Value,
        Headers =
        [
            .. record.Headers.Where(pair => pair.Key is not (Reason or Source)), new(Reason, reason), new(Source, record.ToString()),
        ],
    };
}
