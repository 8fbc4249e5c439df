namespace Belfry.Redis;

/// <summary>How the claims fare, since they were opened.</summary>
public sealed record RedisClaimsStatus
{
    /// <summary>Whether there is a connection; one that hangs counts.</summary>
    public required bool Connected { get; init; }

    /// <summary>Whether Redis is being left alone after failures, and each claim is answered "unavailable" at once.</summary>
    public required bool Paused { get; init; }

    /// <summary>For how long nothing has been answered; null if the last question was.</summary>
    public required TimeSpan? FailingFor { get; init; }

    /// <summary>Why the last question that failed did, or null.</summary>
    public required string? LastFault { get; init; }

    /// <summary>Answers to claims.</summary>
    public required long Claimed { get; init; }
    public required long Completed { get; init; }
    public required long HeldByOther { get; init; }
    public required long Unavailable { get; init; }

    /// <summary>Keys marked completed.</summary>
    public required long Completions { get; init; }

    /// <summary>Keys that were not, for they were not held any more, or Redis did not answer.</summary>
    public required long CompletionsMissed { get; init; }

    /// <summary>Questions that failed; those not put while Redis was left alone are none.</summary>
    public required long Faults { get; init; }

    /// <summary>Of these, those without an answer in time.</summary>
    public required long Timeouts { get; init; }

    /// <summary>How often connecting began: 1, and one more each time the connections were made anew.</summary>
    public required long Connects { get; init; }
}
