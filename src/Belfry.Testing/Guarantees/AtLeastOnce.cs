namespace Belfry.Testing;

/// <summary>Whatever was accepted is handled, once or more; nothing that was not.</summary>
public sealed class AtLeastOnce : Guarantee
{
    private readonly SortedSet<string> _accepted = new(StringComparer.Ordinal);
    private readonly HashSet<string> _handled = new(StringComparer.Ordinal);

    /// <summary>How many of the accepted are not handled yet.</summary>
    public int Missing => _accepted.Count(id => !_handled.Contains(id));

    public void Accepted(string id) => _accepted.Add(id);

    public void Handled(string id)
    {
        if (!_accepted.Contains(id)) Violated($"{id} was handled but never accepted");
        _handled.Add(id);
    }

    protected override void Conclude()
    {
        foreach (var id in _accepted)
            if (!_handled.Contains(id)) Violated($"{id} was never handled");
    }
}
