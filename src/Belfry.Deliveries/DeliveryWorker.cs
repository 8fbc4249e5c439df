using Belfry.Log;
using Microsoft.Extensions.Logging;

namespace Belfry.Deliveries;

/// <summary>What one channel's worker reads and whom it asks and tells.</summary>
public sealed record DeliveryRoute
{
    /// <summary>The consumer group's name, one per channel.</summary>
    public required string Group { get; init; }

    /// <summary>The declared topic, keyed by recipient: deliveries of one record key go one after another.</summary>
    public required string Topic { get; init; }

    public required IDeliveryChannel Channel { get; init; }

    /// <summary>Null: not of this channel. A <see cref="FormatException"/> makes the record a dead letter.</summary>
    public required Func<LogRecord, Delivery?> Decode { get; init; }

    /// <summary>Asked after the claim of every attempt, right before its send, and before waiting for an open breaker.</summary>
    public required StillWanted StillWanted { get; init; }

    /// <summary>Told of every attempt and end before the offset counts as done.</summary>
    public required DeliveryReport Report { get; init; }

    /// <summary>Writes dead letters: the raw record, the reason and the attempts.</summary>
    public required DeadLetterWriter DeadLetters { get; init; }
}

/// <summary>
/// One consumer group for one channel: every record of the topic that decodes to a <see cref="Delivery"/> is sent once in the absence of
/// faults, and at least once or at most once across them as the channel's <see cref="UnknownOutcomePolicy"/> says. Source: design section
/// 8.
/// </summary>
public sealed class DeliveryWorker(
    DeliveryRoute route, IPartitionedLog log, IParkedRecordStore parked, IDeliveryStore store, IFastClaims claims,
    DeliveryOptions options, TimeProvider time, Random random, ILogger logger)
{
    private readonly DeliveryPorts _ports = new(route, store, claims, new BreakerSet(options.Breaker, time), options, time, logger);
    private ConsumerRunner? _runner;

    /// <summary>The consumer that feeds the lanes, for health and metrics. Ask for it before the worker runs.</summary>
    /// <exception cref="ArgumentException">A consumer option is out of its bounds. Not retryable.</exception>
    public ConsumerRunner Runner => _runner ??= new ConsumerRunner(
        log, new ConsumerGroup(route.Group, [route.Topic]), (_, sources) => OwnerOf(sources[0]), options.Consumer, time, logger);

    /// <summary>Runs until cancelled, then drains, commits and leaves the group. Run it once.</summary>
    /// <exception cref="ArgumentException">An option is out of its bounds. Not retryable.</exception>
    public Task RunAsync(CancellationToken cancel)
    {
        options.Validate();
        return Runner.RunAsync(cancel);
    }

    private DeliveryOwner OwnerOf(TopicPartition source)
    {
        // The factory is called on the poll loop only; each partition draws from a source of its own.
        var deliveries = new PartitionDeliveries(_ports, source, new Random(random.Next()));
        var lanes = new LaneOwner(
            route.Group, source, deliveries.HandleAsync, record => record.Key, deliveries.BuryAsync, parked, options.Lanes,
            new Random(random.Next()), time, logger);
        return new DeliveryOwner(deliveries, lanes, _ports.Breakers);
    }

    /// <summary>The lanes, started only once the partition's epoch in the delivery store is ours.</summary>
    private sealed class DeliveryOwner(PartitionDeliveries deliveries, LaneOwner lanes, BreakerSet breakers) : IPartitionOwner
    {
        private Task _takeOver = Task.CompletedTask;
        private volatile bool _stopping;

        public int Held => lanes.Held;

        public OwnerActivity Activity => lanes.Activity with { WaitsForBreaker = breakers.AnyOpen };

        public async Task RunAsync(CancellationToken cancel)
        {
            _takeOver = deliveries.TakeOverAsync(cancel).AsTask();
            await _takeOver;
            if (!_stopping) await lanes.RunAsync(cancel);
        }

        public void Offer(IReadOnlyList<LogRecord> records) => lanes.Offer(records);

        public long? LowWaterMark(TopicPartition source) => lanes.LowWaterMark(source);

        // A take-over still under way would land after the next owner's and fence that one out. Past the drain's budget it may: the next
        // owner then takes over again.
        public async ValueTask StopAsync(CancellationToken cancel)
        {
            _stopping = true;
            await _takeOver.OrCancelledAsync(cancel);
            await lanes.StopAsync(cancel);
        }
    }
}
