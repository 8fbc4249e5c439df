using Belfry.Alerting.Incidents;
using Belfry.Alerting.Timeline;
using Belfry.Deliveries;
using Dapper;

namespace Belfry.Simulation.Tests.World;

/// <summary>What must hold when the world has come to rest (reliability reference, section 3); those that can be seen at once are the observer's.</summary>
internal static class Invariants
{
    /// <summary>Two minutes after the last fault: everything accepted has become what it must.</summary>
    public static IEnumerable<string> WhenSettled(AlertingWorld world)
    {
        foreach (var story in world.Sender.Stories)
        {
            foreach (var (action, count) in story.Accepted)
            {
                var logged = world.Observer.Logged.GetValueOrDefault($"{story.DedupKey}/{action}")?.Count ?? 0;
                if (logged < count) yield return $"A1: {count} '{action}' of {story.DedupKey} accepted, {logged} in the log";
                if (logged > story.Actions.Count(a => a == action) + story.Unclear) yield return $"A3: {logged} '{action}' of {story.DedupKey} in the log, more than were sent";
            }
        }

        var processed = Ask(world, "select id from event_state where progress = 1 and integration_id is not null").ToHashSet(StringComparer.Ordinal);
        foreach (var id in world.Observer.Logged.Values.SelectMany(ids => ids))
            if (!processed.Contains(id)) yield return $"A1: event {id} is in the log and was not processed within two minutes of the last fault";
    }

    public static IEnumerable<string> AtTheEnd(AlertingWorld world)
    {
        foreach (var violation in Stories(world).Concat(Notifications(world)).Concat(Timelines(world)).Concat(Neighbours(world))) yield return violation;
    }

    private static IEnumerable<string> Stories(AlertingWorld world)
    {
        var documents = Ask(world, "select document from incident").Select(text => System.Text.Json.Nodes.JsonNode.Parse(text)!).ToList();
        var alerts = documents.SelectMany(incident => incident["alerts"]!.AsArray().Select(alert => (Key: alert!["dedup_key"]!.GetValue<string>(), Incident: incident))).ToList();
        foreach (var alert in alerts)
            if (world.Sender.Stories.All(story => story.DedupKey != alert.Key)) yield return $"A3: an incident for '{alert.Key}', which nobody sent";
        foreach (var story in world.Sender.Stories)
        {
            if (story.Done < story.Actions.Count) yield return $"liveness: {story.DedupKey} was told up to {story.Done} of {story.Actions.Count}";
            var mine = alerts.Where(alert => alert.Key == story.DedupKey).Select(alert => alert.Incident).ToList();
            if (mine.Count < story.Incidents || mine.Count > story.Incidents + story.Unclear)
                yield return $"A2: {story.DedupKey} ({string.Join(",", story.Actions)}, {story.Unclear} unclear) has {mine.Count} incidents, not {story.Incidents}";
            if (story.Unclear > 0) continue;
            var open = mine.Count(incident => incident["status"]!.GetValue<string>() != "resolved");
            if (open != (story.EndsResolved ? 0 : 1)) yield return $"A2: {story.DedupKey} has {open} open incidents at the end of ({string.Join(",", story.Actions)})";
        }
    }

