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

    /// <summary>Pause after a failed poll or commit, doubled up to <see cref="ErrorBackoffMax"/>. Default 1 s.</summary>
    public TimeSpan ErrorBackoff { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Where the doubling ends: so long after a log came back its records wait at most. Default 4 s, 900 polls in an hour without a log.
    /// </summary>
    public TimeSpan ErrorBackoffMax { get; init; } = TimeSpan.FromSeconds(4);

    /// <summary>
    /// A poll that is this much without an answer, or twice <see cref="PollWait"/> where that is more, is given up, and the consumer built
    /// anew; three times as long while the log fails. Default 10 s.
    /// </summary>
    public TimeSpan PollStallAfter { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// A partition with records to handle and no progress for so long is stuck (<see cref="StallDetector"/>). At least two commit
    /// intervals and the handler's timeout. Default 60 s.
    /// </summary>
    public TimeSpan StuckAfter { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>A partition is not judged for so long after its assignment. Default 30 s.</summary>
    public TimeSpan AssignmentGrace { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>What is out of its bounds, a sentence each; none when all is well.</summary>
    /// <param name="handlerTimeout">The hard limit on one call of whatever handles the records; zero when there is none.</param>
    public IEnumerable<string> Faults(TimeSpan handlerTimeout = default)
    {
        if (PollRecordsMax < 1) yield return $"{nameof(PollRecordsMax)} is {PollRecordsMax}, it must be 1 or more.";
        if (HeldMax < 1) yield return $"{nameof(HeldMax)} is {HeldMax}, it must be 1 or more.";
        if (ErrorBackoff <= TimeSpan.Zero || ErrorBackoffMax < ErrorBackoff)
            yield return $"{nameof(ErrorBackoff)} is {ErrorBackoff}, it must be above zero and at most {nameof(ErrorBackoffMax)}, " +
                $"{ErrorBackoffMax}.";
        if (PollStallAfter <= TimeSpan.Zero) yield return $"{nameof(PollStallAfter)} is {PollStallAfter}, it must be above zero.";
        var least = (CommitInterval * 2) + handlerTimeout;
        if (StuckAfter < least)
            yield return $"{nameof(StuckAfter)} is {StuckAfter}, it must be at least two commit intervals and the handler's timeout, " +
                $"{least}.";
        if (AssignmentGrace < TimeSpan.Zero) yield return $"{nameof(AssignmentGrace)} is {AssignmentGrace}, it must not be negative.";
    }
}
