using Belfry.Log;

namespace Belfry.Alerting.Tests.Planning;

/// <summary>
/// A log of one partition a topic, for folds that are called by the test itself: append, read, committed offsets, and faults on demand.
/// </summary>
internal sealed class MemoryLog : IPartitionedLog
{
    private readonly Dictionary<TopicPartition, List<LogRecord>> _records = [];
    private readonly Dictionary<TopicPartition, long> _committed = [];

    /// <summary>Appends that will fail from now on.</summary>
    public int FailAppends { get; set; }

    public DateTimeOffset Now { get; set; } = PlanningScene.Start;

    public IReadOnlyList<LogRecord> Of(string topic) => Partition(new TopicPartition(topic, 0));

    public void Commit(TopicPartition source, long next) => _committed[source] = next;

    public ValueTask AppendAsync(IReadOnlyList<OutgoingRecord> records, CancellationToken cancel)
    {
        if (FailAppends > 0)
        {
            FailAppends--;
            throw new LogUnavailableException("The log is down.");
        }

        foreach (var record in records)
        {
            var source = new TopicPartition(record.Topic, 0);
            Partition(source).Add(new LogRecord
            {
                Source = source, Offset = Partition(source).Count, AppendedAt = Now, Key = record.Key ?? record.OrderingKey,
                Value = record.Value,
                Headers = record.Headers,
            });
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask<IReadOnlyList<LogRecord>> ReadAsync(TopicPartition source, long fromOffset, int max, CancellationToken cancel) =>
        ValueTask.FromResult<IReadOnlyList<LogRecord>>([.. Partition(source).Where(record => record.Offset >= fromOffset).Take(max)]);

    public ValueTask<(long Start, long End)> OffsetsAsync(TopicPartition source, CancellationToken cancel) =>
        ValueTask.FromResult((0L, (long)Partition(source).Count));

    public ValueTask<long?> CommittedAsync(string group, TopicPartition source, CancellationToken cancel) =>
        ValueTask.FromResult(_committed.TryGetValue(source, out var next) ? next : (long?)null);

    public ValueTask DeclareAsync(IReadOnlyList<TopicDeclaration> topics, CancellationToken cancel) => ValueTask.CompletedTask;

    public ILogConsumer OpenConsumer(ConsumerGroup group) => throw new NotSupportedException("The tests feed the folds themselves.");

    private List<LogRecord> Partition(TopicPartition source)
    {
        if (!_records.TryGetValue(source, out var records)) _records[source] = records = [];
        return records;
    }
}
