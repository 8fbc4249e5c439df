using Belfry.Outbox;

namespace Belfry.Alerting.Incidents;

/// <summary>An incident with the growing number that people know it by.</summary>
public sealed record NumberedIncident(long Number, Incident Incident);

/// <summary>Which incidents to list; an empty list or null means any.</summary>
public sealed record IncidentFilter
{
    public IReadOnlyList<IncidentStatus> Statuses { get; init; } = [];
    public IReadOnlyList<ServiceId> ServiceIds { get; init; } = [];
    public Urgency? Urgency { get; init; }

    /// <summary>Only those this user is assigned to now.</summary>
    public UserId? AssigneeId { get; init; }

    /// <summary>Created at or after.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>Created before.</summary>
    public DateTimeOffset? Until { get; init; }
}

/// <summary>Reads what the incident hop wrote: committed state only, never ahead of it. Safe for use by several threads.</summary>
public sealed class IncidentDirectory(IOutboxStore store)
{
    /// <summary>Null when there is no such incident (yet).</summary>
    public ValueTask<NumberedIncident?> FindAsync(IncidentId id, CancellationToken cancel) => throw new NotSupportedException($"{store}");

    /// <summary>Null when there is no incident of this number.</summary>
    public ValueTask<NumberedIncident?> FindByNumberAsync(long number, CancellationToken cancel) => throw new NotSupportedException();

    /// <summary>Newest first (by number), with the number of all that match.</summary>
    /// <param name="filter">Which.</param>
    /// <param name="offset">How many to skip, 0 or more.</param>
    /// <param name="limit">At most how many, 1 to 250.</param>
    /// <param name="cancel">Ends the wait.</param>
    public ValueTask<(IReadOnlyList<NumberedIncident> Items, long Total)> ListAsync(
        IncidentFilter filter, int offset, int limit, CancellationToken cancel) => throw new NotSupportedException();

    /// <summary>A service's change events, newest first, at most <paramref name="limit"/> (1 to 250).</summary>
    public ValueTask<IReadOnlyList<Events.AlertEvent>> ChangeEventsAsync(ServiceId serviceId, int limit, CancellationToken cancel) =>
        throw new NotSupportedException();

    /// <summary>What became of an event or a command; null while it has not been read from the log.</summary>
    public ValueTask<EventState?> EventStateAsync(EventId id, CancellationToken cancel) => throw new NotSupportedException();

    /// <summary>The newest <paramref name="limit"/> (1 to 250) events of a dedup key, newest first.</summary>
    public ValueTask<IReadOnlyList<EventState>> EventStatesAsync(IntegrationId integrationId, string dedupKey, int limit, CancellationToken cancel) =>
        throw new NotSupportedException();

    /// <summary>
    /// The last look before a send: null while the user is still to be notified for this incident at this epoch, else why not
    /// (<c>acknowledged</c>, <c>resolved</c>, <c>reassigned</c>, <c>reassigned_since</c>, <c>unknown_incident</c>).
    /// </summary>
    public ValueTask<string?> WhyNotNotifyAsync(IncidentId id, UserId userId, long epoch, CancellationToken cancel) => throw new NotSupportedException();
}
