using Belfry.Log;
using Microsoft.Extensions.Logging;

namespace Belfry.Scheduling;

/// <summary>
/// Carries what is still written to a retired topic over to its successor: writers that have not heard of it lose nothing. Reads on where
/// the retired topic's own group stopped. A record may be carried twice, which changes nothing: tasks have generations.
/// </summary>
/// <param name="log">The log, both topics declared.</param>
/// <param name="retired">The full name of the retired topic.</param>
/// <param name="group">The group that owned it.</param>
/// <param name="successor">The full name of the topic that is owned now.</param>
/// <param name="consumer">Settings of the consumer.</param>
/// <param name="time">The clock.</param>
/// <param name="loggers">For diagnostics.</param>
public sealed class RetiredTopicCarrier(
    IPartitionedLog log, string retired, string group, string successor, ConsumerOptions consumer, TimeProvider time,
    ILoggerFactory loggers)
{
    /// <summary>The consumer, for health and metrics.</summary>
    public ConsumerRunner Runner { get; } = new(
        log, new ConsumerGroup(group, [retired]),
        (_, sources) => new BatchOwner(
            sources, new CarryFold(log, successor), new BatchOwnerOptions(), time, loggers.CreateLogger<RetiredTopicCarrier>()),
        consumer, time, loggers.CreateLogger<ConsumerRunner>());

    /// <summary>Runs until cancelled. Heals from faults of the log.</summary>
    public Task RunAsync(CancellationToken cancel) => Runner.RunAsync(cancel);

    private sealed class CarryFold(IPartitionedLog log, string successor) : IBatchFold
    {
        // Positions are the group's alone.
        public ValueTask<IReadOnlyDictionary<TopicPartition, long>> LoadAsync(CancellationToken cancel) =>
            ValueTask.FromResult<IReadOnlyDictionary<TopicPartition, long>>(new Dictionary<TopicPartition, long>());

        public ValueTask FoldAsync(IReadOnlyList<LogRecord> batch, CancellationToken cancel) =>
            log.AppendAsync([.. batch.Select(Carried)], cancel);

        // Both topics take the same: what the one took the other will.
        public ValueTask RejectAsync(LogRecord record, string reason, CancellationToken cancel) => FoldAsync([record], cancel);

        public ValueTask StopAsync(CancellationToken cancel) => ValueTask.CompletedTask;

        /// <summary>The bytes as they are, those that nobody can read too: the new owner files them.</summary>
        private OutgoingRecord Carried(LogRecord record) => new()
        {
            Topic = successor,
            OrderingKey = TaskRecords.Decode(record.Value.Span) is TaskDecoding.Decoded(var change)
                ? change.Id.OrderingId
                : record.Key ?? "",
            Key = record.Key,
            Value = record.Value,
            Headers = record.Headers,
        };
    }
}
