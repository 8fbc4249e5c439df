using System.Globalization;
using System.Text.Json.Nodes;
using Belfry.Alerting.Timeline;
using Belfry.Deliveries;
using Belfry.Log;
using Dapper;

namespace Belfry.Simulation.Tests.World;

/// <summary>
/// What must hold when the world has come to rest (reliability reference, section 3); what can be seen at once is the observer's.
/// </summary>
internal static class Invariants
{
    /// <summary>Two minutes after the last fault: everything accepted has become what it must.</summary>
    public static IEnumerable<string> WhenSettled(AlertingWorld world)
    {
        foreach (var story in world.Sender.Stories)
            foreach (var (action, accepted) in story.Accepted)
            {
                var logged = world.Observer.Logged.GetValueOrDefault($"{story.DedupKey}/{action}")?.Count ?? 0;
                if (logged < accepted) yield return $"A1: {accepted} '{action}' of {story.DedupKey} accepted, {logged} in the log";
                if (logged > story.Actions.Count(a => a == action) + story.Unclear)
                    yield return $"A3: {logged} '{action}' of {story.DedupKey} in the log, more than were sent";
            }

        foreach (var overtaken in Overtaken(world)) yield return overtaken;
        var processed = Ask(world, "select id from event_state where progress = 1 and integration_id is not null").ToHashSet();
        foreach (var id in world.Observer.Logged.Values.SelectMany(ids => ids))
            if (!processed.Contains(id))
                yield return $"A1: event {id} is in the log and was not processed within two minutes of the last fault";
    }

    // B2 up to the log, across nodes: what was accepted stands before what was sent afterwards. With the store away it may not.
    private static IEnumerable<string> Overtaken(AlertingWorld world)
    {
        if (world.Weather is Weather.PortFaults or Weather.Everything) yield break;
        foreach (var story in world.Sender.Stories)
        {
            var copies = world.Observer.FirstCopies.GetValueOrDefault(story.DedupKey) ?? [];
            foreach (var accepted in story.AcceptedAttempts)
                if (copies.TakeWhile(attempt => attempt != accepted).FirstOrDefault(attempt => attempt > accepted) is > 0 and var later)
                    yield return $"B2: of {story.DedupKey} attempt {later} stands before attempt {accepted}, which was accepted before " +
                        "it was sent";
        }
    }

    public static IReadOnlyList<string> AtTheEnd(AlertingWorld world) =>
    [
        .. Stories(world), .. world.Observer.Missing(), .. Notifications(world), .. Receipts(world), .. Timelines(world),
        .. Neighbours(world),
    ];

    private static IEnumerable<string> Stories(AlertingWorld world)
    {
        var alerts = Ask(world, "select document from incident").Select(text => JsonNode.Parse(text)!)
            .SelectMany(incident => incident["alerts"]!.AsArray().Select(alert => (Key: Text(alert!, "dedup_key"), Incident: incident)))
            .ToLookup(alert => alert.Key, alert => alert.Incident, StringComparer.Ordinal);
        foreach (var key in alerts.Select(group => group.Key))
            if (world.Sender.Stories.All(story => story.DedupKey != key)) yield return $"A3: an incident for '{key}', which nobody sent";
        foreach (var story in world.Sender.Stories)
            foreach (var violation in Story(story, [.. alerts[story.DedupKey]])) yield return violation;
    }

    private static IEnumerable<string> Story(Story story, IReadOnlyList<JsonNode> incidents)
    {
        var told = $"{story.DedupKey} ({string.Join(",", story.Actions)}, {story.Unclear} unclear)";
        if (story.Done < story.Actions.Count)
            yield return $"liveness: {story.DedupKey} was told up to {story.Done} of {story.Actions.Count}";
        if (incidents.Count < story.Incidents || incidents.Count > story.Incidents + story.Unclear)
            yield return $"A2: {told} has {incidents.Count} incidents, not {story.Incidents}";
        if (story.Unclear > 0) yield break;
        var open = incidents.Count(incident => Text(incident, "status") != "resolved");
        if (open != (story.EndsResolved ? 0 : 1)) yield return $"A2: {told} has {open} open incidents at the end";
    }

