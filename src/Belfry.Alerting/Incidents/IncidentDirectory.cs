using System.Text.Json;
using Belfry.Alerting.Events;
using Belfry.Outbox;
using Dapper;

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
    public const int LimitMax = 250;

    /// <summary>Null when there is no such incident (yet).</summary>
    public ValueTask<NumberedIncident?> FindAsync(IncidentId id, CancellationToken cancel) =>
        OneAsync("id = @id", new { id = id.ToString() }, cancel);

    /// <summary>Null when there is no incident of this number.</summary>
    public ValueTask<NumberedIncident?> FindByNumberAsync(long number, CancellationToken cancel) =>
        OneAsync("number = @number", new { number }, cancel);

    /// <summary>Newest first (by number), with the number of all that match.</summary>
    /// <param name="filter">Which.</param>
    /// <param name="offset">How many to skip, 0 or more.</param>
    /// <param name="limit">At most how many, 1 to <see cref="LimitMax"/>.</param>
    /// <param name="cancel">Ends the wait.</param>
    public ValueTask<(IReadOnlyList<NumberedIncident> Items, long Total)> ListAsync(
        IncidentFilter filter, int offset, int limit, CancellationToken cancel)
    {
        CheckWindow(offset, limit);
        var (where, parameters) = Where(filter);
        parameters.Add("offset", offset);
        parameters.Add("limit", limit);
        return store.ReadAsync(connection =>
        {
            var total = connection.ExecuteScalar<long>($"select count(*) from incident where {where}", parameters);
            var rows = connection.Query<(long, string)>(
                $"select number, document from incident where {where} order by number desc limit @limit offset @offset", parameters);
            return ValueTask.FromResult<(IReadOnlyList<NumberedIncident>, long)>(([.. rows.Select(IncidentTables.Read)], total));
        }, cancel);
    }

    /// <summary>
    /// A service's change events, newest first, at most <paramref name="limit"/> (1 to <see cref="LimitMax"/>). Kept 90 days.
    /// </summary>
    public ValueTask<IReadOnlyList<AlertEvent>> ChangeEventsAsync(ServiceId serviceId, int limit, CancellationToken cancel)
    {
        CheckWindow(0, limit);
        return store.ReadAsync(connection => ValueTask.FromResult<IReadOnlyList<AlertEvent>>(
        [
            .. connection.Query<string>(
                    "select document from change_event where service_id = @service order by at_ms desc, id desc limit @limit",
                    new { service = serviceId.ToString(), limit })
                .Select(document => JsonSerializer.Deserialize(document, IncidentJson.Default.AlertEvent)!),
        ]), cancel);
    }

    /// <summary>What became of an event or a command; null while it has not been read from the log. Kept 14 days.</summary>
    public ValueTask<EventState?> EventStateAsync(EventId id, CancellationToken cancel) => store.ReadAsync(connection =>
        ValueTask.FromResult(connection.Query<StateRow>($"{StateRow.Select} where id = @id", new { id = id.ToString() })
            .Select(row => row.State).SingleOrDefault()), cancel);

    /// <summary>What became of each, of those that have been read from the log; at most <see cref="LimitMax"/> ids.</summary>
    public ValueTask<IReadOnlyList<EventState>> EventStatesAsync(IReadOnlyList<EventId> ids, CancellationToken cancel)
    {
        if (ids.Count == 0) return new([]);
        CheckWindow(0, ids.Count);
        var parameters = new DynamicParameters();
        for (var n = 0; n < ids.Count; n++) parameters.Add($"id_{n}", ids[n].ToString());
        var names = string.Join(", ", ids.Select((_, n) => $"@id_{n}"));
        return store.ReadAsync(connection => ValueTask.FromResult<IReadOnlyList<EventState>>(
            [.. connection.Query<StateRow>($"{StateRow.Select} where id in ({names})", parameters).Select(row => row.State)]), cancel);
    }

    /// <summary>
    /// The newest <paramref name="limit"/> (1 to <see cref="LimitMax"/>) events of a dedup key in the order of their ids, newest first.
    /// </summary>
    public ValueTask<IReadOnlyList<EventState>> EventStatesAsync(
        IntegrationId integrationId, string dedupKey, int limit, CancellationToken cancel)
    {
        CheckWindow(0, limit);
        return store.ReadAsync(connection => ValueTask.FromResult<IReadOnlyList<EventState>>(
        [
            .. connection.Query<StateRow>(
                    $"{StateRow.Select} where integration_id = @integration and dedup_key = @dedupKey " +
                    "order by id desc limit @limit",
                    new { integration = integrationId.ToString(), dedupKey = IncidentTables.Storable(dedupKey), limit })
                .Select(row => row.State),
        ]), cancel);
    }

    /// <summary>
    /// The last look before a send: null while the user is still to be notified for this incident at this epoch, else why not
    /// (<c>acknowledged</c>, <c>resolved</c>, <c>reassigned</c>, <c>reassigned_since</c>, <c>unknown_incident</c>).
    /// </summary>
    public ValueTask<string?> WhyNotNotifyAsync(
        IncidentId id, UserId userId, long epoch, CancellationToken cancel) => store.ReadAsync(connection =>
    {
        var rows = connection.Query<(long Status, string Responders)>(
            "select status, responders from incident where id = @id", new { id = id.ToString() }).ToList();
        return ValueTask.FromResult(
            rows is [var row] ? WhyNot((IncidentStatus)row.Status, row.Responders, userId, epoch) : "unknown_incident");
    }, cancel);

    private static string? WhyNot(IncidentStatus status, string responders, UserId user, long epoch)
    {
        if (status != IncidentStatus.Triggered) return IncidentCommands.NameOf(status);
        return ResponderColumn.EpochOf(responders, user) switch
        {
            null => "reassigned",
            { } assigned when assigned > epoch => "reassigned_since",
            _ => null,
        };
    }

    private ValueTask<NumberedIncident?> OneAsync(
        string where, object parameters, CancellationToken cancel) => store.ReadAsync(connection =>
        ValueTask.FromResult(connection.Query<(long, string)>($"select number, document from incident where {where}", parameters)
            .Select(IncidentTables.Read).SingleOrDefault()), cancel);

    private static (string Sql, DynamicParameters Parameters) Where(IncidentFilter filter)
    {
        var parameters = new DynamicParameters();
        var terms = new List<string> { "1 = 1" };
        AddAny("status", filter.Statuses.Select(status => (object)(long)status));
        AddAny("service_id", filter.ServiceIds.Select(id => (object)id.ToString()));
        Add(filter.Urgency is not null, "urgency = @urgency", "urgency", (long?)filter.Urgency);
        Add(
            filter.AssigneeId is not null, "status <> 2 and responders like @user", "user",
            ResponderColumn.Like(filter.AssigneeId ?? default));
        Add(filter.Since is not null, "created_at >= @since", "since", filter.Since?.ToUnixTimeMilliseconds());
        Add(filter.Until is not null, "created_at < @until", "until", filter.Until?.ToUnixTimeMilliseconds());
        return (string.Join(" and ", terms), parameters);

        void Add(bool given, string term, string name, object? value)
        {
            if (!given) return;
            terms.Add(term);
            parameters.Add(name, value);
        }

        // A parameter each: Dapper spells a list as one array where the driver has arrays, which "in" does not take.
        void AddAny(string column, IEnumerable<object> values)
        {
            var names = values.Select((value, n) =>
            {
                parameters.Add($"{column}_{n}", value);
                return $"@{column}_{n}";
            }).ToList();
            if (names.Count > 0) terms.Add($"{column} in ({string.Join(", ", names)})");
        }
    }

    private static void CheckWindow(int offset, int limit)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        if (limit is < 1 or > LimitMax) throw new ArgumentOutOfRangeException(nameof(limit), limit, $"A list holds 1 to {LimitMax} rows.");
    }

    private sealed class StateRow
    {
        public const string Select = """
            select id as Id, integration_id as Integration, dedup_key as DedupKey, progress as Progress, reason as Reason,
                incident_id as Incident, at_ms as AtMs from event_state
            """;

        public string Id { get; init; } = "";
        public string? Integration { get; init; }
        public string DedupKey { get; init; } = "";
        public long Progress { get; init; }
        public string? Reason { get; init; }
        public string? Incident { get; init; }
        public long AtMs { get; init; }

        public EventState State => new(
            Alerting.Id.Parse<EventId>(Id), Integration is null ? null : Alerting.Id.Parse<IntegrationId>(Integration), DedupKey,
            (EventProgress)Progress, Reason, Incident is null ? null : Alerting.Id.Parse<IncidentId>(Incident),
            DateTimeOffset.FromUnixTimeMilliseconds(AtMs));
    }
}
