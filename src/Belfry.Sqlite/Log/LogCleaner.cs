using Belfry.Log;
using Microsoft.Extensions.Logging;

namespace Belfry.Sqlite;

/// <summary>
/// Removes what topics need not keep: records past the retention (<see cref="CleanUp.Time"/>), superseded records and old tombstones
/// (<see cref="CleanUp.Compact"/>). Works in small batches, since all writers wait while one runs. Run one a log.
/// </summary>
public sealed partial class LogCleaner(SqliteLog log, LogCleanerOptions options, ILogger logger)
{
    private const int PauseMax = 4;

    /// <summary>
    /// Cleans once every <see cref="LogCleanerOptions.Interval"/> until cancelled, and ends for no other reason: a failed round is logged.
    /// While the file fails the pause doubles with each round, up to 4 intervals; a partition that cannot be cleaned slows nothing down.
    /// </summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        var failures = 0;
        while (!cancel.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(PauseAfter(failures), log.Time, cancel);
                var removed = await RunOnceAsync(cancel);
                failures = 0;
                LogCleaned(logger, log.File.Path, removed);
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                return;
            }
            catch (LogUnavailableException fault)
            {
                failures++;
                LogFileFailed(logger, log.File.Path, failures, PauseAfter(failures), fault);
            }
            catch (Exception fault)
            {
                failures = 0;
                LogNotCleaned(logger, log.File.Path, fault);
            }
        }
    }

    /// <summary>One round over all declared topics. Returns how many records were removed.</summary>
    /// <exception cref="LogUnavailableException">The file failed; what was removed stays removed, and the next round goes on.</exception>
    /// <exception cref="InvalidOperationException">
    /// Some partitions could not be cleaned, the first for the inner reason; all others were.
    /// </exception>
    public async ValueTask<long> RunOnceAsync(CancellationToken cancel)
    {
        long removed = 0;
        List<(LogPartition Partition, Exception Fault)> failed = [];
        foreach (var (topic, partition) in log.Partitions())
        {
            try
            {
                removed += await CleanAsync(topic, partition, cancel);
            }
            catch (Exception fault) when (fault is not (LogUnavailableException or OperationCanceledException))
            {
                // A fault of this partition's rows must not fill the disk with all the others'.
                failed.Add((partition, fault));
            }
        }

        if (failed is [var (first, reason), ..])
            throw new InvalidOperationException($"{failed.Count} partitions could not be cleaned, {first.Source} the first.", reason);
        return removed;
    }

    private TimeSpan PauseAfter(int failures) => options.Interval * Math.Min(PauseMax, Math.Pow(2, failures));

    [LoggerMessage(401, LogLevel.Debug, "Clean-up of '{Path}' removed {Records} records")]
    private static partial void LogCleaned(ILogger logger, string path, long records);

    [LoggerMessage(402, LogLevel.Warning, "Clean-up of '{Path}' failed {Failures} times in a row and goes on in {Pause}")]
    private static partial void LogFileFailed(ILogger logger, string path, int failures, TimeSpan pause, Exception fault);

    [LoggerMessage(403, LogLevel.Error, "A part of '{Path}' could not be cleaned and grows until it can")]
    private static partial void LogNotCleaned(ILogger logger, string path, Exception fault);

    private ValueTask<long> CleanAsync(TopicDeclaration topic, LogPartition partition, CancellationToken cancel)
    {
        var keepFromMs = (log.Time.GetUtcNow() - topic.Retention).ToUnixTimeMilliseconds();
        return topic.CleanUp == CleanUp.Compact
            ? new LogCompaction(log, partition, keepFromMs, options.BatchRecords).RunAsync(cancel)
            : ExpireAsync(partition, keepFromMs, cancel);
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
    /// <summary>Pause between rounds: so long records outlive their retention, longer while writes fail. Default 1 minute.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Most records one transaction looks at. Default 1,000.</summary>
    public int BatchRecords { get; init; } = 1_000;
}
