namespace Belfry.Drill.Check;

/// <summary>The ways in which a history can be wrong; each has its number in the invariants of the reliability reference.</summary>
internal enum FindingKind
{
    /// <summary>A1, C1: something accepted has left no trace, or a page that counts as sent never came.</summary>
    Lost,

    /// <summary>A3: something is there that nobody sent.</summary>
    Phantom,

    /// <summary>A4: scheduled work began before its time.</summary>
    Early,

    /// <summary>B1: two runs of one ordering id at the same time.</summary>
    Overlap,

    /// <summary>B2: what was accepted later took effect first.</summary>
    Misorder,

    /// <summary>B3: a write or page of an owner, or of an epoch, that was over.</summary>
    StaleWrite,

    /// <summary>D1: incident, timeline and log tell different stories.</summary>
    FoldMismatch,

    /// <summary>C4: taken in is not done + dead letters, or a dead letter is not what was taken in.</summary>
    DeadLetterImbalance,

    /// <summary>Begun, and not ended although everything was whole and quiet again.</summary>
    Stuck,

    /// <summary>A2, C2, B5: done more often than the faults explain.</summary>
    Duplicate,

    /// <summary>C5: a page that an acknowledgement or the end of the incident had made pointless.</summary>
    PageAfterEnd,

    /// <summary>C5: an escalation level was skipped or entered twice.</summary>
    LevelSkipped,
}

internal sealed record Finding(FindingKind Kind, string What);

/// <summary>What the checks found, and the counts that are allowed but worth knowing. Filled by one thread.</summary>
internal sealed class Verdict
{
    // What is wrong a thousand times is shown a few times and counted.
    private const int ShownMax = 20;
    private readonly Dictionary<FindingKind, int> _counts = [];
    private readonly List<Finding> _shown = [];
    private readonly SortedDictionary<string, double> _figures = new(StringComparer.Ordinal);

    public bool IsSound => _counts.Count == 0;
    public IReadOnlyDictionary<FindingKind, int> Counts => _counts;

    /// <summary>At most 20 of a kind.</summary>
    public IReadOnlyList<Finding> Shown => _shown;
    public IReadOnlyDictionary<string, double> Figures => _figures;

    public void Add(FindingKind kind, string what)
    {
        var count = _counts[kind] = _counts.GetValueOrDefault(kind) + 1;
        if (count <= ShownMax) _shown.Add(new Finding(kind, what));
    }

    public void Figure(string name, double value) => _figures[name] = value;

    public void Count(string name, int more = 1) => _figures[name] = _figures.GetValueOrDefault(name) + more;
}
