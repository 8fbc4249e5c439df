namespace Belfry.Drill.Drills;

/// <summary>A bound of one drill beside those of all.</summary>
/// <param name="Name">What was measured.</param>
/// <param name="Value">NaN: nothing to measure, which is a failure.</param>
/// <param name="Unit">Of the value and its limit.</param>
/// <param name="Limit">The most, or the least, that passes.</param>
/// <param name="IsLeast">The limit is the least.</param>
/// <param name="RoughLimit">
/// Of a figure that grows where the machine is slow, as the requests do that are answered too late: the most that this explains. None where
/// the figure is no matter of time; a time has four times its limit.
/// </param>
internal sealed record Bound(string Name, double Value, string Unit, double Limit, bool IsLeast = false, double? RoughLimit = null)
{
    public const string Milliseconds = "ms";
    public const string PercentOfComing = "% of what came";

    /// <summary>A time, or work in a time: of the machine and its other load as well.</summary>
    public bool IsSpeed => RoughLimit is not null || Unit is Milliseconds or PercentOfComing;

    /// <summary>Within what no slow machine explains: a fourth of the least, four times the most.</summary>
    public bool HoldsRoughly => IsLeast ? Value >= (RoughLimit ?? Limit / 4) : Value <= (RoughLimit ?? Limit * 4);

    public bool Holds => IsLeast ? Value >= Limit : Value <= Limit;
}

/// <summary>One drill: what breaks, and what must hold besides the checks of all drills.</summary>
/// <param name="Number">As the table of the reliability reference numbers it.</param>
/// <param name="Name">For the command line.</param>
/// <param name="What">One sentence.</param>
/// <param name="BreakAsync">Breaks and heals; returns healed. The load goes on meanwhile.</param>
/// <param name="BoundsOf">From what was measured.</param>
internal sealed record DrillPlan(
    int Number, string Name, string What, Func<DrillScene, Task> BreakAsync, Func<DrillMeasures, IReadOnlyList<Bound>> BoundsOf);
