using System.Collections.Concurrent;
using Belfry.Outbox;
using Microsoft.Data.Sqlite;

namespace Belfry.Sqlite;

/// <summary>A few read-only connections, lent out one read at a time, each read in one snapshot.</summary>
internal sealed class SqliteReaders(string path, SqliteFileOptions options) : IAsyncDisposable
{
    // Not disposed of: it would forget whoever still waits for it, who then waits for ever. It holds nothing but memory.
    private readonly SemaphoreSlim _free = new(options.Readers);
    private readonly ConcurrentBag<SqliteConnection> _idle = [];
    private long _reads;

    public long Reads => Volatile.Read(ref _reads);

    public async ValueTask<T> ReadAsync<T>(Func<SqliteConnection, T> read, CancellationToken cancel)
    {
        if (!await _free.WaitAsync(options.QueueWaitMax, cancel))
            throw new StoreUnavailableException(
                $"All {options.Readers} readers of '{path}' were busy for {options.QueueWaitMax}; read less at a time, or raise " +
                $"{nameof(SqliteFileOptions.Readers)}.");
        try
        {
            return await Task.Run(() => Read(read), cancel);
        }
        finally
        {
            _free.Release();
        }
    }

    /// <summary>Waits for the reads that run, then closes the connections. The file takes no more reads by then.</summary>
    public async ValueTask DisposeAsync()
    {
        for (var i = 0; i < options.Readers; i++) await _free.WaitAsync();
        while (_idle.TryTake(out var connection)) SqliteConnections.Close(connection);
    }

    private T Read<T>(Func<SqliteConnection, T> read)
    {
        SqliteConnection? connection = null;
        try
        {
            if (!_idle.TryTake(out connection)) connection = SqliteConnections.OpenReader(path, options);
            connection.Statement("begin").Run();
            var result = read(connection);
            connection.Statement("commit").Run();
            _idle.Add(connection);
            connection = null;
            Interlocked.Increment(ref _reads);
            return result;
        }
        catch (SqliteException exception) when (SqliteFaults.Translate(path, exception) is StoreUnavailableException unavailable)
        {
            throw unavailable;
        }
        finally
        {
            // A connection whose read failed may hold an open snapshot: it is not lent out again.
            if (connection is not null) SqliteConnections.Close(connection);
        }
    }
}
