using Belfry.Alerting.Events;

namespace Belfry.Alerting.Incidents;

/// <summary>What an event that took effect did.</summary>
public enum EventEffect
{
    /// <summary>Its trigger opened the incident.</summary>
    Opened,

    /// <summary>Something else to the incident; what, is in its timeline.</summary>
    Changed,

    /// <summary>It was kept as a change event of its service.</summary>
    Kept,
}

/// <summary>What became of one accepted event. What is not known any more is null.</summary>
public sealed record EventStory
{
    public required EventId Id { get; init; }
    public required EventProgress Progress { get; init; }

    /// <summary>When it came so far, UTC.</summary>
    public required DateTimeOffset At { get; init; }
    public DateTimeOffset? ReceivedAt { get; init; }
    public ServiceId? ServiceId { get; init; }
    public IntegrationId? IntegrationId { get; init; }
    public EventAction? Action { get; init; }
    public string? DedupKey { get; init; }
    public string? Summary { get; init; }

    /// <summary>Of a processed one; null when it changed nothing.</summary>
    public EventEffect? Effect { get; init; }

    /// <summary>Why it failed, or changed nothing.</summary>
    public string? Reason { get; init; }
    public IncidentId? IncidentId { get; init; }
}

/// <summary>
/// Says what became of events: the store's states, which are the truth and kept 14 days, with what the trail knows besides. Where the
/// trail is lost, an event that was received and not yet processed is unknown, and nothing else. Any thread.
/// </summary>
public sealed class EventLookup(IncidentDirectory directory, EventTrail trail, RefusedEvents refused)
{
    /// <summary>Null: no such event, or none that is known any more.</summary>
    public async ValueTask<EventStory?> FindAsync(EventId id, CancellationToken cancel)
    {
        var mark = await trail.FindAsync(id, cancel);
        return Merge(await directory.EventStateAsync(id, cancel), mark);
    }

    /// <summary>
    /// Events of a dedup key, newest first, at most <paramref name="limit"/> (1 to <see cref="IncidentDirectory.LimitMax"/>).
    /// </summary>
    public async ValueTask<IReadOnlyList<EventStory>> OfKeyAsync(
        IntegrationId integration, string dedupKey, int limit, CancellationToken cancel)
    {
        var marks = (await trail.ReceivedAsync(integration, dedupKey, cancel)).DistinctBy(mark => mark.Id).ToDictionary(mark => mark.Id);

        // Read after the trail: what was only received then may be in the store by now, further back than its newest.
        var states = (await directory.EventStatesAsync(integration, dedupKey, limit, cancel)).ToDictionary(state => state.Id);
        var others = marks.Keys.Where(id => !states.ContainsKey(id)).ToList();
        foreach (var state in await directory.EventStatesAsync(others, cancel)) states.Add(state.Id, state);
        return
        [
            .. states.Keys.Union(marks.Keys).Select(id => Merge(states.GetValueOrDefault(id), marks.GetValueOrDefault(id)))
                .OfType<EventStory>().OrderByDescending(story => story.ReceivedAt ?? story.At).ThenByDescending(story => story.Id.Value)
                .Take(limit),
        ];
    }

    /// <summary>
    /// The last <see cref="RefusedEvents.KeptMax"/> refused events of an integration, newest first: those of all processes, or while the
    /// trail cannot be read those of this one. Null: what carried no known routing key.
    /// </summary>
    public async ValueTask<IReadOnlyList<RefusedEvent>> RefusedAsync(IntegrationId? integration, CancellationToken cancel)
    {
        var all = await trail.RefusedAsync(integration, cancel) ?? [];
        return
        [
            .. all.Concat(refused.Of(integration)).DistinctBy(one => (one.At, one.Reason, one.DedupKey, one.Summary))
                .OrderByDescending(one => one.At).Take(RefusedEvents.KeptMax),
        ];
    }

    internal static EventStory? Merge(EventState? state, EventMark? mark)
    {
        if (state is null) return mark is null ? null : Of(mark);

        // States of commands are kept in the same place.
        if (mark is null && state.IntegrationId is null && state.IncidentId is not null) return null;

        // Failed, then replayed: on its way again.
        if (state.Progress == EventProgress.Failed && mark is { Progress: not EventProgress.Failed } && mark.At > state.At) return Of(mark);
        return new EventStory
        {
            Id = state.Id,
            Progress = state.Progress,
            At = state.At,
            ReceivedAt = mark?.ReceivedAt ?? TimeOf(state.Id),
            ServiceId = mark?.ServiceId,
            IntegrationId = state.IntegrationId ?? mark?.IntegrationId,
            Action = mark?.Action,
            DedupKey = state.IntegrationId is null ? mark?.DedupKey : state.DedupKey,
            Summary = mark?.Summary,
            Effect = EffectOf(state.Id, state.Progress, state.Reason, state.IncidentId),
            Reason = state.Reason,
            IncidentId = state.IncidentId,
        };
    }

    private static EventStory Of(EventMark mark) => new()
    {
        Id = mark.Id,
        Progress = mark.Progress,
        At = mark.At,
        ReceivedAt = mark.ReceivedAt,
        ServiceId = mark.ServiceId,
        IntegrationId = mark.IntegrationId,
        Action = mark.Action,
        DedupKey = mark.DedupKey,
        Summary = mark.Summary,
        Effect = EffectOf(mark.Id, mark.Progress, mark.Reason, mark.IncidentId),
        Reason = mark.Reason,
        IncidentId = mark.IncidentId,
    };

    // The id of an incident follows from the event that opened it.
    private static EventEffect? EffectOf(EventId id, EventProgress progress, string? reason, IncidentId? incident)
    {
        if (progress != EventProgress.Processed || reason is not null) return null;
        if (incident is null) return EventEffect.Kept;
        return IncidentCore.OpenedBy(id) == incident ? EventEffect.Opened : EventEffect.Changed;
    }

    // Ids that were derived from no time have none.
    private static DateTimeOffset? TimeOf(EventId id) =>
        id.Value.Version == 7 && Id.TimeOf(id.Value) is { Year: > 2000 } at ? at : null;
}
