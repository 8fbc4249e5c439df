using Belfry.Outbox;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using SQLitePCL;

namespace Belfry.Sqlite;

/// <summary>
/// The one connection that writes, and checkpoints. Runs a lot of items in one transaction and commits once. When an item fails, the
/// transaction begins anew with each item in a savepoint of its own: a savepoint copies every page it touches, so none is set without
/// need. Used by the writer's thread only (and by the opener before that starts).
/// </summary>
internal sealed class SqliteWriter(string path, SqliteFileOptions options) : IDisposable
{
    private const int CommitsBetweenWalChecks = 128;

    private readonly List<SqliteWriteItem> _started = [];
    private SqliteConnection? _connection;
    private long _commits;
    private long _items;
    private long _rows;
    private long _failedCommits;
    private bool _walIsHeld;

    public SqliteFileCounters Counters(long reads) => new(
        Volatile.Read(ref _commits), Volatile.Read(ref _items), Volatile.Read(ref _rows), Volatile.Read(ref _failedCommits), reads);

    /// <summary>Opens the connection, unless it is; the first use of a file sets its journal mode.</summary>
    public SqliteConnection Open()
    {
        if (_connection is { } open) return open;
        var connection = SqliteConnections.OpenWriter(path, options);
        return _connection = connection;
    }

    /// <summary>Runs and ends every item of the lot. Never throws for what an item or the disk does.</summary>
    public void Run(List<SqliteWriteItem> lot)
    {
        for (var at = 0; at < lot.Count;) at = RunFrom(lot, at);
        if (_connection is { } connection && _commits % CommitsBetweenWalChecks == 0) BoundWal(connection);
    }

    public void Dispose()
    {
        if (_connection is not { } connection) return;
        try
        {
            connection.Statement("pragma wal_checkpoint(truncate)").Run();
        }
        catch (SqliteException exception)
        {
            // All is durable in the write-ahead log; the next opening finishes the checkpoint.
            options.Logger.LogWarning(exception, "'{Path}' could not be checkpointed at closing; the next opening will.", path);
        }

        Close();
    }

    /// <summary>One transaction over the items from <paramref name="at"/> on; returns where the next one starts.</summary>
    private int RunFrom(List<SqliteWriteItem> lot, int at)
    {
        _started.Clear();
        try
        {
            var connection = Open();
            connection.Statement("begin immediate").Run();
            var changesBefore = raw.sqlite3_total_changes(connection.Handle!);
            for (var apart = false; at < lot.Count;)
            {
                var item = lot[at++];
                if (!item.TryStart()) continue;
                _started.Add(item);
                if (apart) RunApart(connection, item);
                else if (!TryRun(connection, item))
                {
                    apart = true;
                    changesBefore = BeginAnew(connection);
                    foreach (var started in _started) RunApart(connection, started);
                }
            }

            connection.Statement("commit").Run();
            Count(raw.sqlite3_total_changes(connection.Handle!) - changesBefore);
        }
        catch (Exception exception)
        {
            // Nothing of this transaction counts. Items not yet started go into the next one; if even the start failed, all fail.
            if (_started.Count == 0)
                for (; at < lot.Count; at++)
                    if (lot[at].TryStart()) _started.Add(lot[at]);
            FailStarted(exception);
            return at;
        }

        foreach (var item in _started)
            if (item.Fault is null) item.OnCommitted();
        SqliteLotEnds.Announce(_started);
        return at;
    }

    /// <summary>False when the item failed. Throws when the failure took the whole transaction along (disk full, I/O error).</summary>
    private static bool TryRun(SqliteConnection connection, SqliteWriteItem item)
    {
        try
        {
            item.Run(connection);
            return true;
        }
        catch (Exception) when (InTransaction(connection))
        {
            return false;
        }
    }

