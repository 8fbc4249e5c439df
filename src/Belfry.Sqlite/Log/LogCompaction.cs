namespace Belfry.Sqlite;

/// <summary>
/// Compacts one partition as Kafka's cleaner does: takes a window of records not yet compacted, notes the newest offset of each key
/// in it, and removes older records of these keys from the start on. Memory is bounded by the window, not by the keys.
/// </summary>
internal sealed class LogCompaction(SqliteLog log, LogPartition partition, long keepFromMs, int batchRecords)
{
    private const int WindowRecords = 10_000;

    public async ValueTask<long> RunAsync(CancellationToken cancel)
    {
        long removed = 0;
        while (true)
        {
            var (windowStart, end) = await log.CompactedToAsync(partition, cancel);
            var window = await log.CleaningReadAsync(
                c => LogCleaning.Newest(c, partition.Id, windowStart, end, WindowRecords), cancel);
            removed += await RemoveAsync(window, windowStart, cancel);
            if (window.NextOffset == windowStart) return removed;
            await log.CleanAsync(partition, connection => LogCleaning.SetCompactedTo(connection, partition.Id, window.NextOffset), cancel);
            if (window.NextOffset >= end) return removed;
        }
    }

    /// <summary>Tombstones go only from before the window: what they stood for was removed when they were inside one.</summary>
    private async ValueTask<long> RemoveAsync(LogCleaning.Window window, long windowStart, CancellationToken cancel)
    {
        long removed = 0;
        for (long from = 0; from < window.NextOffset;)
        {
            var at = from;
            var step = await log.CleaningReadAsync(
                c => LogCleaning.Superseded(c, partition.Id, at, window, windowStart, keepFromMs, batchRecords), cancel);
            if (step.Offsets.Count > 0)
                removed += await log.CompactAsync(
                    partition, connection => LogCleaning.Remove(connection, partition.Id, step.Offsets, partition.NextOffset), cancel);
            from = step.NextOffset;
        }

        return removed;
    }
}
