namespace Belfry.Testing;

/// <summary>At any time at most one record of a key runs, over all nodes.</summary>
public sealed class OneAtATimePerKey : Guarantee
{
    private readonly Dictionary<string, (string Node, string Record)> _running = new(StringComparer.Ordinal);

    public void Started(string key, string node, string record)
    {
        if (_running.TryGetValue(key, out var other))
            Violated($"'{key}': {record} began on {node} while {other.Record} ran on {other.Node}");
        _running[key] = (node, record);
    }

    public void Ended(string key, string node, string record)
    {
        if (_running.TryGetValue(key, out var running) && running == (node, record)) _running.Remove(key);
    }

    /// <summary>
    /// The node died, or was frozen past its session: what it ran is no longer counted. Fences hold off a zombie, not this.
    /// </summary>
    public void NodeGone(string node)
    {
        foreach (var (key, _) in _running.Where(r => r.Value.Node == node).ToList()) _running.Remove(key);
    }
}
