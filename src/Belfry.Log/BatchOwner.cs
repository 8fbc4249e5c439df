using Microsoft.Extensions.Logging;

namespace Belfry.Log;

/// <summary>Settings of a batch owner.</summary>
public sealed record BatchOwnerOptions
{
    /// <summary>Most records one turn folds. Default 500.</summary>
    public int BatchRecordsMax { get; init; } = 500;

    /// <summary>Pause after a failed turn, doubled up to 30 times itself, with no jitter (one owner per partition). Default 200 ms.</summary>
    public TimeSpan ErrorBackoff { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Times a single record may fail with a fault that is not transient before it is rejected. Default 3.</summary>
    public int FaultsMax { get; init; } = 3;

    /// <summary>Says which exceptions are transient besides <see cref="LogUnavailableException"/>: repeated without end.</summary>
    public Func<Exception, bool> IsTransient { get; init; } = _ => false;
}

/// <summary>Feeds one <see cref="IBatchFold"/> from one mailbox, one turn at a time.</summary>
public sealed class BatchOwner(
    IReadOnlyList<TopicPartition> sources, IBatchFold fold, BatchOwnerOptions options, TimeProvider time, ILogger logger) : IPartitionOwner
{
    public Task RunAsync(CancellationToken cancel) => throw new NotSupportedException($"{sources}{fold}{options}{time}{logger}");
    public void Offer(IReadOnlyList<LogRecord> records) => throw new NotSupportedException();
    public int Held => throw new NotSupportedException();
    public long? LowWaterMark(TopicPartition source) => throw new NotSupportedException();
    public ValueTask StopAsync(CancellationToken cancel) => throw new NotSupportedException();
}
