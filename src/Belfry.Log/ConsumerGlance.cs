namespace Belfry.Log;

/// <summary>One consumer in one look: what is to be asked of the log about it, and what came of that.</summary>
internal sealed class ConsumerGlance
{
    private readonly WatchedConsumer _one;
    private readonly List<TopicPartition> _unownedSources = [];

    /// <param name="one">The consumer.</param>
    /// <param name="partitions">Their number, by topic.</param>
    public ConsumerGlance(WatchedConsumer one, IReadOnlyDictionary<string, int> partitions)
    {
        (_one, Status) = (one, one.Runner.Status);
        if (Status is not { IsRunning: true, Partitions.Count: 0 }) return;
        foreach (var topic in one.Runner.Group.Topics)
            for (var number = 0; number < partitions[topic]; number++) _unownedSources.Add(new TopicPartition(topic, number));
    }

    public WatchedConsumer One => _one;
    public ConsumerStatus Status { get; }

    /// <summary>Of owned partitions; missing: unknown.</summary>
    public Dictionary<TopicPartition, LogOffsets> Owned { get; } = [];

    /// <summary>Of all partitions where none is owned; missing: unknown.</summary>
    public Dictionary<TopicPartition, LogOffsets> Unowned { get; } = [];

    public bool LogAnswers => Owned.Count + Unowned.Count > 0;

    /// <summary>Where their logs end is to be asked.</summary>
    public IEnumerable<TopicPartition> Sources => Status.Partitions.Select(partition => partition.Source).Concat(_unownedSources);

    /// <summary>What the group has committed there is to be asked.</summary>
    public IEnumerable<(string Group, TopicPartition Source)> Uncommitted => Status.Partitions
        .Where(partition => partition.Committed is null && !_one.Committed.ContainsKey(partition.Source))
        .Select(partition => partition.Source)
        .Concat(_unownedSources).Select(source => (_one.Runner.Group.Name, source));

    /// <summary>
    /// Owned partitions where nothing was handed out since the last look although the log goes on, and from where: whether there is a
    /// record is to be asked.
    /// </summary>
    public IEnumerable<(TopicPartition Source, long Next)> Standing => Status.Partitions
        .Where(partition => Owned.ContainsKey(partition.Source)).Select(partition => (partition.Source, Next: NextOf(partition)))
        .Where(at => at.Next < Owned[at.Source].End && _one.Stands(at.Source, at.Next));

    public void TakeOffsets(
        IReadOnlyDictionary<TopicPartition, long> ends, IReadOnlyDictionary<(string Group, TopicPartition Source), long> committed)
    {
        foreach (var partition in Status.Partitions)
        {
            if (committed.TryGetValue((_one.Runner.Group.Name, partition.Source), out var told)) _one.Committed[partition.Source] = told;
            if (!ends.TryGetValue(partition.Source, out var end)) continue;
            if (partition.Committed is { } own || _one.Committed.TryGetValue(partition.Source, out own))
                Owned[partition.Source] = new LogOffsets(own, end);
        }

        foreach (var source in _unownedSources)
            if (ends.TryGetValue(source, out var end) && committed.TryGetValue((_one.Runner.Group.Name, source), out var told))
                Unowned[source] = new LogOffsets(told, end);
    }

    /// <summary>The last records may be gone: aborted, compacted away. What cannot be read is not missed.</summary>
    public void TakeRecords(IReadOnlyDictionary<(TopicPartition Source, long Next), bool> found)
    {
        foreach (var at in Standing.ToList())
            if (!found.TryGetValue(at, out var isThere)) Owned.Remove(at.Source);
            else if (!isThere) Owned[at.Source] = Owned[at.Source] with { End = at.Next };
        _one.Remember(Status);
    }

    private long NextOf(PartitionStatus partition) => partition.Position ?? Owned[partition.Source].Committed;
}
