namespace Belfry.Scheduling;

/// <summary>How tasks of a kind are tried again. Waits double from <see cref="First"/> up to <see cref="Max"/>, times 0.5 to 1.</summary>
public sealed record TaskBackoff
{
    /// <summary>Before the second attempt. Default 20 s (PagerDuty's <c>exponential-backoff-factor</c>).</summary>
    public TimeSpan First { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Default 120 s.</summary>
    public TimeSpan Max { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>Attempts in all; a failure of the last one makes a dead letter. Default 101.</summary>
    public int AttemptsMax { get; init; } = 101;

    public static TaskBackoff Default { get; } = new();

    /// <summary>
    /// The wait after <paramref name="attempts"/> failed attempts. The jitter comes from <paramref name="seed"/>, so that a core that is
    /// given the same inputs decides the same.
    /// </summary>
    public long WaitMs(int attempts, long seed)
    {
        var full = First.TotalMilliseconds * Math.Pow(2, Math.Min(attempts - 1, 40));
        var mixed = unchecked((ulong)(seed * 31 + attempts) * 0x9E3779B97F4A7C15);
        mixed = (mixed ^ (mixed >> 32)) * 0xD6E8FEB86659FD93;
        var part = ((mixed >> 40) & 0xFFFFFF) / (double)0x1000000;
        return (long)(Math.Min(full, Max.TotalMilliseconds) * (0.5 + (part / 2)));
    }
}

/// <summary>Settings of a scheduler worker. Limits hold per partition.</summary>
public sealed record SchedulerOptions
{
    /// <summary>How far ahead tasks are held in memory. Default 5 min.</summary>
    public TimeSpan LookAhead { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Most tasks held in memory; the rest waits in the store. Default 50,000.</summary>
    public int ResidentMax { get; init; } = 50_000;

    /// <summary>Most payload bytes held in memory. Default 64 MiB.</summary>
    public long ResidentBytesMax { get; init; } = 64 << 20;

    /// <summary>Tasks one ordering id may hold in memory when memory is short. Default 64.</summary>
    public int LaneResidentMax { get; init; } = 64;

    /// <summary>Most handlers running at a time. Raise it for slow handlers. Default 256.</summary>
    public int RunningMax { get; init; } = 256;

    /// <summary>Most tasks one load brings in. Default 2,000.</summary>
    public int LoadMax { get; init; } = 2_000;

    /// <summary>Most tasks one flush writes. Default 4,000.</summary>
    public int FlushMax { get; init; } = 4_000;

    /// <summary>Longest time a result waits in memory for its flush. Default 50 ms.</summary>
    public TimeSpan FlushAfter { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>
    /// A task due within this time runs straight from the log, and is stored as waiting only if it has not ended by then. 0 stores
    /// every task before it runs. Default 5 s.
    /// </summary>
    public TimeSpan ShortWay { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How long ended tasks are kept, so that none runs again when the log is replayed. Must exceed the topic's retention. Default 14 days.
    /// </summary>
    public TimeSpan HistoryRetention { get; init; } = TimeSpan.FromDays(14);

    /// <summary>Pause after a failed call of the store, doubled up to 30 times itself. Default 200 ms.</summary>
    public TimeSpan ErrorBackoff { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Backoff of the kinds named; all others use <see cref="TaskBackoff.Default"/>.</summary>
    public IReadOnlyDictionary<string, TaskBackoff> Backoffs { get; init; } = new Dictionary<string, TaskBackoff>();

    /// <summary>All faults at once, each with the knob; empty when the options are sound.</summary>
    public IReadOnlyList<string> Faults()
    {
        var faults = new List<string>();
        Range(nameof(LookAhead), LookAhead, TimeSpan.FromSeconds(1), TimeSpan.FromHours(24));
        Range(nameof(ResidentMax), ResidentMax, 16, 10_000_000);
        Range(nameof(ResidentBytesMax), ResidentBytesMax, 1 << 20, 1L << 40);
        Range(nameof(LaneResidentMax), LaneResidentMax, 1, ResidentMax);
        Range(nameof(RunningMax), RunningMax, 1, 100_000);
        Range(nameof(LoadMax), LoadMax, 1, ResidentMax);
        Range(nameof(FlushMax), FlushMax, 1, 100_000);
        Range(nameof(FlushAfter), FlushAfter, TimeSpan.Zero, TimeSpan.FromSeconds(10));
        Range(nameof(ShortWay), ShortWay, TimeSpan.Zero, TimeSpan.FromMinutes(1));
        Range(nameof(HistoryRetention), HistoryRetention, TimeSpan.FromMinutes(1), TimeSpan.FromDays(3_650));
        Range(nameof(ErrorBackoff), ErrorBackoff, TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1));
        foreach (var (kind, backoff) in Backoffs.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            Range($"{nameof(Backoffs)}['{kind}'].{nameof(TaskBackoff.First)}", backoff.First, TimeSpan.FromMilliseconds(1), backoff.Max);
            Range($"{nameof(Backoffs)}['{kind}'].{nameof(TaskBackoff.AttemptsMax)}", backoff.AttemptsMax, 1, 1_000_000);
        }

        return faults;

        void Range<T>(string name, T value, T min, T max)
            where T : IComparable<T>
        {
            if (value.CompareTo(min) < 0 || value.CompareTo(max) > 0)
                faults.Add($"Scheduling:{name} is {value}; it must lie between {min} and {max}.");
        }
    }
}
