using Belfry.Log;
using Microsoft.Extensions.Logging;

namespace Belfry.Sqlite;

/// <summary>
/// Removes what topics need not keep: records past the retention (<see cref="CleanUp.Time"/>), superseded records and old tombstones
/// (<see cref="CleanUp.Compact"/>). Works in small batches, since all writers wait while one runs. Run one a log.
/// </summary>
public sealed class LogCleaner(SqliteLog log, LogCleanerOptions options, ILogger logger)
{
    /// <summary>
    /// Cleans once every <see cref="LogCleanerOptions.Interval"/> until cancelled. A failed round is logged and the next one goes on.
    /// </summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        while (!cancel.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(options.Interval, log.Time, cancel);
                await RunOnceAsync(cancel);
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                return;
            }
            catch (LogUnavailableException exception)
            {
                logger.LogWarning(exception, "Clean-up of '{Path}' stopped half way and goes on in {Interval}.", log.File.Path,
                    options.Interval);
            }
        }
    }

    /// <summary>One round over all declared topics. Returns how many records were removed.</summary>
    /// <exception cref="LogUnavailableException">The file failed; what was removed stays removed, and the next round goes on.</exception>
    public async ValueTask<long> RunOnceAsync(CancellationToken cancel)
    {
        long removed = 0;
        foreach (var (topic, partition) in log.Partitions())
        {
            var keepFromMs = (log.Time.GetUtcNow() - topic.Retention).ToUnixTimeMilliseconds();
            removed += topic.CleanUp == CleanUp.Compact
                ? await new LogCompaction(log, partition, keepFromMs, options.BatchRecords).RunAsync(cancel)
                : await ExpireAsync(partition, keepFromMs, cancel);
        }

        return removed;
    }

    private async ValueTask<long> ExpireAsync(LogPartition partition, long keepFromMs, CancellationToken cancel)
    {
        long removed = 0;
        for (long batch = options.BatchRecords; batch == options.BatchRecords; removed += batch)
        {
            var end = partition.Extent.End;
            batch = await log.CleanAsync(partition,
                connection => LogCleaning.Expire(connection, partition.Id, end, keepFromMs, options.BatchRecords), cancel);
        }

        return removed;
    }
}

/// <summary>Settings of the cleaner.</summary>
public sealed record LogCleanerOptions
{
    /// <summary>Pause between rounds. Records outlive their retention by it at most. Default 1 minute.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Most records one transaction looks at. Default 1,000.</summary>
    public int BatchRecords { get; init; } = 1_000;
}
