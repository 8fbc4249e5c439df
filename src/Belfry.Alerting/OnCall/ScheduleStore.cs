using Belfry.Alerting.Catalog;
using Belfry.Outbox;

namespace Belfry.Alerting.OnCall;

/// <summary>What a caller says of a schedule, without its overrides. Name: 1 to 255 characters; users must exist; at most 50 layers.</summary>
public sealed record ScheduleDraft(string Name, string TimeZone, IReadOnlyList<ScheduleLayer> Layers);

/// <summary>What a caller says of an override: [Start, End), at most 366 days.</summary>
public sealed record OverrideDraft(UserId UserId, DateTimeOffset Start, DateTimeOffset End);

/// <summary>On-call schedules and their overrides. Every change is one transaction: tables, catalog version and audit row.</summary>
public sealed class ScheduleStore(IOutboxStore store, CatalogReader catalog, IdSource ids)
{
    public ValueTask<ChangeResult<OnCallSchedule>> CreateAsync(ScheduleDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        throw new NotSupportedException($"{store}{catalog}{ids}");

    /// <summary>Keeps the overrides.</summary>
    public ValueTask<ChangeResult<OnCallSchedule>> UpdateAsync(
        ScheduleId id, ScheduleDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) => throw new NotSupportedException();

    /// <summary>In use by escalation policies: refused.</summary>
    public ValueTask<ChangeResult<OnCallSchedule>> DeleteAsync(ScheduleId id, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        throw new NotSupportedException();

    public ValueTask<OnCallSchedule?> FindAsync(ScheduleId id, CancellationToken cancel) => throw new NotSupportedException();

    /// <summary>By name, then id.</summary>
    public ValueTask<Page<OnCallSchedule>> ListAsync(int offset, int limit, CancellationToken cancel) => throw new NotSupportedException();

    /// <summary>Goes on top of all earlier ones. One that has ended already is refused.</summary>
    public ValueTask<ChangeResult<ScheduleOverride>> AddOverrideAsync(
        ScheduleId id, OverrideDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) => throw new NotSupportedException();

    /// <summary>Removes one that has not begun; ends one that runs; one that is past is refused.</summary>
    public ValueTask<ChangeResult<ScheduleOverride>> RemoveOverrideAsync(
        ScheduleId id, Guid overrideId, Actor by, DateTimeOffset now, CancellationToken cancel) => throw new NotSupportedException();
}
