using Belfry.Log;

namespace Belfry.Testing;

/// <summary>
/// A log in memory. Used as it is, it answers at once, for unit tests. In a <see cref="SimulatedWorld"/> each node uses its own view,
/// <see cref="On"/>: calls take virtual time and fail by plan, and a node that is dead or frozen for longer than the session is expelled
/// from its groups. Records are lost with the process: no production choice.
/// </summary>
public sealed class SimulatedLog : IPartitionedLog
{
    private readonly Dictionary<string, (TopicDeclaration Declaration, SimulatedPartition[] Partitions)> _topics =
        new(StringComparer.Ordinal);
    private readonly SimulatedWorld? _world;
    private readonly SortedDictionary<string, SimulatedGroup> _groups = new(StringComparer.Ordinal);

    /// <param name="time">The log's own clock: times of appending, retention, waits of consumers without a node.</param>
    public SimulatedLog(TimeProvider time) => Time = time;

    /// <summary>A log of this world, on true virtual time.</summary>
    public SimulatedLog(SimulatedWorld world)
        : this(new WorldTime(world)) => _world = world;

    /// <summary>A member not heard of for this long is expelled. Default 6 s.</summary>
    public TimeSpan SessionTimeout { get; init; } = TimeSpan.FromSeconds(6);

    /// <summary>A member that takes longer than this to give up a partition is expelled. Default 30 s.</summary>
    public TimeSpan RevokeTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Called after each commit of a partition, with its next offset: for guarantees.</summary>
    public Action<TopicPartition, long>? OnCommitted { get; set; }

    /// <summary>Called after each record is appended, with its place: for guarantees.</summary>
    public Action<TopicPartition, long, OutgoingRecord>? OnAppended { get; set; }

    /// <summary>
    /// Called when a member is expelled, with its node (null without one): from here on it is a zombie until it hears of it.
    /// </summary>
    public Action<SimulatedNode?>? OnExpelled { get; set; }

    internal TimeProvider Time { get; }

    internal Lock Lock { get; } = new();

    /// <summary>The log as this node sees it.</summary>
    public IPartitionedLog On(SimulatedNode node) => new SimulatedLogView(this, node);

    public ValueTask DeclareAsync(IReadOnlyList<TopicDeclaration> topics, CancellationToken cancel)
    {
        Declare(topics);
        return ValueTask.CompletedTask;
    }

    public ValueTask AppendAsync(IReadOnlyList<OutgoingRecord> records, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        Append(records);
        return ValueTask.CompletedTask;
    }

    public ILogConsumer OpenConsumer(ConsumerGroup group) => OpenConsumer(group, null);

    public ValueTask<IReadOnlyList<LogRecord>> ReadAsync(TopicPartition source, long fromOffset, int max, CancellationToken cancel) =>
        ValueTask.FromResult<IReadOnlyList<LogRecord>>(Read(source, fromOffset, max));

    public ValueTask<(long Start, long End)> OffsetsAsync(TopicPartition source, CancellationToken cancel) =>
        ValueTask.FromResult(Offsets(source));

    public ValueTask<long?> CommittedAsync(string group, TopicPartition source, CancellationToken cancel) =>
        ValueTask.FromResult(Committed(group, source));

    /// <summary>Runs retention and compaction over all topics.</summary>
    public void Clean()
    {
        lock (Lock)
        {
            foreach (var partition in _topics.Values.SelectMany(t => t.Partitions)) partition.Clean(Time.GetUtcNow());
        }
    }

    /// <summary>The node whose member owns a partition now; null when none does, or one without a node.</summary>
    public SimulatedNode? OwnerOf(string group, TopicPartition source)
    {
        lock (Lock) return _groups.TryGetValue(group, out var found) ? found.OwnerOf(source)?.Node : null;
    }

    /// <summary>Expels every member of the group, as a coordinator that lost its memory does: all hear of a loss and join again.</summary>
    public void ExpelAll(string group)
    {
        SimulatedGroup found;
        lock (Lock)
        {
            found = _groups[group];
            foreach (var member in found.Members.ToList()) Expel_NeedsLock(found, member);
        }

        WakeMembers(found);
    }

    internal void Declare(IReadOnlyList<TopicDeclaration> topics)
    {
        lock (Lock)
        {
            foreach (var topic in topics)
            {
                if (_topics.TryGetValue(topic.Name, out var known))
                {
                    if (known.Partitions.Length == topic.Partitions) continue;
                    throw new TopicMismatchException(topic.Name, topic.Partitions, known.Partitions.Length);
                }

                var partitions = Enumerable.Range(0, topic.Partitions);
                _topics.Add(topic.Name, (topic, 
                    [.. partitions.Select(n => new SimulatedPartition(new TopicPartition(topic.Name, n), topic))]));
            }
        }
    }

    internal void Append(IReadOnlyList<OutgoingRecord> records)
    {
        if (records.Count == 0) return;
        List<SimulatedConsumer> members;
        lock (Lock)
        {
            var now = Time.GetUtcNow();
            var touched = new List<TopicPartition>();
            foreach (var record in records)
            {
                var partition = Partitioner.PartitionOf(record.OrderingKey, Topic_NeedsLock(record.Topic).Length);
                var source = new TopicPartition(record.Topic, partition);
                var place = Partition_NeedsLock(source);
                place.Append(record, now);
                if (!touched.Contains(source)) touched.Add(source);
                OnAppended?.Invoke(source, place.End - 1, record);
            }

            members = [.. _groups.Values.SelectMany(group => touched.Select(group.OwnerOf)).OfType<SimulatedConsumer>().Distinct()];
        }

        foreach (var member in members) member.Wake();
    }

