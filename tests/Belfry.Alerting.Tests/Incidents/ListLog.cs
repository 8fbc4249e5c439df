using Belfry.Log;

namespace Belfry.Alerting.Tests.Incidents;

/// <summary>A log of lists: appends and reads, no groups. Can be told to be down.</summary>
internal sealed class ListLog(params TopicDeclaration[] topics) : IPartitionedLog
{
    private readonly Lock _gate = new();
    private readonly Dictionary<TopicPartition, List<LogRecord>> _records = [];
    private TaskCompletionSource _appended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public bool Down { get; set; }

    /// <summary>Completes at the first append after it was read.</summary>
    public Task Appended
    {
        get
        {
            lock (_gate) return _appended.Task;
        }
    }

    public IReadOnlyList<LogRecord> Of(TopicDeclaration topic)
    {
        lock (_gate)
            return [.. _records.Where(pair => pair.Key.Topic == topic.Name).OrderBy(pair => pair.Key).SelectMany(pair => pair.Value)];
    }

    public ValueTask AppendAsync(IReadOnlyList<OutgoingRecord> records, CancellationToken cancel)
    {
        if (Down) return ValueTask.FromException(new LogUnavailableException("The log is down."));
        lock (_gate)
        {
            foreach (var record in records)
            {
                var count = topics.Single(topic => topic.Name == record.Topic).Partitions;
                var source = new TopicPartition(record.Topic, Partitioner.PartitionOf(record.OrderingKey, count));
                if (!_records.TryGetValue(source, out var list)) _records[source] = list = [];
                list.Add(new LogRecord
                {
                    Source = source, Offset = list.Count, AppendedAt = DateTimeOffset.UnixEpoch, Key = record.Key ?? record.OrderingKey,
                    Value = record.Value, Headers = record.Headers,
                });
            }

            _appended.SetResult();
            _appended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask<IReadOnlyList<LogRecord>> ReadAsync(TopicPartition source, long fromOffset, int max, CancellationToken cancel)
    {
        lock (_gate)
            return ValueTask.FromResult<IReadOnlyList<LogRecord>>(
                [.. _records.GetValueOrDefault(source, []).Where(r => r.Offset >= fromOffset).Take(max)]);
    }

    public ValueTask<(long Start, long End)> OffsetsAsync(TopicPartition source, CancellationToken cancel)
    {
        lock (_gate) return ValueTask.FromResult((0L, (long)_records.GetValueOrDefault(source, []).Count));
    }

    public ValueTask DeclareAsync(IReadOnlyList<TopicDeclaration> declared, CancellationToken cancel) => ValueTask.CompletedTask;

    public ILogConsumer OpenConsumer(ConsumerGroup group) => throw new NotSupportedException("A list log has no groups.");

    public ValueTask<long?> CommittedAsync(string group, TopicPartition source, CancellationToken cancel) =>
        ValueTask.FromResult<long?>(null);
}
