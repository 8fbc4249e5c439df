namespace Belfry.Alerting.Incidents;

/// <summary>
/// Which events a partition has taken, as far as memory can tell: ids are made in order of time, so one above all that the store held at
/// loading was not taken before, and since then this owner alone takes. Of the others only the store knows.
/// </summary>
internal sealed class KnownIds
{
    /// <summary>Ids held, 16 bytes and some each; past it the floor rises to the newest.</summary>
    public const int SeenMax = 50_000;

    private readonly HashSet<Guid> _seen = [];
    private Guid _floor;

    /// <param name="newest">The greatest id in the store, of this partition or of all; null: there is none.</param>
    public void Load(EventId? newest)
    {
        _seen.Clear();
        _floor = newest?.Value ?? Guid.Empty;
    }

    /// <summary>Null: ask the store.</summary>
    public bool? WasTaken(EventId id) => _seen.Contains(id.Value) ? true : id.Value > _floor ? false : null;

    /// <summary>To be called once they are in the store.</summary>
    public void Add(EventId id)
    {
        if (_seen.Count >= SeenMax)
        {
            foreach (var seen in _seen)
                if (seen > _floor) _floor = seen;
            _seen.Clear();
        }

        _seen.Add(id.Value);
    }
}
