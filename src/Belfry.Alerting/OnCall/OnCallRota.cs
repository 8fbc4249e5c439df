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
/// <param name="NextChange">The first instant at or after the window's end when the final schedule's user changes; null if none within 400 days.</param>
/// <param name="Coverage">Share of the window with somebody on call, 0 to 1.</param>
public sealed record RotaShifts(
    IReadOnlyList<Shift> Final, IReadOnlyList<IReadOnlyList<Shift>> Layers, DateTimeOffset? NextChange, double Coverage);

/// <summary>Who is on call: a pure function of a schedule and a time, the same for paging, display and reminders. Thread-safe.</summary>
public static class OnCallRota
{
    /// <summary>The one user on call at <paramref name="at"/>, or null for a gap. An unknown time zone counts as UTC.</summary>
    public static UserId? WhoIsOnCall(OnCallSchedule schedule, DateTimeOffset at) => throw new NotSupportedException($"{schedule}{at}");

    /// <summary>The shifts of [<paramref name="from"/>, <paramref name="to"/>).</summary>
    /// <exception cref="ArgumentOutOfRangeException">The window is empty or longer than 400 days.</exception>
    public static RotaShifts Shifts(OnCallSchedule schedule, DateTimeOffset from, DateTimeOffset to) => throw new NotSupportedException($"{schedule}{from}{to}");

    /// <summary>The first instant after <paramref name="after"/> when the user on call changes; null if none within 400 days.</summary>
    public static DateTimeOffset? NextChange(OnCallSchedule schedule, DateTimeOffset after) => throw new NotSupportedException($"{schedule}{after}");
}
