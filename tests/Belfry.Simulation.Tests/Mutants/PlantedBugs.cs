using Belfry.Simulation.Tests.World;

namespace Belfry.Simulation.Tests.Mutants;

/// <summary>Mistakes made in systems like this one, each planted where it would be made here. The simulator must find all.</summary>
internal static class PlantedBugs
{
    public static IReadOnlyList<Mutant> All { get; } =
    [
        new("A task runs half a minute early", "Belfry.Scheduling", "TaskEntry.cs",
            "new(time.GetUtcNow().ToUnixTimeMilliseconds(), ", "new(time.GetUtcNow().ToUnixTimeMilliseconds() + 30_000, "),
        new("A trigger after the resolve goes to the resolved incident", "Belfry.Alerting", "Incidents/IncidentCore.cs",
            "holder == incident.Id) _openAlerts.Remove(scope);", "holder == incident.Id) { }"),
        new("Nobody asks whether a page is still wanted", "Belfry.Alerting", "Dispatch/DeliveryReporter.cs",
            "return whyNot(key.IncidentId, key.UserId, key.Epoch, cancel);", "return ValueTask.FromResult<string?>(null);")
        {
            Weather = Weather.BadProviders,
        },
        new("An owner writes without looking at its fence", "Belfry.Alerting", "Storage/PartitionFence.cs",
            "if (touched == 0) throw", "if (touched < 0) throw")
        {
            Weather = Weather.CutOffs,
        },
        new("The offset counts as done before its record is handled", "Belfry.Log", "LaneOwner.cs",
            "foreach (var record in records) _offered.Add((record, _ledger.Track(record.Offset)));",
            """
            foreach (var record in records)
            {
                var ticket = _ledger.Track(record.Offset);
                _offered.Add((record, ticket));
                _ledger.Complete(ticket);
            }
            """)
        {
            Weather = Weather.Kills,
        },
        new("The outbox deletes before it publishes", "Belfry.Outbox", "OutboxRelay.cs",
            "if (fresh.Count > 0) await log",
            """
            await store.DeleteAsync(lane, [.. pending.Select(message => message.Sequence)], cancel);
            if (fresh.Count > 0) await log
            """)
        {
            Weather = Weather.PortFaults,
        },
        new("The scheduler stores its position without the tasks", "Belfry.Scheduling", "SchedulerCore.Storage.cs",
            "Tasks = rows,", "Tasks = [],")
        {
            Weather = Weather.Kills,
        },
        new("A send cut off by a crash counts as sent", "Belfry.Deliveries", "DeliveryTransitions.cs",
            "var crashed = row.State == DeliveryState.Sending;",
            """
            var crashed = row.State == DeliveryState.Sending;
            if (crashed) row = row with { State = DeliveryState.Sent };
            if (crashed) return new(new(ClaimVerdict.Ended, row), row);
            """)
        {
            Weather = Weather.Kills,
        },
        new("A provider that is busy counts as told", "Belfry.Deliveries", "DeliveryCore.cs",
            "SendOutcome.Transient transient => Again(transient.Reason, transient.After),",
            "SendOutcome.Transient => completion,")
        {
            Weather = Weather.BadProviders,
        },
        new("A delivery given up leaves no dead letter", "Belfry.Deliveries", "PartitionDeliveries.cs",
            "if (row.State is DeliveryState.Dead or DeliveryState.Unknown)", "if (row.State is DeliveryState.Unknown)")
        {
            Weather = Weather.BadProviders,
        },
        new("The timeline takes a repeated entry for a new one", "Belfry.Alerting", "Timeline/TimelineFold.cs",
            "@entry_id, @partition_no,", "@entry_id || @log_offset, @partition_no,")
        {
            Weather = Weather.Everything,
        },
        new("Two records of one key run at once", "Belfry.Log", "LaneCore.cs",
            "if (_lanes.TryGetValue(key, out var lane)) return lane;", ""),
        new("An event is accepted before it is durable", "Belfry.Alerting", "Events/EventInlet.cs",
            "append.IsCompleted ? append : EndedWithinAsync(append.AsTask(), timeMax, cancel);", "ValueTask.CompletedTask;")
        {
            Weather = Weather.PortFaults,
        },
        new("A detour is acknowledged before other nodes can know of it", "Belfry.Alerting", "Events/EventDetour.cs",
            "        await Task.Delay(KnownToAll, _time, cancel);", "")
        {
            Weather = Weather.LateLog,
        },
        new("A node goes by its own detours alone", "Belfry.Alerting", "Events/DetourWatch.cs",
            "|| view.Shows(orderingKey);", "|| view is null;")
        {
            Weather = Weather.LateLog,
        },
        new("An owner starts from nothing what it planned before", "Belfry.Alerting", "Planning/PlanningFold.cs",
            "if (source.Topic != topics.PlanningFeedback.Name) await RestoreAsync(core, source, next[source], cancel);", "")
        {
            Weather = Weather.Kills,
        },
    ];
}
