using Microsoft.Extensions.Logging;

namespace Belfry.Log;

/// <summary>Settings of one consumer. All have bounds.</summary>
public sealed record ConsumerOptions
{
    /// <summary>Most records one poll returns. Default 500.</summary>
    public int PollRecordsMax { get; init; } = 500;

    /// <summary>Longest wait of one poll. Default 100 ms; the simulator uses longer ones.</summary>
    public TimeSpan PollWait { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>A partition is paused when its owner holds this many records, and resumed at half. Default 16,384.</summary>
    public int HeldMax { get; init; } = 16_384;

    /// <summary>How often low-water marks are committed. Default 1 s.</summary>
    public TimeSpan CommitInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a revoked or stopped owner may finish what runs. Default 5 s.</summary>
    public TimeSpan DrainBudget { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Pause after a failed poll or commit, doubled up to 30 times itself. Default 1 s.</summary>
    public TimeSpan ErrorBackoff { get; init; } = TimeSpan.FromSeconds(1);
}

/// <summary>
/// One member of a consumer group and the owners it feeds: polls, hands out, pauses full partitions, commits low-water marks,
/// drains on revoke. Its loop never waits for a handler.
/// </summary>
public sealed partial class ConsumerRunner(
    IPartitionedLog log, ConsumerGroup group, PartitionOwnerFactory owners, ConsumerOptions options, TimeProvider time, ILogger logger)
{
    /// <summary>Runs until cancelled, then drains, commits and leaves the group. Rebuilds the consumer after faults; never throws for one.</summary>
    public Task RunAsync(CancellationToken cancel) => throw new NotSupportedException($"{log}{group}{owners}{options}{time}{logger}");
}
