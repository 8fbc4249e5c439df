using Belfry.Log;

namespace Belfry.Testing;

/// <summary>A log that passes all on to another one, for those that change or watch a little of it.</summary>
/// <param name="inner">Asked for everything.</param>
public abstract class ForwardingLog(IPartitionedLog inner) : IPartitionedLog
{
    /// <summary>The log behind this one.</summary>
    protected IPartitionedLog Inner => inner;

    public virtual ValueTask DeclareAsync(IReadOnlyList<TopicDeclaration> topics, CancellationToken cancel) =>
        inner.DeclareAsync(topics, cancel);

    public virtual ValueTask AppendAsync(IReadOnlyList<OutgoingRecord> records, CancellationToken cancel) =>
        inner.AppendAsync(records, cancel);

    public virtual ILogConsumer OpenConsumer(ConsumerGroup group) => inner.OpenConsumer(group);

    public virtual ValueTask<IReadOnlyList<LogRecord>> ReadAsync(
        TopicPartition source, long fromOffset, int max, CancellationToken cancel) => inner.ReadAsync(source, fromOffset, max, cancel);

    public virtual ValueTask<(long Start, long End)> OffsetsAsync(TopicPartition source, CancellationToken cancel) =>
        inner.OffsetsAsync(source, cancel);

    public virtual ValueTask<long?> CommittedAsync(string group, TopicPartition source, CancellationToken cancel) =>
        inner.CommittedAsync(group, source, cancel);
}