    /// <summary>Returns the connection's count of changes, which a rollback does not take back.</summary>
    private int BeginAnew(SqliteConnection connection)
    {
        connection.Statement("rollback").Run();
        for (var i = _started.Count - 1; i >= 0; i--) _started[i].RolledBack();
        connection.Statement("begin immediate").Run();
        return raw.sqlite3_total_changes(connection.Handle!);
    }

    /// <summary>
    /// A failing item undoes its own savepoint. Throws when the failure took the whole transaction along (disk full, I/O error).
    /// </summary>
    private void RunApart(SqliteConnection connection, SqliteWriteItem item)
    {
        connection.Statement("savepoint item").Run();
        try
        {
            item.Run(connection);
        }
        catch (Exception exception) when (InTransaction(connection))
        {
            item.RolledBack();
            item.Fault = SqliteFaults.Translate(path, exception);
            connection.Statement("rollback to item").Run();
        }

        connection.Statement("release item").Run();
    }

    private void FailStarted(Exception exception)
    {
        Volatile.Write(ref _failedCommits, _failedCommits + 1);
        options.Logger.LogError(exception, "A lot of {Items} writes to '{Path}' was lost; the callers were told.", _started.Count, path);
        RollBackOrReopen();
        for (var i = _started.Count - 1; i >= 0; i--)
            if (_started[i].Fault is null) _started[i].RolledBack();
        foreach (var item in _started)
            item.Fault = new StoreUnavailableException($"'{path}' could not commit: {exception.Message}", exception);
        SqliteLotEnds.Announce(_started);
    }

    private void RollBackOrReopen()
    {
        if (_connection is not { } connection) return;
        try
        {
            if (InTransaction(connection)) connection.Statement("rollback").Run();
        }
        catch (SqliteException exception)
        {
            options.Logger.LogWarning(exception, "'{Path}' could not roll back; its connection is opened anew.", path);
            Close();
        }
    }

    private void Count(int rows)
    {
        Volatile.Write(ref _commits, _commits + 1);
        Volatile.Write(ref _items, _items + _started.Count);
        Volatile.Write(ref _rows, _rows + rows);
    }

    /// <summary>
    /// Automatic checkpoints never wait for readers, so steady reading can let the log grow: past the bound this one waits.
    /// </summary>
    private void BoundWal(SqliteConnection connection)
    {
        var wal = new FileInfo(path + "-wal");
        if (!wal.Exists || wal.Length <= options.WalBytesMax)
        {
            _walIsHeld = false;
            return;
        }

        try
        {
            connection.Statement("pragma busy_timeout = 250").Run();
            if (EmptyWal(connection)) _walIsHeld = false;
            else WarnOnce(wal.Length, null);
        }
        catch (SqliteException exception)
        {
            WarnOnce(wal.Length, exception);
        }
        finally
        {
            // Sets a number of the connection, and touches no file.
            connection.Statement("pragma busy_timeout = 5000").Run();
        }
    }

    /// <summary>False: a reader holds on to what is in the log. SQLite says so in its answer, not by an error.</summary>
    private static bool EmptyWal(SqliteConnection connection)
    {
        var checkpoint = connection.Statement("pragma wal_checkpoint(truncate)");
        try
        {
            return !checkpoint.Step() || checkpoint.Int64(0) == 0;
        }
        finally
        {
            checkpoint.Reset();
        }
    }

    /// <summary>Once until it can be emptied again: a reader that stays is met every so many commits.</summary>
    private void WarnOnce(long bytes, SqliteException? exception)
    {
        if (_walIsHeld) return;
        _walIsHeld = true;
        options.Logger.LogWarning(
            exception, "The write-ahead log of '{Path}' holds {Bytes} bytes and could not be emptied: {Why}.",
            path, bytes, exception?.Message ?? "a reader has not ended");
    }

    private void Close()
    {
        if (_connection is not { } connection) return;
        _connection = null;
        SqliteConnections.Close(connection);
    }

    private static bool InTransaction(SqliteConnection connection) => raw.sqlite3_get_autocommit(connection.Handle!) == 0;
}
