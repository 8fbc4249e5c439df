using Belfry.Alerting.Catalog;
using Belfry.Outbox;

namespace Belfry.Alerting.OnCall;

/// <summary>What a caller says of a schedule, without its overrides. Name: 1 to 255 characters; users must exist; 1 to 50 layers.</summary>
public sealed record ScheduleDraft(string Name, string TimeZone, IReadOnlyList<ScheduleLayer> Layers);

/// <summary>What a caller says of an override: [Start, End), at most 366 days.</summary>
public sealed record OverrideDraft(UserId UserId, DateTimeOffset Start, DateTimeOffset End);

/// <summary>
/// On-call schedules and their overrides. Every change is one transaction: tables, catalog version and audit row. Safe for use by
/// several threads.
/// </summary>
public sealed class ScheduleStore(IOutboxStore store, CatalogReader catalog, IdSource ids)
{
    private const int OverridesMax = 1_000;
    private static readonly TimeSpan OverrideLengthMax = TimeSpan.FromDays(366);
    private readonly ConfigurationWriter _writer = new(store, catalog);

    public ValueTask<ChangeResult<OnCallSchedule>> CreateAsync(
        ScheduleDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        SaveAsync(ids.Next<ScheduleId>(), isNew: true, draft, by, now, cancel);

    /// <summary>Keeps the overrides.</summary>
    public ValueTask<ChangeResult<OnCallSchedule>> UpdateAsync(
        ScheduleId id, ScheduleDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        SaveAsync(id, isNew: false, draft, by, now, cancel);

    /// <summary>In use by escalation policies: refused.</summary>
    public ValueTask<ChangeResult<OnCallSchedule>> DeleteAsync(ScheduleId id, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        _writer.ChangeAsync<OnCallSchedule>(by, now, change =>
        {
            if (CatalogTables.Schedules.Find(change.Connection, id.ToString()) is not { } schedule)
                return new ChangeResult<OnCallSchedule>.Missing($"schedule {id}");
            if (change.ReferrersOf(ObjectKinds.Schedule, id.ToString()) is { Count: > 0 } users)
                return new ChangeResult<OnCallSchedule>.InUse(ObjectKinds.Describe(ObjectKinds.Schedule, schedule.Name), users);
            CatalogTables.Schedules.Delete(change.Connection, id.ToString());
            change.Deleted(ObjectKinds.Schedule, id.ToString(), CatalogTables.Schedules.Text(schedule));
            return new ChangeResult<OnCallSchedule>.Done(schedule);
        }, cancel);

    public ValueTask<OnCallSchedule?> FindAsync(ScheduleId id, CancellationToken cancel) =>
        store.ReadAsync(connection => ValueTask.FromResult(CatalogTables.Schedules.Find(connection, id.ToString())), cancel);

    /// <summary>By name, then id.</summary>
    public ValueTask<Page<OnCallSchedule>> ListAsync(int offset, int limit, CancellationToken cancel) =>
        store.ReadAsync(connection => ValueTask.FromResult(CatalogTables.Schedules.Page(connection, offset, limit)), cancel);

    /// <summary>Goes on top of all earlier ones. One that has ended already is refused; a start in the past becomes now.</summary>
    public ValueTask<ChangeResult<ScheduleOverride>> AddOverrideAsync(
        ScheduleId id, OverrideDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel)
    {
        var start = draft.Start < now ? now : draft.Start;
        var added = new ScheduleOverride(ids.NextGuid(), draft.UserId, start.ToUniversalTime(), draft.End.ToUniversalTime());
        return ChangeOverridesAsync(id, by, now, (change, schedule) =>
        {
            var faults = new FaultList();
            faults.Unless(change.Exists(ObjectKinds.User, draft.UserId.ToString()), $"There is no user {draft.UserId}.");
            faults.Unless(draft.Start < draft.End, $"The override ends at {draft.End:u}, not after its start at {draft.Start:u}.");
            faults.Unless(draft.End > now, $"The override ended at {draft.End:u}, in the past; the past cannot be changed.");
            faults.Unless(
                draft.End - draft.Start <= OverrideLengthMax,
                $"The override lasts {(draft.End - draft.Start).TotalDays:0} of at most 366 days.");
            faults.Unless(
                schedule.Overrides.Count(o => o.End > now) < OverridesMax,
                $"Schedule '{schedule.Name}' has {OverridesMax} of at most {OverridesMax} present and future overrides; remove one.");
            return faults.Any
                ? (schedule, new ChangeResult<ScheduleOverride>.Invalid(faults.Faults))
                : (schedule with { Overrides = [.. Recent(schedule, now), added] }, new ChangeResult<ScheduleOverride>.Done(added));
        }, cancel);
    }

    /// <summary>Removes one that has not begun; ends one that runs; one that is past is refused.</summary>
    public ValueTask<ChangeResult<ScheduleOverride>> RemoveOverrideAsync(
        ScheduleId id, Guid overrideId, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        ChangeOverridesAsync(id, by, now, (_, schedule) =>
        {
            if (schedule.Overrides.FirstOrDefault(o => o.Id == overrideId) is not { } found)
                return (schedule, new ChangeResult<ScheduleOverride>.Missing($"override {overrideId:N} of schedule '{schedule.Name}'"));
            if (found.End <= now)
                return (
                    schedule,
                    new ChangeResult<ScheduleOverride>.Invalid([$"The override ended at {found.End:u}; the past cannot be changed."]));
            var ended = found.Start < now ? found with { End = now.ToUniversalTime() } : null;
            IReadOnlyList<ScheduleOverride> left =
                [.. schedule.Overrides.Select(o => o.Id == overrideId ? ended : o).OfType<ScheduleOverride>()];
            return (schedule with { Overrides = left }, new ChangeResult<ScheduleOverride>.Done(ended ?? found));
        }, cancel);

    // Past overrides are kept for a year, for display; the newest thousand of them.
    private static IEnumerable<ScheduleOverride> Recent(OnCallSchedule schedule, DateTimeOffset now)
    {
        var kept = schedule.Overrides.Where(o => o.End > now - OverrideLengthMax).ToList();
        var surplus = kept.Count(o => o.End <= now) - OverridesMax;
        var dropped = kept.Where(o => o.End <= now).OrderBy(o => o.End).Take(Math.Max(0, surplus)).ToHashSet();
        return kept.Where(o => !dropped.Contains(o));
    }

    private ValueTask<ChangeResult<ScheduleOverride>> ChangeOverridesAsync(
        ScheduleId id, Actor by, DateTimeOffset now,
        Func<ConfigurationChange, OnCallSchedule, (OnCallSchedule, ChangeResult<ScheduleOverride>)> work, CancellationToken cancel) =>
        _writer.ChangeAsync<ScheduleOverride>(by, now, change =>
        {
            if (CatalogTables.Schedules.Find(change.Connection, id.ToString()) is not { } former)
                return new ChangeResult<ScheduleOverride>.Missing($"schedule {id}");
            var (schedule, result) = work(change, former);
            if (result is ChangeResult<ScheduleOverride>.Done) Save(change, former, schedule);
            return result;
        }, cancel);

    private ValueTask<ChangeResult<OnCallSchedule>> SaveAsync(
        ScheduleId id, bool isNew, ScheduleDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        _writer.ChangeAsync<OnCallSchedule>(by, now, change =>
        {
            var former = isNew ? null : CatalogTables.Schedules.Find(change.Connection, id.ToString());
            if (!isNew && former is null) return new ChangeResult<OnCallSchedule>.Missing($"schedule {id}");
            var faults = ScheduleFaults.Of(draft, user => change.Exists(ObjectKinds.User, user.ToString()));
            if (faults.Any) return new ChangeResult<OnCallSchedule>.Invalid(faults.Faults);
            var schedule = new OnCallSchedule(
                id, draft.Name.Trim(), draft.TimeZone, [.. draft.Layers.Select(Local)], former?.Overrides ?? []);
            Save(change, former, schedule);
            return new ChangeResult<OnCallSchedule>.Done(schedule);
        }, cancel);

    // Only users of the layers and of overrides that are not past count as referred to.
    private static void Save(ConfigurationChange change, OnCallSchedule? former, OnCallSchedule schedule)
    {
        var users = schedule.Layers.SelectMany(layer => layer.Users).OfType<UserId>()
            .Concat(schedule.Overrides.Where(o => o.End > change.Now).Select(o => o.UserId));
        CatalogTables.Schedules.Save(change.Connection, schedule.Id.ToString(), schedule, schedule.Name);
        change.Saved(
            ObjectKinds.Schedule, schedule.Id.ToString(), schedule.Name,
            users.Select(user => new ObjectReference(ObjectKinds.User, user.ToString())),
            former is null ? null : CatalogTables.Schedules.Text(former), CatalogTables.Schedules.Text(schedule));
    }

    // Local times have no offset, whatever kind the caller's parser gave them.
    private static ScheduleLayer Local(ScheduleLayer layer) => layer with
    {
        Start = DateTime.SpecifyKind(layer.Start, DateTimeKind.Unspecified),
        End = layer.End is { } end ? DateTime.SpecifyKind(end, DateTimeKind.Unspecified) : null,
        RotationVirtualStart = DateTime.SpecifyKind(layer.RotationVirtualStart, DateTimeKind.Unspecified),
    };
}
