using Belfry.Log;

namespace Belfry.Testing;

/// <summary>
/// The coordinator of one simulated group: members, who is to own what, who owns it, and committed offsets. A partition passes on only
/// once its owner gave it up, left, or was expelled. Guarded by the log's lock.
/// </summary>
internal sealed class SimulatedGroup(ConsumerGroup definition, Func<string, int> partitionsOf)
{
    private readonly List<SimulatedConsumer> _members = [];
    private readonly SortedDictionary<TopicPartition, SimulatedConsumer> _targets = [];
    private readonly SortedDictionary<TopicPartition, SimulatedConsumer> _owners = [];
    private readonly Dictionary<TopicPartition, long> _tenures = [];

    public Dictionary<TopicPartition, long> Committed { get; } = [];

    public IReadOnlyList<SimulatedConsumer> Members => _members;

    public bool Owns(SimulatedConsumer member, TopicPartition source) => _owners.GetValueOrDefault(source) == member;

    /// <summary>How often the partition was taken: a number for the present ownership.</summary>
    public long TenureOf(TopicPartition source) => _tenures.GetValueOrDefault(source);

    public SimulatedConsumer? OwnerOf(TopicPartition source) => _owners.GetValueOrDefault(source);

    public void Join(SimulatedConsumer member)
    {
        _members.Add(member);
        ShareOut();
    }

    /// <summary>Frees all that the member owned.</summary>
    public void Remove(SimulatedConsumer member)
    {
        if (!_members.Remove(member)) return;
        foreach (var source in OwnedBy(member)) _owners.Remove(source);
        ShareOut();
    }

    public List<TopicPartition> OwnedBy(SimulatedConsumer member) => [.. _owners.Where(o => o.Value == member).Select(o => o.Key)];

    /// <summary>What the member owns and is to give up.</summary>
    public List<TopicPartition> ToRevoke(SimulatedConsumer member) =>
        [.. _owners.Where(o => o.Value == member && _targets.GetValueOrDefault(o.Key) != member).Select(o => o.Key)];

    public void Release(SimulatedConsumer member, IEnumerable<TopicPartition> sources)
    {
        foreach (var source in sources)
            if (Owns(member, source)) _owners.Remove(source);
    }

    /// <summary>Gives the member what it is to own and nobody owns; co-partitioned topics all of a number, or none of it.</summary>
    public List<TopicPartition> Take(SimulatedConsumer member)
    {
        var free = _targets.Where(t => t.Value == member && !_owners.ContainsKey(t.Key)).Select(t => t.Key).ToList();
        if (definition.CoPartitioned)
            free.RemoveAll(f => definition.Topics.Any(topic => _owners.ContainsKey(f with { Topic = topic })));
        foreach (var source in free) (_owners[source], _tenures[source]) = (member, TenureOf(source) + 1);
        return free;
    }

    /// <summary>Shares out anew: even shares, each member keeping as much as it may of what it was to own.</summary>
    public void ShareOut()
    {
        var units = Units();
        var before = units.ToDictionary(u => u[0], u => _targets.GetValueOrDefault(u[0]));
        _targets.Clear();
        if (_members.Count == 0) return;
        var (share, extra) = (units.Count / _members.Count, units.Count % _members.Count);
        var kept = _members.ToDictionary(m => m, _ => new List<List<TopicPartition>>());
        foreach (var unit in units)
            if (before[unit[0]] is { } had && kept.TryGetValue(had, out var mine)) mine.Add(unit);
        var larger = _members.OrderByDescending(m => kept[m].Count).Take(extra).ToHashSet();
        var rooms = _members.ToDictionary(m => m, m => larger.Contains(m) ? share + 1 : share);
        foreach (var member in _members)
            foreach (var unit in kept[member].Take(rooms[member])) Assign(unit, member);
        foreach (var unit in units.Where(u => !_targets.ContainsKey(u[0])))
            Assign(unit, _members.First(m => _targets.Count(t => t.Value == m) / unit.Count < rooms[m]));
    }

    private void Assign(List<TopicPartition> unit, SimulatedConsumer member)
    {
        foreach (var source in unit) _targets[source] = member;
    }

    private List<List<TopicPartition>> Units() => definition.CoPartitioned
        ? [.. Enumerable.Range(0, CoPartitions()).Select(n => definition.Topics.Select(t => new TopicPartition(t, n)).ToList())]
        : [.. from topic in definition.Topics
              from n in Enumerable.Range(0, partitionsOf(topic))
              select new List<TopicPartition> { new(topic, n) }];

    private int CoPartitions()
    {
        var counts = definition.Topics.Select(partitionsOf).Distinct().ToList();
        return counts.Count == 1 ? counts[0] : throw new InvalidOperationException(
            $"Group '{definition.Name}' is co-partitioned, but its topics have " +
            $"{string.Join(", ", counts)} partitions; declare equal counts.");
    }
}
