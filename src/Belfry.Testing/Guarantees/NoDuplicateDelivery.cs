namespace Belfry.Testing;

/// <summary>Nothing reaches its receiver more than once.</summary>
public sealed class NoDuplicateDelivery : Guarantee
{
    private readonly HashSet<string> _delivered = new(StringComparer.Ordinal);

    public int Count => _delivered.Count;

    public void Delivered(string id)
    {
        if (!_delivered.Add(id)) Violated($"{id} was delivered again");
    }
}