    private static IEnumerable<string> Notifications(AlertingWorld world)
    {
        var rows = world.Deliveries.Rows.ToLookup(row => row.IdempotencyKey.Split('.')[0], StringComparer.Ordinal);
        foreach (var (id, notification) in world.Observer.Notifications)
        {
            var row = rows[id].FirstOrDefault(row => row.Channel == notification.Channel);
            if (row is null)
                yield return $"C1: notification {id} to {notification.User} over {notification.Channel} was never claimed";
            else if (row.State is DeliveryState.Sending or DeliveryState.Retry)
                yield return $"C1: {row.IdempotencyKey} is still {row.State}";
            else if (row.State == DeliveryState.Sent && !world.Observer.Receipts.ContainsKey(row.IdempotencyKey))
                yield return $"C1: {row.IdempotencyKey} counts as sent and never arrived";
        }

        var dead = world.Deliveries.Rows.Count(row => row.State == DeliveryState.Dead);
        if (world.Observer.DeadLetters < dead) yield return $"C1: {dead} deliveries are dead, {world.Observer.DeadLetters} dead letters";
    }

    private static IEnumerable<string> Receipts(AlertingWorld world)
    {
        var providersFail = world.Weather is Weather.BadProviders or Weather.Everything;
        foreach (var (key, receipts) in world.Observer.Receipts)
        {
            var takesKey = key.EndsWith(".webhook", StringComparison.Ordinal);
            if (takesKey && receipts.Count > 1)
                yield return $"C2: {key} arrived {receipts.Count} times though the provider takes the key";
            else if (receipts.Count > (world.Weather is Weather.Calm ? 1 : 2) && !providersFail)
                yield return $"C2: {key} arrived {receipts.Count} times";
        }
    }

    private static IEnumerable<string> Timelines(AlertingWorld world)
    {
        var rebuilder = new TimelineRebuilder(world.Log, world.State.Store, SharedState.Topics);
        var comparison = rebuilder.CompareAsync(CancellationToken.None);
        if (!comparison.IsCompleted) throw new InvalidOperationException("The comparison must end at once.");
        var result = comparison.GetAwaiter().GetResult();
        if (!result.Equal)
            yield return $"D1: the stored timeline differs from the fold of the log in {string.Join(", ", result.Differing)}";
        var stored = Ask(world, "select incident_id || '/' || sequence from timeline_entry order by incident_id, sequence");
        if (stored.Count != result.Entries) yield return $"D1: {result.Entries} entries in the log, {stored.Count} in the timeline";
        foreach (var incident in stored.Select(entry => entry.Split('/')).GroupBy(parts => parts[0], parts => parts[1]))
            if (!incident.SequenceEqual(Enumerable.Range(1, incident.Count()).Select(n => n.ToString(CultureInfo.InvariantCulture))))
                yield return $"D1: the sequence of {incident.Key} has gaps";
        foreach (var reason in Ask(world, "select reason from timeline_rejected"))
            yield return $"D1: a sound entry was put aside: {reason}";
        foreach (var position in Positions(world)) yield return position;
    }

    private static IEnumerable<string> Positions(AlertingWorld world)
    {
        for (var partition = 0; partition < SharedState.Partitions; partition++)
        {
            var source = new TopicPartition(SharedState.Topics.IncidentLog.Name, partition);
            var end = NodeOutboxStore.Now(world.Log.OffsetsAsync(source, CancellationToken.None)).End;
            var committed = NodeOutboxStore.Now(world.Log.CommittedAsync("timeline", source, CancellationToken.None)) ?? 0;
            var waiting = NodeOutboxStore.Now(world.Log.ReadAsync(source, committed, 1, CancellationToken.None));
            if (waiting is [var oldest, ..] && world.World.Now - oldest.AppendedAt > TimeSpan.FromSeconds(10))
                yield return $"liveness: the timeline of partition {partition} stands at {committed} of {end}";
        }
    }

    // B4: while one recipient's provider hangs, the others get theirs at once. Only in worlds with no other fault.
    private static IEnumerable<string> Neighbours(AlertingWorld world)
    {
        if (world.Weather != Weather.Calm) yield break;
        foreach (var (key, receipts) in world.Observer.Receipts)
        {
            if (!world.Observer.Notifications.TryGetValue(key.Split('.')[0], out var notification)) continue;
            if (world.State.Users[2].Id.ToString() == notification.User) continue;
            var late = receipts[0] - notification.At;
            if (late > TimeSpan.FromSeconds(1)) yield return $"B4: {key} waited {late} in a world with one stuck recipient at most";
        }
    }

    private static string Text(JsonNode node, string name) => node[name]!.GetValue<string>();

    private static List<string> Ask(AlertingWorld world, string sql) => NodeOutboxStore.Now(
        world.State.Store.ReadAsync(connection => ValueTask.FromResult(connection.Query<string>(sql).AsList()), CancellationToken.None));
}
