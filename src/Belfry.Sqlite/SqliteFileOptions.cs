using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Sqlite;

/// <summary>Settings of one <see cref="SqliteFile"/>. All are bounds; the defaults suit one busy process on two cores.</summary>
public sealed record SqliteFileOptions
{
    /// <summary>Write items that may wait; further callers wait for room. Default 8,192.</summary>
    public int QueueItemsMax { get; init; } = 8_192;

    /// <summary>How long a caller waits for room in the queue, or for a reader, before it fails. Default 10 s.</summary>
    public TimeSpan QueueWaitMax { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Most items one commit carries. More means fewer syncs and a longer wait for the first of them. Default 1,024.</summary>
    public int LotItemsMax { get; init; } = 1_024;

    /// <summary>Reads that run side by side, each on its own read-only connection. Default 3.</summary>
    public int Readers { get; init; } = 3;

    /// <summary>Page cache of each connection, bytes. Default 32 MiB.</summary>
    public long CacheBytes { get; init; } = 32L << 20;

    /// <summary>Past this length of the write-ahead log the writer waits for readers to let it start over. Default 64 MiB.</summary>
    public long WalBytesMax { get; init; } = 64L << 20;

    /// <summary>
    /// Pages of 4 KiB in the write-ahead log after which a commit also brings them into the file. Fewer means shorter stalls, and more
    /// writing where the same pages change again and again. Default 4,000.
    /// </summary>
    public int CheckpointPages { get; init; } = 4_000;

    /// <summary>
    /// True: the writer's thread steps back behind others when all processors are busy, for files whose writes can wait. Default false.
    /// </summary>
    public bool WritesCanWait { get; init; }

    public ILogger Logger { get; init; } = NullLogger.Instance;

    /// <summary>Tests set it, see <see cref="SqliteWriteQueue.Waking"/>.</summary>
    internal Action? Waking { get; init; }

    /// <exception cref="ArgumentException">A bound is below 1; names all that are.</exception>
    internal void Validate()
    {
        var faults = new List<string>();
        if (QueueItemsMax < 1) faults.Add($"{nameof(QueueItemsMax)} is {QueueItemsMax}, at least 1 is needed");
        if (LotItemsMax < 1) faults.Add($"{nameof(LotItemsMax)} is {LotItemsMax}, at least 1 is needed");
        if (Readers < 1) faults.Add($"{nameof(Readers)} is {Readers}, at least 1 is needed");
        if (CacheBytes < 1 << 16) faults.Add($"{nameof(CacheBytes)} is {CacheBytes}, at least 65536 is needed");
        if (WalBytesMax < 1 << 20) faults.Add($"{nameof(WalBytesMax)} is {WalBytesMax}, at least 1048576 is needed");
        if (CheckpointPages < 1) faults.Add($"{nameof(CheckpointPages)} is {CheckpointPages}, at least 1 is needed");
        if (QueueWaitMax <= TimeSpan.Zero) faults.Add($"{nameof(QueueWaitMax)} is {QueueWaitMax}, more than zero is needed");
        if (faults.Count > 0) throw new ArgumentException($"SqliteFileOptions: {string.Join("; ", faults)}.");
    }
}

/// <summary>What a file has done since it was opened.</summary>
/// <param name="Commits">Transactions made durable, each with one sync.</param>
/// <param name="Items">Write items these carried.</param>
/// <param name="Rows">Rows inserted, changed and deleted by them.</param>
/// <param name="FailedCommits">Lots that were lost as a whole.</param>
/// <param name="Reads">Reads that completed.</param>
public sealed record SqliteFileCounters(long Commits, long Items, long Rows, long FailedCommits, long Reads);

/// <summary>
/// Another process, or another <see cref="SqliteFile"/> of this one, has the file open. Stop the other one; not retryable before.
/// </summary>
public sealed class SqliteFileInUseException(string path, Exception inner) : Exception(
    $"'{path}' is in use by another process (its lock '{path}.lock' is held). One process serves an embedded file: stop the other one, " +
    "or give this one another path.", inner);
