namespace Belfry.Scheduling;

/// <summary>
/// The resident tasks of one ordering id in key order, of which one runs at a time. Taking the head is O(log n); taking another out, for
/// a cancel or a move, is O(n) of this lane.
/// </summary>
internal sealed class TaskLane(string orderingId)
{
    private PriorityQueue<TaskEntry, TaskKey>? _rest;

    public string OrderingId { get; } = orderingId;
    public TaskEntry? Head { get; private set; }
    public TaskEntry? Running { get; set; }
    public int Count { get; private set; }

    /// <summary>Set when memory was short: the store holds tasks of this lane after this key that are not here.</summary>
    public TaskKey? TruncatedAfter { get; set; }

    public bool IsLong { get; set; }
    public bool AwaitsLoad { get; set; }

    /// <summary>Tells the newest place of this lane in the wake-up heaps from older ones.</summary>
    public int Stamp { get; set; }

    public bool IsIdle => Count == 0 && Running is null && TruncatedAfter is null;

    public bool Admits(TaskKey key) => TruncatedAfter is not { } last || key <= last;

    public void Add(TaskEntry entry)
    {
        entry.InLane = true;
        Count++;
        if (Head is null)
        {
            Head = entry;
            return;
        }

        var (first, second) = entry.Key < Head.Key ? (entry, Head) : (Head, entry);
        Head = first;
        (_rest ??= new PriorityQueue<TaskEntry, TaskKey>()).Enqueue(second, second.Key);
    }

    /// <summary>Takes an entry out. Call it before the entry's key changes.</summary>
    public void Remove(TaskEntry entry)
    {
        entry.InLane = false;
        Count--;
        if (!ReferenceEquals(Head, entry))
        {
            _rest!.Remove(entry, out _, out _, ReferenceEqualityComparer.Instance);
            return;
        }

        Head = null;
        if (_rest is not null && _rest.TryDequeue(out var next, out _)) Head = next;
        if (_rest is { Count: 0 }) _rest = null;
    }

    /// <summary>All entries, in key order.</summary>
    public List<TaskEntry> ToList()
    {
        var all = new List<TaskEntry>(Count);
        if (Head is not null) all.Add(Head);
        if (_rest is not null) all.AddRange(_rest.UnorderedItems.Select(item => item.Element));
        all.Sort((left, right) => left.Key.CompareTo(right.Key));
        return all;
    }

    /// <summary>Keeps the first <paramref name="keep"/> of <paramref name="sorted"/>, which is all of the lane in key order.</summary>
    public void Keep(List<TaskEntry> sorted, int keep)
    {
        for (var i = keep; i < sorted.Count; i++) sorted[i].InLane = false;
        Head = null;
        _rest = null;
        Count = 0;
        for (var i = 0; i < keep; i++) Add(sorted[i]);
    }
}
