using System.Security.Cryptography;
using System.Text;
using Belfry.Alerting.Storage;
using Belfry.Log;
using Belfry.Outbox;
using Dapper;

namespace Belfry.Alerting.Timeline;

/// <summary>What a comparison of the stored timeline with a new fold of the log found.</summary>
/// <param name="Incidents">In either.</param>
/// <param name="Entries">Folded from the log.</param>
/// <param name="StoredHash">SHA-256 over the stored timeline, hexadecimal.</param>
/// <param name="FoldedHash">SHA-256 over the new fold, hexadecimal.</param>
/// <param name="Differing">Incidents whose entries differ, at most 100.</param>
public sealed record TimelineComparison(
    long Incidents, long Entries, string StoredHash, string FoldedHash, IReadOnlyList<IncidentId> Differing)
{
    public bool Equal => StoredHash == FoldedHash;
}

/// <summary>
/// Folds <c>incident-log</c> anew: the proof that the timeline is nothing but the fold of the log, and the repair when it is not.
/// </summary>
public sealed class TimelineRebuilder(IPartitionedLog log, IOutboxStore store, Topics topics)
{
    private const int PageRecords = 500;
    private const int DifferingMax = 100;

    /// <summary>
    /// Compares without writing, as far as the running fold has come. Holds one digest an incident and one id an entry of a partition.
    /// </summary>
    /// <exception cref="LogUnavailableException">Retryable.</exception>
    public async Task<TimelineComparison> CompareAsync(CancellationToken cancel)
    {
        using var stored = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var folded = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var (incidents, entries, differing) = (0L, 0L, new List<IncidentId>());
        for (var partition = 0; partition < topics.IncidentLog.Partitions; partition++)
        {
            var (end, inStore) = await StoredAsync(partition, cancel);
            var inLog = await FoldedAsync(partition, end, cancel);
            entries += inLog.Entries;
            foreach (var id in inStore.Digests.Keys.Union(inLog.Digests.Keys).Order(StringComparer.Ordinal))
            {
                incidents++;
                var (left, right) = (inStore.Digests.GetValueOrDefault(id, ""), inLog.Digests.GetValueOrDefault(id, ""));
                stored.AppendData(Encoding.UTF8.GetBytes($"{id}={left}\n"));
                folded.AppendData(Encoding.UTF8.GetBytes($"{id}={right}\n"));
                if (left != right && differing.Count < DifferingMax) differing.Add(Id.Parse<IncidentId>(id));
            }
        }

        return new TimelineComparison(
            incidents, entries, Convert.ToHexStringLower(stored.GetHashAndReset()), Convert.ToHexStringLower(folded.GetHashAndReset()),
            differing);
    }

    /// <summary>
    /// Replaces the stored timeline by a new fold, partition by partition. Raises the epochs, so running owners let go; readers see
    /// the timeline grow again. Returns the number of records folded. Safe to repeat after a failure.
    /// </summary>
    /// <exception cref="OwnershipLostException">An owner took a partition meanwhile: stop the consumers first.</exception>
    public async Task<long> RebuildAsync(CancellationToken cancel)
    {
        var records = 0L;
        for (var partition = 0; partition < topics.IncidentLog.Partitions; partition++)
        {
            await ClearAsync(partition, cancel);
            var fold = new TimelineFold(partition, store, static () => { });
            await fold.LoadAsync(cancel);
            await foreach (var page in PagesAsync(partition, long.MaxValue, cancel))
            {
                await fold.FoldAsync(page, cancel);
                records += page.Count;
            }
        }

        return records;
    }

    private async Task ClearAsync(int partition, CancellationToken cancel) => await store.WriteAsync(tx =>
    {
        new PartitionFence(TimelineFold.Scope, partition).TakeOver(tx.Connection);
        foreach (var table in (string[])["timeline_entry", "timeline_rejected"])
            tx.Connection.Execute($"delete from {table} where partition_no = @partition", new { partition });
        tx.Connection.Execute(
            "delete from fold_position where scope = @scope and partition_no = @partition", new { scope = TimelineFold.Scope, partition });
        return ValueTask.FromResult(true);
    }, cancel);

    private ValueTask<(long End, TimelineDigest Digest)> StoredAsync(
        int partition, CancellationToken cancel) => store.ReadAsync(connection =>
    {
        var source = new TopicPartition(topics.IncidentLog.Name, partition);
        var end = new PartitionFence(TimelineFold.Scope, partition).Positions(connection).GetValueOrDefault(source);
        var digest = new TimelineDigest();
        var rows = connection.Query<(string Incident, long Sequence, string Document)>(
            "select incident_id, sequence, document from timeline_entry where partition_no = @partition and log_offset < @end " +
            "order by incident_id, sequence",
            new { partition, end }, buffered: false);
        foreach (var row in rows) digest.Add(row.Incident, row.Sequence, row.Document);
        return ValueTask.FromResult((end, digest));
    }, cancel);

    private async Task<TimelineDigest> FoldedAsync(int partition, long end, CancellationToken cancel)
    {
        var digest = new TimelineDigest();
        var seen = new HashSet<EventId>();
        await foreach (var page in PagesAsync(partition, end, cancel))
            foreach (var record in page)
                if (TimelineJson.Decode(record, out _) is { } entry && seen.Add(entry.Id))
                    digest.AddNext(entry.IncidentId.ToString(), TimelineFold.Document(record));
        return digest;
    }

    private async IAsyncEnumerable<IReadOnlyList<LogRecord>> PagesAsync(
        int partition, long end, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel)
    {
        var source = new TopicPartition(topics.IncidentLog.Name, partition);
        var (at, logEnd) = await log.OffsetsAsync(source, cancel);
        end = Math.Min(end, logEnd);
        while (at < end)
        {
            var page = (await log.ReadAsync(source, at, PageRecords, cancel)).Where(record => record.Offset < end).ToList();
            if (page.Count == 0) yield break;
            at = page[^1].Offset + 1;
            yield return page;
        }
    }
}
