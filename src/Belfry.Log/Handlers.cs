namespace Belfry.Log;

/// <summary>Handles one record in a lane. Attempt counts from 1 and survives parking. Called for one record of a key at a time.</summary>
public delegate ValueTask<HandlerOutcome> RecordHandler(LogRecord record, int attempt, CancellationToken cancel);

/// <summary>What became of a record: a decided outcome, never an exception swallowed.</summary>
public abstract record HandlerOutcome
{
    private HandlerOutcome()
    {
    }

    /// <summary>Done; its offset may be committed.</summary>
    public sealed record Done : HandlerOutcome;

    /// <summary>
    /// Try again after <see cref="After"/> (null: the retry policy's backoff). Counts as an attempt unless <see cref="BurnsAttempt"/> is
    /// false.
    /// </summary>
    public sealed record Retry(string Reason, TimeSpan? After = null, bool BurnsAttempt = true) : HandlerOutcome;

    /// <summary>Will never succeed: to the dead letters, with its bytes and the reason.</summary>
    public sealed record DeadLetter(string Reason) : HandlerOutcome;

    public static HandlerOutcome Success { get; } = new Done();
}
