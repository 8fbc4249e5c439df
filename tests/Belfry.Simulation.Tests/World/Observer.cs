using System.Globalization;
using System.Text.Json;
using Belfry.Alerting;
using Belfry.Deliveries;
using Belfry.Log;
using Belfry.Scheduling;
using Belfry.Testing;

namespace Belfry.Simulation.Tests.World;

/// <summary>One call of a provider, from its begin to its end (or to the death of its node).</summary>
internal sealed record Send(SimulatedNode Node, string Channel, string Key, string Recipient, int Attempt, DateTimeOffset BeganAt)
{
    public DateTimeOffset? EndedAt { get; set; }
}

/// <summary>
/// Sees everything that happens outside the nodes (appends, writes, claims, provider calls) and checks what can be checked at once. It
/// belongs to no node and has no faults.
/// </summary>
internal sealed class Observer(SimulatedWorld world, Topics topics)
{
    private readonly Dictionary<(string Scope, long Partition), SimulatedNode> _owners = [];
    private readonly Dictionary<string, List<(DateTimeOffset At, long Status)>> _statuses = new(StringComparer.Ordinal);
    private readonly Dictionary<string, DateTimeOffset> _claimedAt = new(StringComparer.Ordinal);
    private readonly HashSet<string> _sent = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _attempts = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Id, long Generation), DateTimeOffset> _due = [];
    private readonly SortedDictionary<string, (long Generation, DateTimeOffset Due)> _timers = new(StringComparer.Ordinal);
    private readonly SortedDictionary<(string User, string Incident), DateTimeOffset> _assigned = [];
    private readonly Dictionary<string, long> _timerEpochs = new(StringComparer.Ordinal);
    private readonly HashSet<(string Incident, string Timer, long Epoch)> _timersFired = [];

    // Committed to the outbox and not seen on the log yet.
    private readonly Dictionary<(string Topic, string Key, ulong Value), DateTimeOffset> _promised = [];

    public List<string> Violations { get; } = [];
    public List<Send> Sends { get; } = [];

    /// <summary>Receipts by idempotency key.</summary>
    public SortedDictionary<string, List<DateTimeOffset>> Receipts { get; } = new(StringComparer.Ordinal);

    /// <summary>Notifications by id: user, channel, incident, when appended.</summary>
    public SortedDictionary<string, (string User, string Channel, string Incident, DateTimeOffset At)> Notifications { get; } =
        new(StringComparer.Ordinal);

    /// <summary>Ids of events in the log, by dedup key and action.</summary>
    public SortedDictionary<string, HashSet<string>> Logged { get; } = new(StringComparer.Ordinal);

    /// <summary>By dedup key, the attempts in the order in which they first came to the log.</summary>
    public SortedDictionary<string, List<int>> FirstCopies { get; } = new(StringComparer.Ordinal);
    public int DeadLetters { get; private set; }

    /// <summary>Told of a mail that arrived: its recipient's user and its text.</summary>
    public Action<Delivery>? OnMail { get; set; }

    /// <summary>True once a node was frozen or expelled: an owner that does not know so may finish what runs (B1's exception).</summary>
    public bool OwnersWereCutOff { get; set; }

    public void Violated(string invariant, string what) => Violations.Add($"{invariant} at {world.Elapsed}: {what}");

    /// <summary>The outbox has it, so the log must come to have it.</summary>
    public void Promised(OutgoingRecord record) => _promised[PromiseOf(record)] = world.Now;

    public void Appended(TopicPartition source, long offset, OutgoingRecord record)
    {
        _promised.Remove(PromiseOf(record));
        if (record.Topic == topics.ScheduledTasks.Name) TaskAppended(record);
        else if (record.Topic == topics.IncomingEvents.Name) Note(record, "event");
        else if (record.Topic == topics.IncidentCommands.Name) CommandAppended(record);
        else if (record.Topic == topics.Notifications.Name) Note(record, "notification");
        else if (record.Topic == topics.PlanningAssignments.Name) AssignmentAppended(record);
        else if (record.Topic == topics.NotificationsDeadLetters.Name) DeadLetters++;
        else if (record.Topic == topics.FailedEvents.Name) Violated("A2", $"a sound event was put aside: {source}@{offset}");
    }

    /// <summary>After each write: who took which partition, whose fold moved, which incident changed its status.</summary>
    public void Touched(SimulatedNode node, IReadOnlyList<(string Kind, string Name, long Number)> touches)
    {
        foreach (var (kind, name, number) in touches)
        {
            if (kind == "owner") _owners[(name, number)] = node;
            else if (kind == "position" && _owners.GetValueOrDefault((name, number)) is var owner && owner != node)
                Violated("B3", $"{node.Name} moved {name}/{number}, which {owner?.Name ?? "nobody"} owns");
            else if (kind == "status") (_statuses.TryGetValue(name, out var list) ? list : _statuses[name] = []).Add((world.Now, number));
        }
    }

    public void Claimed(ClaimResult result)
    {
        if (result.Verdict != ClaimVerdict.Ended) _claimedAt[result.Row.IdempotencyKey] = world.Now;
    }

    public void Completed(DeliveryCompletion completion)
    {
        if (completion.State == DeliveryState.Sent) _sent.Add(completion.Delivery.IdempotencyKey);
    }

    public Send SendBegins(SimulatedNode node, string channel, Delivery delivery, int attempt)
    {
        var key = delivery.IdempotencyKey;
        if (_sent.Contains(key)) Violated("B5", $"{key} is sent again after its completion was durable");
        if (attempt < _attempts.GetValueOrDefault(key)) Violated("B5", $"attempt {attempt} of {key} after attempt {_attempts[key]}");
        _attempts[key] = attempt;
        if (!_claimedAt.TryGetValue(key, out var claimedAt)) Violated("C1", $"{key} is sent without a claim");
        else if (StatusBefore(IncidentOf(key), claimedAt) is > 0 and var status)
            Violated("C5", $"{key} is sent though its incident was {(status == 1 ? "acknowledged" : "resolved")} before the claim");
        if (!OwnersWereCutOff)
            foreach (var other in Sends.Where(other => other.EndedAt is null && !other.Node.IsDead))
                if (other.Channel == channel && other.Recipient == delivery.Recipient)
                    Violated("B1", $"two sends to {other.Recipient} over {channel} at once: {other.Key} and {key}");
        var send = new Send(node, channel, key, delivery.Recipient, attempt, world.Now);
        Sends.Add(send);
        return send;
    }

    public void SendEnds(Send send) => send.EndedAt = world.Now;

    public void Received(string channel, Delivery delivery)
    {
        var key = delivery.IdempotencyKey;
        world.Note($"{key} arrived");
        (Receipts.TryGetValue(key, out var receipts) ? receipts : Receipts[key] = []).Add(world.Now);
        if (channel == "email") OnMail?.Invoke(delivery);
    }

    /// <summary>
    /// Asked for more than a minute ago and never seen: messages of the outbox, timers neither cancelled nor replaced, pages of the
    /// assigned.
    /// </summary>
    public IEnumerable<string> Missing()
    {
        var before = world.Now - TimeSpan.FromMinutes(1);
        var lost = _promised.Where(promise => promise.Value < before).OrderBy(promise => promise.Value).ToList();
        if (lost is [var (promised, promisedAt), ..])
            yield return $"A1: {lost.Count} messages of the outbox never came to the log, the first written at {promisedAt:HH:mm:ss} " +
                $"for {promised.Topic}, {promised.Key}";
        var ran = _timersFired.Select(fired => ($"incident.timer({fired.Incident},{fired.Timer})", fired.Epoch)).ToHashSet();
        foreach (var (id, (generation, due)) in _timers)
            if (due < before && !ran.Contains((id, generation)))
                yield return $"A1: task {id}, generation {generation}, due at {due:HH:mm:ss}, never ran";
        foreach (var ((user, incident), at) in _assigned)
            if (at < before && Notifications.Values.All(notification => notification.User != user || notification.Incident != incident))
                yield return $"C1: user {user} was assigned to {incident} at {at:HH:mm:ss} and nothing was to tell them";
    }

    /// <summary>The newest status of an incident, null when it has none yet.</summary>
    public long? StatusOf(string incident) => _statuses.TryGetValue(incident, out var list) ? list[^1].Status : null;

    private long? StatusBefore(string incident, DateTimeOffset at) =>
        _statuses.TryGetValue(incident, out var list) ? list.LastOrDefault(change => change.At < at).Status : null;

    private static (string, string, ulong) PromiseOf(OutgoingRecord record)
    {
        var hash = 14695981039346656037UL;
        foreach (var one in record.Value.Span) hash = unchecked((hash ^ one) * 1099511628211);
        return (record.Topic, record.OrderingKey, hash);
    }

    // The key reads notification.incident.service.user.epoch.channel.
    private static string IncidentOf(string key) => key.Split('.')[1];

    private void TaskAppended(OutgoingRecord record)
    {
        if (TaskRecords.Decode(record.Value.Span) is not TaskDecoding.Decoded { Change: var change }) return;
        var id = change.Id.ToString();
        var isNewest = change.Id.Kind == "incident.timer" && change.Generation >= _timers.GetValueOrDefault(id).Generation;
        if (change is TaskChange.Schedule { Task: var task })
        {
            _due[(id, task.Generation)] = task.DueAt;
            if (isNewest) _timers[id] = (task.Generation, task.DueAt);
        }
        else if (change is TaskChange.Cancel && isNewest)
        {
            _timers.Remove(id);
        }
    }

    private void AssignmentAppended(OutgoingRecord record)
    {
        if (record.Value.IsEmpty) return;
        using var json = JsonDocument.Parse(record.Value);
        var assignment = json.RootElement;
        if (assignment.GetProperty("active").GetBoolean())
            _assigned.TryAdd((Text(assignment, "user_id"), Text(assignment, "incident_id")), world.Now);
    }

    private void CommandAppended(OutgoingRecord record)
    {
        using var json = JsonDocument.Parse(record.Value);
        var command = json.RootElement;
        if (command.GetProperty("kind").GetString() != "timer_fired") return;
        var (incident, timer, epoch) = (Text(command, "incident_id"), Text(command, "timer"), command.GetProperty("epoch").GetInt64());
        if (!_timersFired.Add((incident, timer, epoch))) return;
        if (_due.TryGetValue(($"incident.timer({incident},{timer})", epoch), out var due) && world.Now < due)
            Violated("A4", $"timer {timer} of {incident} fired {due - world.Now} early");
        if (epoch < _timerEpochs.GetValueOrDefault($"{incident}/{timer}"))
            Violated("B2", $"timer {timer} of {incident} fired for epoch {epoch} after a newer one");
        _timerEpochs[$"{incident}/{timer}"] = epoch;
    }

    private void Note(OutgoingRecord record, string what)
    {
        using var json = JsonDocument.Parse(record.Value);
        var value = json.RootElement;
        if (what == "event")
        {
            var key = $"{Text(value, "dedup_key")}/{Text(value, "action")}";
            if (!(Logged.TryGetValue(key, out var ids) ? ids : Logged[key] = []).Add(Text(value, "id"))) return;
            var story = Text(value, "dedup_key");
            (FirstCopies.TryGetValue(story, out var copies) ? copies : FirstCopies[story] = [])
                .Add(int.Parse(Text(value, "summary").Split('#')[1], CultureInfo.InvariantCulture));
        }
        else
        {
            world.Note($"notification {Text(value, "id")}");
            Notifications.TryAdd(
                Text(value, "id"), (Text(value, "user_id"), Text(value, "channel"), Text(value, "incident_id"), world.Now));
        }
    }

    private static string Text(JsonElement value, string name) => value.GetProperty(name).GetString()!;
}
