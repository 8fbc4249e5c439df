using Belfry.Log;
using Belfry.Outbox;

namespace Belfry.Alerting.Timeline;

/// <summary>What a comparison of the stored timeline with a new fold of the log found.</summary>
/// <param name="Incidents">Compared.</param>
/// <param name="Entries">Folded from the log.</param>
/// <param name="StoredHash">SHA-256 over the stored timeline, hexadecimal.</param>
/// <param name="FoldedHash">SHA-256 over the new fold, hexadecimal.</param>
/// <param name="Differing">Incidents whose entries differ, at most 100, in order of id.</param>
public sealed record TimelineComparison(
    long Incidents, long Entries, string StoredHash, string FoldedHash, IReadOnlyList<IncidentId> Differing)
{
    public bool Equal => StoredHash == FoldedHash;
}

/// <summary>Folds <c>incident-log</c> anew: the proof that the timeline is nothing but the fold of the log, and the repair when it is not.</summary>
public sealed class TimelineRebuilder(IPartitionedLog log, IOutboxStore store, Topics topics)
{
    /// <summary>Compares without writing. Only what was on the log at the start and already folded is compared.</summary>
    public Task<TimelineComparison> CompareAsync(CancellationToken cancel) => throw new NotSupportedException($"{log}{store}{topics}");

    /// <summary>Replaces the stored timeline by a new fold, partition by partition, each in one transaction that fences running owners off. Returns the number of entries.</summary>
    public Task<long> RebuildAsync(CancellationToken cancel) => throw new NotSupportedException();
}
