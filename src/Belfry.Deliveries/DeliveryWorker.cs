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

    /// <summary>Asked right before the claim of every attempt.</summary>
    public required StillWanted StillWanted { get; init; }

    /// <summary>Told of every attempt and end before the offset counts as done.</summary>
    public required DeliveryReport Report { get; init; }

    /// <summary>Writes dead letters: the raw record, the reason and the attempts.</summary>
    public required DeadLetterWriter DeadLetters { get; init; }
}

/// <summary>
/// One consumer group for one channel: every record of the topic that decodes to a <see cref="Delivery"/> is sent once in the absence of
/// faults, and at least once or at most once across them as the channel's <see cref="UnknownOutcomePolicy"/> says. Source: design section 8.
/// </summary>
public sealed class DeliveryWorker(
    DeliveryRoute route, IPartitionedLog log, IParkedRecordStore parked, IDeliveryStore store, IFastClaims claims,
    DeliveryOptions options, TimeProvider time, Random random, ILogger logger)
{
    /// <summary>Runs until cancelled, then drains, commits and leaves the group. Run it once.</summary>
    public Task RunAsync(CancellationToken cancel) =>
        throw new NotSupportedException($"{route}{log}{parked}{store}{claims}{options}{time}{random}{logger}");
}
