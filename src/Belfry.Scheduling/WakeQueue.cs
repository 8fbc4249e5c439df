namespace Belfry.Scheduling;

/// <summary>
/// Lanes by the moment they want to be looked at. A lane that is placed anew leaves its old place behind, known by its stamp; the
/// places are swept when stale ones may outnumber the lanes.
/// </summary>
internal sealed class WakeQueue<TKey>
    where TKey : IComparable<TKey>
{
    private const int SweepAt = 1_024;

    private PriorityQueue<(TaskLane Lane, int Stamp), TKey> _places = new();

    public void Place(TaskLane lane, TKey at, int laneCount)
    {
        if (_places.Count > SweepAt + (2 * laneCount)) Sweep();
        _places.Enqueue((lane, lane.Stamp), at);
    }

    /// <summary>The first lane whose place is current, and its key, without taking it out.</summary>
    public bool TryPeek(out TaskLane lane, out TKey at)
    {
        while (_places.TryPeek(out var place, out at!))
        {
            lane = place.Lane;
            if (place.Stamp == lane.Stamp) return true;
            _places.Dequeue();
        }

        lane = null!;
        return false;
    }

    public void Take() => _places.Dequeue();

    private void Sweep() =>
        _places = new PriorityQueue<(TaskLane, int), TKey>(
            _places.UnorderedItems.Where(place => place.Element.Stamp == place.Element.Lane.Stamp));
}