    private static IEnumerable<string> Notifications(AlertingWorld world)
    {
        var rows = world.Deliveries.Rows.ToDictionary(row => row.IdempotencyKey, StringComparer.Ordinal);
        var byNotification = rows.Values.ToLookup(row => row.IdempotencyKey.Split('.')[0], StringComparer.Ordinal);
        foreach (var (id, notification) in world.Observer.Notifications)
        {
            var row = byNotification[id].FirstOrDefault(row => row.Channel == notification.Channel);
            if (row is null) yield return $"C1: notification {id} to {notification.User} over {notification.Channel} was never claimed";
            else if (row.State is DeliveryState.Sending or DeliveryState.Retry) yield return $"C1: {row.IdempotencyKey} is still {row.State}";
            else if (row.State == DeliveryState.Sent && !world.Observer.Receipts.ContainsKey(row.IdempotencyKey)) yield return $"C1: {row.IdempotencyKey} counts as sent and never arrived";
        }

        foreach (var (key, receipts) in world.Observer.Receipts)
        {
            var channel = key.Split('.')[^1];
            var most = channel == "webhook" || world.Weather is Weather.Calm ? 1 : 2;
            if (receipts.Count > most && !(world.Weather is Weather.BadProviders or Weather.Everything)) yield return $"C2: {key} arrived {receipts.Count} times";
            if (channel == "webhook" && receipts.Count > 1) yield return $"C2: {key} arrived {receipts.Count} times though the provider takes the key";
        }

        var dead = rows.Values.Count(row => row.State == DeliveryState.Dead);
        if (world.Observer.DeadLetters < dead) yield return $"C1: {dead} deliveries are dead, {world.Observer.DeadLetters} dead letters";
    }

    private static IEnumerable<string> Timelines(AlertingWorld world)
    {
        var rebuilder = new TimelineRebuilder(world.Log, world.State.Store, SharedState.Topics);
        var comparison = rebuilder.CompareAsync(CancellationToken.None);
        if (!comparison.IsCompleted) throw new InvalidOperationException("The comparison must end at once.");
        var result = comparison.GetAwaiter().GetResult();
        if (!result.Equal) yield return $"D1: the stored timeline differs from the fold of the log in {string.Join(", ", result.Differing)}";
        var entries = Ask(world, "select incident_id || '/' || sequence from timeline_entry order by incident_id, sequence").ToList();
        if (entries.Count != result.Entries) yield return $"D1: {result.Entries} entries in the log, {entries.Count} in the timeline";
        foreach (var incident in entries.Select(entry => entry.Split('/')).GroupBy(parts => parts[0]))
            if (!incident.Select(parts => long.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture)).SequenceEqual(Enumerable.Range(1, incident.Count()).Select(i => (long)i)))
                yield return $"D1: the sequence of {incident.Key} has gaps";
        foreach (var position in Positions(world)) yield return position;
    }

    private static IEnumerable<string> Positions(AlertingWorld world)
    {
        for (var partition = 0; partition < SharedState.Partitions; partition++)
        {
            var source = new Belfry.Log.TopicPartition(SharedState.Topics.IncidentLog.Name, partition);
            var end = NodeOutboxStore.Now(world.Log.OffsetsAsync(source, CancellationToken.None)).End;
            var committed = NodeOutboxStore.Now(world.Log.CommittedAsync("timeline", source, CancellationToken.None)) ?? 0;
            var waiting = NodeOutboxStore.Now(world.Log.ReadAsync(source, committed, 1, CancellationToken.None));
            if (waiting is [var oldest, ..] && world.World.Now - oldest.AppendedAt > TimeSpan.FromSeconds(10)) yield return $"liveness: the timeline of partition {partition} stands at {committed} of {end}";
        }
    }

    // B4: while one recipient's provider hangs, the others get theirs at once. Only in worlds with no other fault.
    private static IEnumerable<string> Neighbours(AlertingWorld world)
    {
        if (world.Weather != Weather.Calm) yield break;
        foreach (var (key, receipts) in world.Observer.Receipts)
        {
            var parts = key.Split('.');
            if (!world.Observer.Notifications.TryGetValue(parts[0], out var notification)) continue;
            var late = receipts[0] - notification.At;
            if (late > TimeSpan.FromSeconds(1)) yield return $"B4: {key} waited {late} in a world with one stuck recipient at most";
        }
    }

    private static List<string> Ask(AlertingWorld world, string sql) =>
        NodeOutboxStore.Now(world.State.Store.ReadAsync(connection => ValueTask.FromResult(connection.Query<string>(sql).AsList()), CancellationToken.None));
}