    internal List<LogRecord> Read(TopicPartition source, long fromOffset, int max)
    {
        var records = new List<LogRecord>();
        lock (Lock) Partition_NeedsLock(source).Read(fromOffset, max, records);
        return records;
    }

    internal (long Start, long End) Offsets(TopicPartition source)
    {
        lock (Lock)
        {
            var partition = Partition_NeedsLock(source);
            return (partition.Start, partition.End);
        }
    }

    internal long? Committed(string group, TopicPartition source)
    {
        lock (Lock) return _groups.TryGetValue(group, out var found) && found.Committed.TryGetValue(source, out var next) ? next : null;
    }

    internal ILogConsumer OpenConsumer(ConsumerGroup group, SimulatedNode? node)
    {
        lock (Lock)
        {
            if (!_groups.TryGetValue(group.Name, out var found))
                _groups.Add(group.Name, found = new SimulatedGroup(group, topic => Topic_NeedsLock(topic).Length));
            return new SimulatedConsumer(this, found, node);
        }
    }

    internal void Leave(SimulatedConsumer member, SimulatedGroup group)
    {
        lock (Lock) group.Remove(member);
        WakeMembers(group);
    }

    /// <summary>The coordinator's own clock: members past their session, or past their time to revoke, go without anybody asking.</summary>
    internal void CheckLater(SimulatedGroup group, TimeSpan after) =>
        _world?.After(after + TimeSpan.FromMilliseconds(1), "session check", () =>
        {
            ExpelSilent(group, null);
            WakeMembers(group);
        });

    /// <summary>Expels members past their session or their time to revoke.</summary>
    internal void ExpelSilent(SimulatedGroup group, SimulatedConsumer? asking)
    {
        lock (Lock)
        {
            var now = Time.GetUtcNow();
            foreach (var member in group.Members.Where(m => m != asking && IsSilent(m, now)).ToList()) Expel_NeedsLock(group, member);
        }
    }

    /// <summary>A zombie comes back: past its session it was expelled long ago, whether another member came by or not.</summary>
    internal void Thawed(SimulatedConsumer member, SimulatedGroup group, DateTimeOffset frozenAt)
    {
        lock (Lock)
        {
            if (Time.GetUtcNow() - frozenAt > SessionTimeout) Expel_NeedsLock(group, member);
        }
    }

    internal void WakeMembers(SimulatedGroup group)
    {
        List<SimulatedConsumer> members;
        lock (Lock) members = [.. group.Members];
        foreach (var member in members) member.Wake();
    }

    internal void Observed(TopicPartition source, long next) => OnCommitted?.Invoke(source, next);

    internal SimulatedPartition Partition_NeedsLock(TopicPartition source) => Topic_NeedsLock(source.Topic)[source.Partition];

    private SimulatedPartition[] Topic_NeedsLock(string topic) => _topics.TryGetValue(topic, out var found)
        ? found.Partitions
        : throw new InvalidOperationException($"Topic '{topic}' is not declared; declare it before it is used.");

    private bool IsSilent(SimulatedConsumer member, DateTimeOffset now) =>
        (member.Node is { } node && now - node.SeenAt > SessionTimeout)
        || (member.RevokingSince is { } since && now - since > RevokeTimeout);

    private void Expel_NeedsLock(SimulatedGroup group, SimulatedConsumer member)
    {
        if (!group.Members.Contains(member)) return;
        group.Remove(member);
        member.Expelled_NeedsLock();
        member.Wake();
        OnExpelled?.Invoke(member.Node);
    }

    private sealed class WorldTime(SimulatedWorld world) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => world.Now;

        public override long GetTimestamp() => world.Now.UtcTicks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            throw new NotSupportedException(
                $"In a world, open consumers through {nameof(SimulatedLog)}.{nameof(On)}: waiting needs a node.");
    }
}

/// <summary>The log seen from one node: calls take time and may fail.</summary>
internal sealed class SimulatedLogView(SimulatedLog log, SimulatedNode node) : IPartitionedLog
{
    public async ValueTask DeclareAsync(IReadOnlyList<TopicDeclaration> topics, CancellationToken cancel) =>
        await node.CallAsync("declare", () => log.Declare(topics));

    public async ValueTask AppendAsync(IReadOnlyList<OutgoingRecord> records, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        await node.CallAsync("append", () => log.Append(records));
    }

    public ILogConsumer OpenConsumer(ConsumerGroup group) => log.OpenConsumer(group, node);

    public async ValueTask<IReadOnlyList<LogRecord>> ReadAsync(TopicPartition source, long fromOffset, int max, CancellationToken cancel) =>
        await node.CallAsync("read", () => log.Read(source, fromOffset, max));

    public async ValueTask<(long Start, long End)> OffsetsAsync(TopicPartition source, CancellationToken cancel) =>
        await node.CallAsync("offsets", () => log.Offsets(source));

    public async ValueTask<long?> CommittedAsync(string group, TopicPartition source, CancellationToken cancel) =>
        await node.CallAsync("committed", () => log.Committed(group, source));
}
