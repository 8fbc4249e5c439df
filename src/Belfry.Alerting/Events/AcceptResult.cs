namespace Belfry.Alerting.Events;

/// <summary>What the sender of an event is told.</summary>
public abstract record AcceptResult
{
    private AcceptResult()
    {
    }

    /// <summary>Durable. <paramref name="DedupKey"/> as given or made; null for a change event.</summary>
    public sealed record Accepted(string? DedupKey) : AcceptResult;

    /// <summary>Never will be accepted as it is; all errors.</summary>
    public sealed record Invalid(IReadOnlyList<string> Errors) : AcceptResult;

    /// <summary>No JSON object.</summary>
    public sealed record Unrecognized : AcceptResult;

    /// <summary>Over the integration's limit; may come again after the time.</summary>
    public sealed record Limited(TimeSpan RetryAfter, int EventsPerMinute) : AcceptResult;

    /// <summary>The log did not take it in time. It may have; a repeat does no harm.</summary>
    public sealed record Unavailable(TimeSpan RetryAfter) : AcceptResult;
}
