using Microsoft.Extensions.Logging;

namespace Belfry.Log;

/// <summary>Settings of a lane owner.</summary>
public sealed record LaneOptions
{
    /// <summary>Handlers running at a time in this partition. Default 256.</summary>
    public int Credits { get; init; } = 256;

    /// <summary>Waits before attempts 2, 3, …, each shortened by up to half at random; its length + 1 is the most attempts. Default 1, 2, 4, 8, 16 s.</summary>
    public IReadOnlyList<TimeSpan> Backoff { get; init; } = [.. new[] { 1, 2, 4, 8, 16 }.Select(s => TimeSpan.FromSeconds(s))];

    /// <summary>Waits up to this long stay in the lane; longer ones are parked in the store. Default 2 s.</summary>
    public TimeSpan LaneWaitMax { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>True: later records of a parked key wait behind it. False: they pass. Default false.</summary>
    public bool Ordered { get; init; }

    /// <summary>Hard limit on one handler call; past it the call is cancelled and counts as a retry. Default 60 s.</summary>
    public TimeSpan HandlerTimeout { get; init; } = TimeSpan.FromSeconds(60);
}

/// <summary>Puts a record aside for good, durably, before its offset counts as done.</summary>
public delegate ValueTask DeadLetterWriter(LogRecord record, string reason, int attempts, CancellationToken cancel);

/// <summary>
/// Owner of one partition that runs a handler: records of one lane key one after another, different keys side by side up to the
/// credits, done out of order, committed in order. Retries wait in the lane or in the store and hold no credit.
/// </summary>
public sealed class LaneOwner(
    string group, TopicPartition source, RecordHandler handler, Func<LogRecord, string?> laneKeyOf, DeadLetterWriter deadLetters,
    IParkedRecordStore parked, LaneOptions options, Random jitter, TimeProvider time, ILogger logger) : IPartitionOwner
{
    public Task RunAsync(CancellationToken cancel) =>
        throw new NotSupportedException($"{group}{source}{handler}{laneKeyOf}{deadLetters}{parked}{options}{jitter}{time}{logger}");
    public void Offer(IReadOnlyList<LogRecord> records) => throw new NotSupportedException();
    public int Held => throw new NotSupportedException();
    public long? LowWaterMark(TopicPartition source) => throw new NotSupportedException();
    public ValueTask StopAsync(CancellationToken cancel) => throw new NotSupportedException();
}
