using Belfry.Outbox;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;

namespace Belfry.Sqlite;

/// <summary>
/// One SQLite database file of one process, shared by several modules. Writes of all callers go to one thread with one connection,
/// which takes all that wait and commits them with one sync: many small durable writes cost few syncs. Safe for use by several threads.
/// Design section 1.
/// </summary>
public sealed class SqliteFile : IAsyncDisposable
{
    private readonly SqliteFileOptions _options;
    private readonly FileStream _lock;
    private readonly SqliteWriteQueue _queue;
    private readonly SqliteWriter _writer;
    private readonly SqliteReaders _readers;
    private readonly TaskCompletionSource _writerEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Takes no more calls: it is being disposed of, or its writer has failed.
    private int _closed;
    private int _disposed;

    private SqliteFile(string path, SqliteFileOptions options, FileStream fileLock)
    {
        Path = path;
        _options = options;
        _lock = fileLock;
        _queue = new SqliteWriteQueue(path, options.QueueItemsMax, options.QueueWaitMax) { Waking = options.Waking };
        _writer = new SqliteWriter(path, options);
        _readers = new SqliteReaders(path, options);
    }

    /// <summary>The full path.</summary>
    public string Path { get; }

    public SqliteFileCounters Counters => _writer.Counters(_readers.Reads);

    /// <summary>Opens the file, creating it and its folder when missing, and takes its lock for this process.</summary>
    /// <exception cref="SqliteFileInUseException">Another process has it.</exception>
    /// <exception cref="SqliteException">It is no database, or cannot be opened.</exception>
    public static SqliteFile Open(string path, SqliteFileOptions? options = null)
    {
        options ??= new SqliteFileOptions();
        options.Validate();
        path = System.IO.Path.GetFullPath(path);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        var file = new SqliteFile(path, options, TakeLock(path));
        try
        {
            file.SayVersion(file._writer.Open());
        }
        catch
        {
            file._writer.Dispose();
            file._lock.Dispose();
            throw;
        }

        new Thread(file.WriteLoop) { IsBackground = true, Name = System.IO.Path.GetFileName(path) }.Start();
        return file;
    }

    /// <summary>
    /// Runs <paramref name="work"/> on the writer's thread inside a transaction; once this completes, what it wrote is durable. When the
    /// work throws, only its own writes are undone and its exception comes out. The work may run twice, for another's failure begins the
    /// transaction anew: it must only touch the connection, must not keep it, and must be short, since all writers wait for it.
    /// Cancelling helps until the work starts; afterwards the outcome is told.
    /// </summary>
    /// <exception cref="StoreUnavailableException">
    /// The commit failed and nothing was written, or the queue stayed full and the work never ran. Retryable.
    /// </exception>
    public ValueTask<T> WriteAsync<T>(Func<SqliteConnection, T> work, CancellationToken cancel) => WriteAsync(work, null, null, cancel);

    /// <summary>
    /// As the public one, with hooks for state in memory that follows the file. Both run on the writer's thread and must not throw:
    /// <paramref name="committed"/> after the commit and before any caller goes on, in the order of running;
    /// <paramref name="rolledBack"/> when the work had started and is undone, newest first, be it to run again.
    /// </summary>
    internal ValueTask<T> WriteAsync<T>(
        Func<SqliteConnection, T> work, Action<T>? committed, Action? rolledBack, CancellationToken cancel)
    {
        if (Volatile.Read(ref _closed) == 1) return ValueTask.FromException<T>(new ObjectDisposedException(nameof(SqliteFile)));
        if (cancel.IsCancellationRequested) return ValueTask.FromCanceled<T>(cancel);
        var item = new SqliteWriteItem<T>(work, committed, rolledBack);
        item.CancelWith(cancel);
        var added = _queue.AddAsync(item, cancel);
        return added.IsCompletedSuccessfully ? new ValueTask<T>(item.Task) : WhenAddedAsync(added, item);
    }

    private static async ValueTask<T> WhenAddedAsync<T>(ValueTask added, SqliteWriteItem<T> item)
    {
        try
        {
            await added;
        }
        catch
        {
            item.Forget();
            throw;
        }

        return await item.Task;
    }

    /// <summary>
    /// Runs <paramref name="read"/> in one snapshot on a read-only connection; it sees every write that completed before.
    /// </summary>
    /// <exception cref="StoreUnavailableException">The file cannot be read now, or all readers stayed busy. Retryable.</exception>
    public ValueTask<T> ReadAsync<T>(Func<SqliteConnection, T> read, CancellationToken cancel)
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _closed) == 1, this);
        return _readers.ReadAsync(read, cancel);
    }

    /// <summary>
    /// Checks the whole file (SQLite's <c>integrity_check</c>; reads every page). Empty when it is sound, else up to 100 faults.
    /// </summary>
    public ValueTask<IReadOnlyList<string>> CheckIntegrityAsync(CancellationToken cancel) =>
        ReadAsync<IReadOnlyList<string>>(connection =>
        {
            var faults = new List<string>();
            var statement = connection.Statement("pragma integrity_check(100)");
            while (statement.Step()) faults.Add(statement.Text(0)!);
            statement.Reset();
            return faults is ["ok"] ? [] : faults;
        }, cancel);

    /// <summary>
    /// Writes what waits, ends the reads, checkpoints, and lets the lock go. Where the writer has failed nothing is written any more, and
    /// the callers were told.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 1) return;
        Volatile.Write(ref _closed, 1);
        _queue.Close();
        await _readers.DisposeAsync();
        try
        {
            await _writerEnded.Task;
        }
        finally
        {
            await _lock.DisposeAsync();
        }
    }

    private void WriteLoop()
    {
        if (_options.WritesCanWait) ThreadPriorities.StepBack();
        var lot = new List<SqliteWriteItem>();
        try
        {
            while (_queue.Take(lot, _options.LotItemsMax)) _writer.Run(lot);
        }
        catch (Exception exception)
        {
            // Only a hook that throws comes here. Memory may differ from the file, so nothing may be written any more.
            _options.Logger.LogCritical(exception, "The writer of '{Path}' ended; restart the process.", Path);
            RefuseWhatWaits(lot, exception);
        }

        try
        {
            _writer.Dispose();
            _writerEnded.TrySetResult();
        }
        catch (Exception exception)
        {
            _writerEnded.TrySetException(exception);
        }
    }

    private void RefuseWhatWaits(List<SqliteWriteItem> lot, Exception reason)
    {
        Volatile.Write(ref _closed, 1);
        _queue.Close();
        do
        {
            lot.RemoveAll(static item => item.IsAnnounced);
            foreach (var item in lot)
                item.Fault = new StoreUnavailableException($"The writer of '{Path}' ended: {reason.Message}", reason);
            SqliteLotEnds.Announce(lot);
        }
        while (_queue.Take(lot, _options.LotItemsMax));
    }

    private void SayVersion(SqliteConnection connection)
    {
        if (Version.TryParse(connection.ServerVersion, out var version) && version < new Version(3, 51, 3))
            _options.Logger.LogDebug(
                "SQLite {Version} is below 3.51.3, which fixes a race of two checkpoints; here one connection alone checkpoints.", version);
    }

    private static FileStream TakeLock(string path)
    {
        try
        {
            return new FileStream(path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException exception) when (exception is not (FileNotFoundException or DirectoryNotFoundException or PathTooLongException))
        {
            throw new SqliteFileInUseException(path, exception);
        }
    }
}
