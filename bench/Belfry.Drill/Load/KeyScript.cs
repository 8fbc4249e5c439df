using Belfry.Drill.Check;

namespace Belfry.Drill.Load;

/// <summary>
/// What one process does next, from a seed: opens alerts, repeats, acknowledges and resolves them. A key that is resolved is never used
/// again; one that is to be snoozed is only opened here. One thread.
/// </summary>
/// <param name="prefix">Of all its keys.</param>
/// <param name="random">Seeded.</param>
internal sealed class KeyScript(string prefix, Random random)
{
    private const int OpenMax = 50;
    private const string SnoozedMark = "z";
    private readonly List<(string Key, bool Acknowledged)> _open = [];
    private readonly Dictionary<string, long> _values = new(StringComparer.Ordinal);
    private int _keys;

    public static bool IsToBeSnoozed(string key) => key.EndsWith(SnoozedMark, StringComparison.Ordinal);

    public (Operation Operation, string Key, long Value) Next()
    {
        var dice = random.Next(100);
        if (_open.Count == 0 || (dice < 35 && _open.Count < OpenMax)) return Open();
        var at = random.Next(_open.Count);
        var (key, acknowledged) = _open[at];
        if (dice < 80) return (Operation.Trigger, key, NextValue(key));
        if (dice < 90 && !acknowledged)
        {
            _open[at] = (key, true);
            return (Operation.Acknowledge, key, NextValue(key));
        }

        Forget(key);
        return (Operation.Resolve, key, NextValue(key));
    }

    /// <summary>Nothing more is asked of this key: a request of it was never answered.</summary>
    public void Forget(string key) => _open.RemoveAll(open => open.Key == key);

    private (Operation, string, long) Open()
    {
        // A quarter of what is opened is scheduled work.
        var snoozed = random.Next(4) == 0;
        var key = $"{prefix}-{++_keys}{(snoozed ? SnoozedMark : "")}";
        if (!snoozed) _open.Add((key, false));
        return (Operation.Trigger, key, NextValue(key));
    }

    private long NextValue(string key) => _values[key] = _values.GetValueOrDefault(key) + 1;
}
