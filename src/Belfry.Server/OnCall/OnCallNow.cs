using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.OnCall;

namespace Belfry.Server.OnCall;

/// <summary>One person on call at one level of one policy.</summary>
/// <param name="UserId">Who.</param>
/// <param name="Policy">Of which policy.</param>
/// <param name="Level">At which level, from 1.</param>
/// <param name="Schedule">Through which schedule; null when named directly, and so always.</param>
/// <param name="Start">Since when, as far as the last 35 days tell; null when named directly.</param>
/// <param name="End">Until when; null when named directly, or when nothing changes within 400 days.</param>
internal sealed record OnCallNow(
    UserId UserId, EscalationPolicy Policy, int Level, OnCallSchedule? Schedule, DateTimeOffset? Start, DateTimeOffset? End)
{
    private static readonly TimeSpan LookBack = TimeSpan.FromDays(35);

    /// <summary>By policy name, level, then the order of the targets.</summary>
    public static IReadOnlyList<OnCallNow> Of(CatalogSnapshot catalog, DateTimeOffset now)
    {
        var shifts = catalog.Schedules.ToDictionary(schedule => schedule.Id, schedule => ShiftNow(schedule, now));
        List<OnCallNow> found = [];
        foreach (var policy in catalog.Policies.OrderBy(policy => policy.Name, StringComparer.Ordinal).ThenBy(policy => policy.Id.Value))
            foreach (var (index, level) in policy.Levels.Index())
                foreach (var target in level.Targets)
                {
                    if (target.Kind == TargetKind.User)
                        found.Add(new OnCallNow(new UserId(target.Id), policy, index + 1, null, null, null));
                    else if (catalog.Schedule(new ScheduleId(target.Id)) is { } schedule
                        && shifts[schedule.Id] is { UserId: { } user } shift)
                        found.Add(new OnCallNow(user, policy, index + 1, schedule, shift.Start, EndOf(shift)));
                }

        return found;
    }

    private static DateTimeOffset? EndOf(Shift shift) => shift.End == DateTimeOffset.MaxValue ? null : shift.End;

    /// <summary>The shift that holds now, a gap included.</summary>
    public static Shift ShiftNow(OnCallSchedule schedule, DateTimeOffset now)
    {
        var user = OnCallRota.WhoIsOnCall(schedule, now);
        var shifts = OnCallRota.Shifts(schedule, now - LookBack, now.AddMinutes(1)).Final;
        var start = shifts.LastOrDefault(shift => shift.Start <= now && shift.End > now)?.Start ?? now;
        return new Shift(user, start, OnCallRota.NextChange(schedule, now) ?? DateTimeOffset.MaxValue);
    }
}
