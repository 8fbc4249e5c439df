using Belfry.Alerting;
using Belfry.Alerting.Events;
using Belfry.Alerting.Incidents;
using EventId = Belfry.Alerting.EventId;

namespace Belfry.Server.Incidents;

/// <summary>
/// Sends commands for API and pages, and waits until their owner has applied them, so that an answer shows the new state.
/// </summary>
internal sealed class CommandSender(
    IncidentCommandWriter writer, IncidentDirectory incidents, IncidentChanges changes, IdSource ids, TimeProvider time)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>A command with the fields that all kinds share; the caller adds its own.</summary>
    public IncidentCommand New(Incident incident, CommandKind kind, UserId? actor, string channel) => new()
    {
        Id = ids.Next<EventId>(),
        ServiceId = incident.ServiceId,
        IncidentId = incident.Id,
        Kind = kind,
        At = time.GetUtcNow(),
        ActorId = actor,
        Channel = channel,
    };

    /// <summary>
    /// Sends in order and waits up to 5 s in all. What became of each, in order; null: durable, not applied yet.
    /// </summary>
    /// <exception cref="Belfry.Log.LogUnavailableException">Not sent, or not all.</exception>
    public async Task<IReadOnlyList<EventState?>> SendAsync(IReadOnlyList<IncidentCommand> commands, CancellationToken cancel)
    {
        foreach (var command in commands) await writer.SendAsync(command, cancel);
        var states = new EventState?[commands.Count];
        var started = time.GetTimestamp();
        while (true)
        {
            var seen = changes.Version;
            for (var i = 0; i < states.Length; i++) states[i] ??= await incidents.EventStateAsync(commands[i].Id, cancel);
            var left = Patience - time.GetElapsedTime(started);
            if (left <= TimeSpan.Zero || states.All(state => state is { Progress: not EventProgress.Received })) return states;
            for (var i = 0; i < states.Length; i++)
                if (states[i] is { Progress: EventProgress.Received }) states[i] = null;
            await changes.WaitAsync(seen, left, time, cancel);
        }
    }
}
