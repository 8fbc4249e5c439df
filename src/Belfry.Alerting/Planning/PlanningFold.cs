using Belfry.Log;
using Belfry.Scheduling;

namespace Belfry.Alerting.Planning;

/// <summary>
/// Folds partition n of the three planning topics. Keeps no database: what it knows is folded again from the topics at each load, up to
/// where the outputs are durable already; what follows is folded with its outputs. A repeat appends the same ids again.
/// </summary>
internal sealed class PlanningFold(
    string group, IReadOnlyList<TopicPartition> sources, IPartitionedLog log, Topics topics, TimeProvider time) : IBatchFold
{
    private const int ReadMax = 1_000;
    private const int AppendMax = 1_000;

    // What this owner has folded durably but the group may not have committed yet: a load after a failed turn must not lose it.
    private readonly Dictionary<TopicPartition, long> _folded = [];
    private PlanningCore _core = new();

    public async ValueTask<IReadOnlyDictionary<TopicPartition, long>> LoadAsync(CancellationToken cancel)
    {
        var core = new PlanningCore();
        var next = new Dictionary<TopicPartition, long>();
        foreach (var source in sources)
        {
            var committed = await log.CommittedAsync(group, source, cancel) ?? 0;
            next[source] = Math.Max(committed, _folded.GetValueOrDefault(source));
            if (source.Topic != topics.PlanningFeedback.Name) await RestoreAsync(core, source, next[source], cancel);
        }

        _core = core;
        return next;
    }

    public async ValueTask FoldAsync(IReadOnlyList<LogRecord> batch, CancellationToken cancel)
    {
        var now = time.GetUtcNow();
        List<OutgoingRecord> output = [];
        foreach (var record in batch)
            foreach (var effect in _core.Step(Decode(record), now))
                output.Add(RecordOf(effect));

        foreach (var lot in output.Chunk(AppendMax)) await log.AppendAsync(lot, cancel);
        foreach (var record in batch) _folded[record.Source] = record.Offset + 1;
    }

    /// <summary>To the dead letters of notifications: whatever the record was, somebody may not have been told because of it.</summary>
    public async ValueTask RejectAsync(LogRecord record, string reason, CancellationToken cancel)
    {
        await log.AppendAsync([DeadLetters.RecordOf(topics, record, reason, attempts: 1)], cancel);
        _folded[record.Source] = record.Offset + 1;
    }

    public ValueTask StopAsync(CancellationToken cancel) => ValueTask.CompletedTask;

    private async ValueTask RestoreAsync(PlanningCore core, TopicPartition source, long end, CancellationToken cancel)
    {
        for (var from = 0L; from < end;)
        {
            var page = await log.ReadAsync(source, from, ReadMax, cancel);
            if (page.Count == 0) return;
            foreach (var record in page.TakeWhile(record => record.Offset < end))
                if (TryDecode(record) is { } input)
                    core.Step(input, record.AppendedAt);
            from = page[^1].Offset + 1;
        }
    }

    // Before the loaded position an undecodable record has been rejected already.
    private PlanningInput? TryDecode(LogRecord record)
    {
        try
        {
            return Decode(record);
        }
        catch (FormatException)
        {
            return null;
        }
    }

    private PlanningInput Decode(LogRecord record)
    {
        var topic = record.Source.Topic;
        if (topic == topics.PlanningFeedback.Name) return new PlanningInput.TimerFired(PlanningWire.DecodeFeedback(record.Value));
        if (topic == topics.PlanningContactRules.Name)
            return record.Value.IsEmpty
                ? new PlanningInput.RulesChanged(Id.Parse<UserId>(record.Key ?? ""), null)
                : RulesOf(PlanningWire.DecodeContactRules(record.Value));
        if (topic != topics.PlanningAssignments.Name) throw new FormatException($"Planning does not read topic '{topic}'.");
        return record.Value.IsEmpty
            ? PlanningWire.DecodeTombstone(record)
            : new PlanningInput.Assigned(PlanningWire.DecodeAssignment(record.Value));
    }

    private static PlanningInput.RulesChanged RulesOf(ContactRules rules) => new(rules.UserId, rules);

    private OutgoingRecord RecordOf(PlanningEffect effect) => effect switch
    {
        PlanningEffect.Notify { Notification: var notification } => new()
        {
            Topic = topics.Notifications.Name, OrderingKey = notification.UserId.ToString(), Value = PlanningWire.Encode(notification),
        },
        PlanningEffect.Tell { Entry: var entry } => new()
        {
            Topic = topics.IncidentLog.Name, OrderingKey = entry.IncidentId.ToString(), Value = PlanningWire.Encode(entry),
        },
        PlanningEffect.Schedule { Task: var task } => TaskRecords.Schedule(topics.ScheduledTasks.Name, task),
        PlanningEffect.Cancel cancel => TaskRecords.Cancel(topics.ScheduledTasks.Name, cancel.TaskId, cancel.Generation),
        _ => throw new InvalidOperationException($"{effect.GetType().Name} is no effect of planning."),
    };
}
