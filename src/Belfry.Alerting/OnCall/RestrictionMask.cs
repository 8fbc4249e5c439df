namespace Belfry.Alerting.OnCall;

/// <summary>
/// When a layer's restrictions let it count. A window starts at the first and ends at the last occurrence of its local times, so the
/// repeated hour of a fall-back night is inside rather than lost.
/// </summary>
internal sealed class RestrictionMask(IReadOnlyList<LayerRestriction> restrictions, ScheduleZone zone)
{
    /// <summary>True always when there are no restrictions.</summary>
    public bool Allows(DateTimeOffset at)
    {
        if (restrictions.Count == 0) return true;
        var local = zone.LocalAt(at);
        foreach (var restriction in restrictions)
            foreach (var (start, end) in Windows(restriction, local, local))
                if (start <= at && at < end) return true;
        return false;
    }

    public void AddBoundaries(DateTimeOffset from, DateTimeOffset to, ISet<DateTimeOffset> into)
    {
        var (localFrom, localTo) = (zone.LocalAt(from), zone.LocalAt(to));
        foreach (var restriction in restrictions)
            foreach (var (start, end) in Windows(restriction, localFrom, localTo))
            {
                if (start > from && start < to) into.Add(start);
                if (end > from && end < to) into.Add(end);
            }
    }

    /// <summary>All windows that may touch the local days around [from, to], with two days to spare for transitions.</summary>
    private IEnumerable<(DateTimeOffset Start, DateTimeOffset End)> Windows(LayerRestriction restriction, DateTime from, DateTime to)
    {
        var lengthDays = restriction.DurationSeconds / 86_400 + 2;
        for (var day = from.Date.AddDays(-lengthDays); day <= to.Date.AddDays(2); day = day.AddDays(1))
        {
            if (restriction.StartDayOfWeek is { } weekday && IsoWeekday(day) != weekday) continue;
            var start = day + restriction.StartTimeOfDay.ToTimeSpan();
            yield return (zone.FirstInstantOf(start), zone.LastInstantOf(start.AddSeconds(restriction.DurationSeconds)));
        }
    }

    internal static int IsoWeekday(DateTime day) => day.DayOfWeek == DayOfWeek.Sunday ? 7 : (int)day.DayOfWeek;
}
