namespace Belfry.Alerting.OnCall;

/// <summary>
/// Numbers the turns that restrictions touch: a turn wholly outside them takes no place in the rotation. On the wall clock both turns
/// and restrictions repeat with the least common multiple of turn and week, so one such period is counted and the rest is arithmetic.
/// </summary>
internal sealed class CoveredTurns
{
    private const long WeekTicks = 7 * TimeSpan.TicksPerDay;

    private readonly long _turns;
    private readonly int[] _before;

    public CoveredTurns(DateTime virtualStart, long turnTicks, IReadOnlyList<LayerRestriction> restrictions)
    {
        _turns = WeekTicks / Gcd(turnTicks, WeekTicks);
        _before = new int[_turns + 1];
        var first = virtualStart.Ticks - Monday(virtualStart).Ticks;
        for (var turn = 0L; turn < _turns; turn++)
        {
            var start = (first + turn * turnTicks % WeekTicks) % WeekTicks;
            _before[turn + 1] = _before[turn] + (Touches(start, turnTicks, restrictions) ? 1 : 0);
        }
    }

    /// <summary>How many turns with a place come before this one, counted from turn 0; negative before it.</summary>
    public long PlaceOf(long turn) =>
        LayerRotation.FloorDiv(turn, _turns) * _before[_turns] + _before[LayerRotation.FloorMod(turn, _turns)];

    private static bool Touches(long start, long length, IReadOnlyList<LayerRestriction> restrictions)
    {
        if (length >= WeekTicks) return true;
        foreach (var restriction in restrictions)
        {
            var window = restriction.DurationSeconds * TimeSpan.TicksPerSecond;
            for (var weekday = 1; weekday <= 7; weekday++)
            {
                if (restriction.StartDayOfWeek is { } only && only != weekday) continue;
                var at = (weekday - 1) * TimeSpan.TicksPerDay + restriction.StartTimeOfDay.Ticks;
                if (LayerRotation.FloorMod(at - start, WeekTicks) < length || LayerRotation.FloorMod(start - at, WeekTicks) < window)
                    return true;
            }
        }

        return false;
    }

    private static DateTime Monday(DateTime local) => local.Date.AddDays(1 - RestrictionMask.IsoWeekday(local));

    private static long Gcd(long a, long b) => b == 0 ? a : Gcd(b, a % b);
}
