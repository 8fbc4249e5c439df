using Belfry.Log;
using Shouldly;

namespace Belfry.Testing;

/// <summary>
/// One group member driven by hand: polls, keeps what it received and owns, and checks on each poll that records belong to owned
/// partitions and that offsets only grow while a partition is owned.
/// </summary>
public sealed class SpecMember(ILogConsumer consumer) : IAssignmentListener, IAsyncDisposable
{
    private readonly Dictionary<TopicPartition, long> _lastOffsets = [];

    public ILogConsumer Consumer => consumer;
    public SortedSet<TopicPartition> Owned { get; } = [];
    public List<LogRecord> Received { get; } = [];
    public List<TopicPartition> EverAssigned { get; } = [];
    public List<TopicPartition> EverRevoked { get; } = [];
    public List<TopicPartition> EverLost { get; } = [];

    /// <summary>Runs inside the revocation, before it returns. Default: nothing.</summary>
    public Func<ILogConsumer, IReadOnlyList<TopicPartition>, ValueTask> OnRevoked { get; set; } = (_, _) => ValueTask.CompletedTask;

    public IEnumerable<long> OffsetsOf(TopicPartition source) => Received.Where(r => r.Source == source).Select(r => r.Offset);

    public async Task<IReadOnlyList<LogRecord>> PollAsync(TimeSpan wait, int max = 500, CancellationToken cancel = default)
    {
        var records = await consumer.PollAsync(this, max, wait, cancel);
        records.Count.ShouldBeLessThanOrEqualTo(max);
        foreach (var record in records)
        {
            Owned.ShouldContain(record.Source, $"record {record} came without ownership");
            if (_lastOffsets.TryGetValue(record.Source, out var last))
                record.Offset.ShouldBeGreaterThan(last, $"{record.Source} went back");
            _lastOffsets[record.Source] = record.Offset;
        }

        Received.AddRange(records);
        return records;
    }

    public void Assigned(IReadOnlyList<TopicPartition> partitions)
    {
        foreach (var partition in partitions) Owned.Add(partition).ShouldBeTrue($"{partition} was assigned twice");
        EverAssigned.AddRange(partitions);
    }

    public async ValueTask RevokedAsync(ILogConsumer consumer, IReadOnlyList<TopicPartition> partitions)
    {
        await OnRevoked(consumer, partitions);
        EverRevoked.AddRange(partitions);
        Forget(partitions);
    }

    public void Lost(IReadOnlyList<TopicPartition> partitions)
    {
        EverLost.AddRange(partitions);
        Forget(partitions);
    }

    public ValueTask DisposeAsync() => consumer.DisposeAsync();

    private void Forget(IReadOnlyList<TopicPartition> partitions)
    {
        foreach (var partition in partitions)
        {
            Owned.Remove(partition).ShouldBeTrue($"{partition} left without having been assigned");
            _lastOffsets.Remove(partition);
        }
    }
}
