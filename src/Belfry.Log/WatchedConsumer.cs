namespace Belfry.Log;

/// <summary>One consumer under watch. All but the report is its monitor's worker's own.</summary>
internal sealed class WatchedConsumer(ConsumerRunner runner, TimeSpan interval)
{
    private readonly Dictionary<TopicPartition, StallClass> _classes = [];
    private Dictionary<TopicPartition, long?> _positions = [];
    private int _rebuilds;
    private volatile StallReport _report = new(
        new ConsumerHealth { Group = runner.Group.Name, Class = StallClass.None }, [], null);

    public ConsumerRunner Runner => runner;
    public StallDetector Detector { get; } = new(runner.Group.Name, runner.Options, interval);

    /// <summary>What the group had committed before this owner came: asked for once, since only the owner commits.</summary>
    public Dictionary<TopicPartition, long> Committed { get; } = [];
    public StallClass Told { get; set; }

    public StallReport Report
    {
        get => _report;
        set => _report = value;
    }

    /// <summary>True when it was there at the last look already, and nothing was handed out since.</summary>
    public bool Stands(TopicPartition source, long next) =>
        _positions.TryGetValue(source, out var before) && (before is null || before == next);

    public void Remember(ConsumerStatus status)
    {
        _positions = status.Partitions.ToDictionary(p => p.Source, p => p.Position);
        foreach (var source in Committed.Keys.Where(s => status.Rebuilds != _rebuilds || !_positions.ContainsKey(s)).ToList())
            Committed.Remove(source);
        _rebuilds = status.Rebuilds;
    }

    /// <summary>True when the partition was of another class and now is of an unhealthy one.</summary>
    public bool Turned(PartitionHealth partition)
    {
        var before = _classes.GetValueOrDefault(partition.Source);
        if (partition.Class == StallClass.None) _classes.Remove(partition.Source);
        else _classes[partition.Source] = partition.Class;
        return partition.Class > StallClass.Breaker && partition.Class != before;
    }
}
