namespace Belfry.Alerting.OnCall;

/// <summary>
/// One layer of a schedule as a function of time. Turns and restrictions are laid out on the wall clock, then mapped to instants, so a
/// 09:00 handoff stays at 09:00 over every transition of the zone.
/// </summary>
internal sealed class LayerRotation
{
    private readonly ScheduleLayer _layer;
    private readonly ScheduleZone _zone;
    private readonly long _turnTicks;
    private readonly DateTimeOffset _start;
    private readonly DateTimeOffset _end;
    private readonly RestrictionMask _mask;
    private readonly CoveredTurns? _covered;

    public LayerRotation(ScheduleLayer layer, ScheduleZone zone)
    {
        _layer = layer;
        _zone = zone;
        _turnTicks = Math.Max(1, layer.TurnLengthSeconds) * TimeSpan.TicksPerSecond;
        _start = zone.FirstInstantOf(layer.Start);
        _end = layer.End is { } end ? zone.FirstInstantOf(end) : DateTimeOffset.MaxValue;
        _mask = new RestrictionMask(layer.Restrictions, zone);
        _covered = layer.Advance == TurnAdvance.Covered && layer.Restrictions.Count > 0
            ? new CoveredTurns(layer.RotationVirtualStart, _turnTicks, layer.Restrictions)
            : null;
    }

    /// <summary>Null: outside the layer's time or restrictions, or a vacant seat.</summary>
    public UserId? UserAt(DateTimeOffset at)
    {
        if (_layer.Users.Count == 0 || at < _start || at >= _end || !_mask.Allows(at)) return null;
        var turn = TurnAt(at);
        var place = _covered?.PlaceOf(turn) ?? turn;
        return _layer.Users[(int)FloorMod(place, _layer.Users.Count)];
    }

    /// <summary>Adds every instant strictly inside the window where the answer may change.</summary>
    public void AddBoundaries(DateTimeOffset from, DateTimeOffset to, ISet<DateTimeOffset> into)
    {
        AddInside(_start);
        AddInside(_end);
        if (_layer.Users.Distinct().Skip(1).Any()) AddHandoffs();
        _mask.AddBoundaries(from, to, into);

        void AddHandoffs()
        {
            var turn = TurnAt(from) + 1;
            for (var at = TurnStart(turn); at < to; at = TurnStart(++turn)) AddInside(at);
        }

        void AddInside(DateTimeOffset at)
        {
            if (at > from && at < to) into.Add(at);
        }
    }

    /// <summary>The last turn that has started. Turns inside a skipped hour are empty, so the estimate is off by a few at most.</summary>
    private long TurnAt(DateTimeOffset at)
    {
        var turn = FloorDiv((_zone.LocalAt(at) - _layer.RotationVirtualStart).Ticks, _turnTicks);
        while (TurnStart(turn) > at) turn--;
        while (TurnStart(turn + 1) <= at) turn++;
        return turn;
    }

    private DateTimeOffset TurnStart(long turn) => _zone.FirstInstantOf(_layer.RotationVirtualStart.AddTicks(turn * _turnTicks));

    internal static long FloorDiv(long value, long by) => (value >= 0 ? value : value - by + 1) / by;

    internal static long FloorMod(long value, long by) => value - FloorDiv(value, by) * by;
}
