using Belfry.Alerting.Incidents;
using Belfry.Outbox;

namespace Belfry.Alerting.Timeline;

/// <summary>A line of an incident's story in its place.</summary>
/// <param name="Sequence">From 1, without gaps, per incident.</param>
/// <param name="Entry">What happened.</param>
public sealed record TimelineEntry(long Sequence, LogEntry Entry);

/// <summary>Reads the timeline: what the fold has taken in so far. Safe for use by several threads.</summary>
public sealed class TimelineReader(IOutboxStore store)
{
    /// <summary>An incident's entries in order of sequence, or with null those of all incidents, newest first; and how many there are.</summary>
    /// <param name="incidentId">Whose, or null for all.</param>
    /// <param name="offset">How many to skip, 0 or more.</param>
    /// <param name="limit">At most how many, 1 to 1,000.</param>
    /// <param name="cancel">Ends the wait.</param>
    public ValueTask<(IReadOnlyList<TimelineEntry> Entries, long Total)> ListAsync(
        IncidentId? incidentId, int offset, int limit, CancellationToken cancel) => throw new NotSupportedException($"{store}");

    /// <summary>Null when there is no such entry.</summary>
    public ValueTask<TimelineEntry?> FindAsync(EventId entryId, CancellationToken cancel) => throw new NotSupportedException();
}
