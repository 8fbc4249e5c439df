using Microsoft.Data.Sqlite;

namespace Belfry.Sqlite;

/// <summary>What the cleaner needs of the log.</summary>
public sealed partial class SqliteLog
{
    /// <summary>Runs a removal on the writer, and moves the partition's start to what is left.</summary>
    internal async ValueTask<long> CleanAsync(LogPartition partition, Func<SqliteConnection, long> remove, CancellationToken cancel) =>
        (await Guarded(_file.WriteAsync(
            connection => (Removed: remove(connection), Start: LogTables.Start(connection, partition.Id, partition.NextOffset)),
            done => partition.MoveStart(done.Start), null, cancel))).Removed;

    /// <summary>As <see cref="CleanAsync"/>, for removals that leave gaps: what memory holds may be among them.</summary>
    internal async ValueTask<long> CompactAsync(LogPartition partition, Func<SqliteConnection, long> remove, CancellationToken cancel) =>
        (await Guarded(_file.WriteAsync(
            connection => (Removed: remove(connection), Start: LogTables.Start(connection, partition.Id, partition.NextOffset)),
            done =>
            {
                partition.MoveStart(done.Start);
                partition.ForgetTail();
            }, null, cancel))).Removed;

    internal ValueTask<T> CleaningReadAsync<T>(Func<SqliteConnection, T> read, CancellationToken cancel) =>
        Guarded(_file.ReadAsync(read, cancel));

    internal async ValueTask<(long CompactedTo, long End)> CompactedToAsync(LogPartition partition, CancellationToken cancel) =>
        (await CleaningReadAsync(connection => LogCleaning.CompactedTo(connection, partition.Id), cancel), partition.Extent.End);
}
