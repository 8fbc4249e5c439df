namespace Belfry.Alerting.OnCall;

/// <summary>Someone's, or nobody's, time on call: half-open [<paramref name="Start"/>, <paramref name="End"/>), UTC.</summary>
/// <param name="UserId">Null: a gap.</param>
/// <param name="Start">Included.</param>
/// <param name="End">Excluded.</param>
/// <param name="OverrideId">The override that put the user there; null when a layer did.</param>
public sealed record Shift(UserId? UserId, DateTimeOffset Start, DateTimeOffset End, Guid? OverrideId = null);

/// <summary>The shifts of a window. Each list covers the window without overlap, gaps included as shifts of nobody.</summary>
/// <param name="Final">Who is on call.</param>
/// <param name="Layers">One list a layer, in display order.</param>
/// <param name="NextChange">The first instant at or after the window's end when the final schedule's user changes; null if none within 400
/// days.</param>
/// <param name="Coverage">Share of the window with somebody on call, 0 to 1.</param>
public sealed record RotaShifts(
    IReadOnlyList<Shift> Final, IReadOnlyList<IReadOnlyList<Shift>> Layers, DateTimeOffset? NextChange, double Coverage);

/// <summary>
/// Who is on call: a pure function of a schedule and a time, the same for paging, display and reminders. The override on top, of
/// several the last; else the last layer with a user; else nobody. A vacant seat lets lower layers through. Thread-safe.
/// </summary>
public static class OnCallRota
{
    /// <summary>The longest window of <see cref="Shifts"/>.</summary>
    public static readonly TimeSpan WindowMax = TimeSpan.FromDays(400);

    /// <summary>The one user on call at <paramref name="at"/>, or null for a gap. An unknown time zone counts as UTC.</summary>
    public static UserId? WhoIsOnCall(OnCallSchedule schedule, DateTimeOffset at) => FinalAt(schedule, Rotations(schedule), at).User;

    /// <summary>The shifts of [<paramref name="from"/>, <paramref name="to"/>). Adjoining turns of one user are one shift.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The window is empty or longer than <see cref="WindowMax"/>.</exception>
    public static RotaShifts Shifts(OnCallSchedule schedule, DateTimeOffset from, DateTimeOffset to)
    {
        if (to <= from || to - from > WindowMax)
            throw new ArgumentOutOfRangeException(
                nameof(to), $"A window of shifts is more than 0 and at most {WindowMax.TotalDays} days long, not {to - from}.");
        (from, to) = (from.ToUniversalTime(), to.ToUniversalTime());
        var rotations = Rotations(schedule);
        var layers = new List<IReadOnlyList<Shift>>(rotations.Length);
        foreach (var rotation in rotations)
        {
            var boundaries = new SortedSet<DateTimeOffset>();
            rotation.AddBoundaries(from, to, boundaries);
            layers.Add(Sliced(from, to, boundaries, at => (rotation.UserAt(at), null)));
        }

        var final = Final(schedule, rotations, from, to);
        var covered = final.Where(shift => shift.UserId is not null).Sum(shift => (double)(shift.End - shift.Start).Ticks);
        return new RotaShifts(final, layers, NextChange(schedule, to.AddTicks(-1)), covered / (to - from).Ticks);
    }

    /// <summary>The first instant after <paramref name="after"/> when the user on call changes; null if none within 400 days.</summary>
    public static DateTimeOffset? NextChange(OnCallSchedule schedule, DateTimeOffset after)
    {
        var rotations = Rotations(schedule);
        var from = after.ToUniversalTime();
        foreach (var days in (int[])[2, 14, 384])
        {
            var to = from.AddDays(days);
            var first = FinalAt(schedule, rotations, from).User;
            foreach (var shift in Final(schedule, rotations, from, to))
                if (shift.UserId != first) return shift.Start;
            from = to.AddTicks(-1);
        }

        return null;
    }

    private static LayerRotation[] Rotations(OnCallSchedule schedule)
    {
        var zone = ScheduleZone.Of(schedule.TimeZone);
        return [.. schedule.Layers.Select(layer => new LayerRotation(layer, zone))];
    }

    private static (UserId? User, Guid? Override) FinalAt(OnCallSchedule schedule, LayerRotation[] rotations, DateTimeOffset at)
    {
        for (var i = schedule.Overrides.Count - 1; i >= 0; i--)
            if (schedule.Overrides[i] is var over && over.Start <= at && at < over.End) return (over.UserId, over.Id);
        for (var i = rotations.Length - 1; i >= 0; i--)
            if (rotations[i].UserAt(at) is { } user) return (user, null);
        return (null, null);
    }

    private static List<Shift> Final(OnCallSchedule schedule, LayerRotation[] rotations, DateTimeOffset from, DateTimeOffset to)
    {
        var boundaries = new SortedSet<DateTimeOffset>();
        foreach (var rotation in rotations) rotation.AddBoundaries(from, to, boundaries);
        foreach (var over in schedule.Overrides)
        {
            if (over.Start > from && over.Start < to) boundaries.Add(over.Start.ToUniversalTime());
            if (over.End > from && over.End < to) boundaries.Add(over.End.ToUniversalTime());
        }

        return Sliced(from, to, boundaries, at => FinalAt(schedule, rotations, at));
    }

    private static List<Shift> Sliced(
        DateTimeOffset from, DateTimeOffset to, SortedSet<DateTimeOffset> boundaries,
        Func<DateTimeOffset, (UserId? User, Guid? Override)> at)
    {
        var shifts = new List<Shift>();
        var (start, who) = (from, at(from));
        foreach (var boundary in boundaries)
        {
            var next = at(boundary);
            if (next == who) continue;
            shifts.Add(new Shift(who.User, start, boundary, who.Override));
            (start, who) = (boundary, next);
        }

        shifts.Add(new Shift(who.User, start, to, who.Override));
        return shifts;
    }
}
