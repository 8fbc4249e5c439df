using System.Data;
using Belfry.Outbox;
using Npgsql;

namespace Belfry.Postgres;

/// <summary>
/// One PostgreSQL database, or one schema of it, as this process sees it: a bounded pool of connections that several stores share. Safe for
/// use by several threads. Run <see cref="PostgresSchema.MigrateAsync"/> before. Design section 1.
/// </summary>
public sealed class PostgresDatabase : IAsyncDisposable
{
    /// <summary>Works that lose against others run again at once, so often: each loss means that another one has won.</summary>
    private const int ConflictTriesMax = 10;

    private readonly NpgsqlDataSource _source;

    // Not disposed of: it would forget whoever still waits for it, who then waits for ever. It holds nothing but memory.
    private readonly SemaphoreSlim _free;
    private readonly WorkThreads _threads;
    private long _conflicts;
    private int _closed;

    private PostgresDatabase(PostgresOptions options)
    {
        Options = options;
        var text = options.Pooled();
        Name = $"{text.Host}:{text.Port}/{text.Database ?? text.Username}";
        _source = NpgsqlDataSource.Create(text);
        _free = new SemaphoreSlim(options.ConnectionsMax);
        _threads = new WorkThreads(options.ConnectionsMax);
        Lanes = new LaneHolds(this);
        Looks = new LaneLooks(this);
    }

    /// <summary>Host, port and database, for messages.</summary>
    public string Name { get; }

    /// <summary>How often a work was run again because another transaction was faster with the same rows.</summary>
    public long Conflicts => Volatile.Read(ref _conflicts);

    internal PostgresOptions Options { get; }

    internal LaneHolds Lanes { get; }

    internal LaneLooks Looks { get; }

    /// <summary>Connects to nothing yet: the first call does.</summary>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public static PostgresDatabase Open(PostgresOptions options)
    {
        options.Validate();
        return new PostgresDatabase(options);
    }

    /// <summary>Waits for the calls that run, then closes the connections.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _closed, 1) == 1) return;
        for (var i = 0; i < Options.ConnectionsMax; i++) await _free.WaitAsync();
        await Lanes.DisposeAsync();
        await Looks.DisposeAsync();
        await _source.DisposeAsync();
        _threads.Dispose();
    }

    /// <summary>
    /// Runs <paramref name="work"/> in a read-committed transaction and commits it; durable on return. It runs again when it lost against
    /// another one. Cancelling helps until the commit; afterwards the outcome is told.
    /// </summary>
    /// <exception cref="StoreUnavailableException">Outcome unknown. Retryable.</exception>
    internal async ValueTask<T> WriteAsync<T>(Func<NpgsqlConnection, ValueTask<T>> work, CancellationToken cancel)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await InTransactionAsync(IsolationLevel.ReadCommitted, work, cancel);
            }
            catch (Exception fault) when (attempt < ConflictTriesMax && PostgresFaults.IsConflict(fault))
            {
                Interlocked.Increment(ref _conflicts);
            }
            catch (Exception fault) when (PostgresFaults.Translate(Name, fault) is StoreUnavailableException unavailable)
            {
                throw unavailable;
            }
        }
    }

    /// <summary>
    /// As <see cref="WriteAsync"/>, for a work that blocks its thread: it runs on a thread of its own.
    /// </summary>
    internal ValueTask<T> WriteBlockingAsync<T>(Func<NpgsqlConnection, ValueTask<T>> work, CancellationToken cancel) =>
        WriteAsync(connection => _threads.RunAsync(() => work(connection)), cancel);

    /// <summary>Runs <paramref name="read"/>, which blocks its thread, in one snapshot on a thread of its own.</summary>
    /// <exception cref="StoreUnavailableException">Retryable.</exception>
    internal async ValueTask<T> ReadBlockingAsync<T>(Func<NpgsqlConnection, ValueTask<T>> read, CancellationToken cancel)
    {
        try
        {
            return await InTransactionAsync(
                IsolationLevel.RepeatableRead, connection => _threads.RunAsync(() => read(connection)), cancel);
        }
        catch (Exception fault) when (PostgresFaults.Translate(Name, fault) is StoreUnavailableException unavailable)
        {
            throw unavailable;
        }
    }

    /// <summary>Runs one statement by itself, in its own snapshot.</summary>
    /// <exception cref="StoreUnavailableException">Retryable.</exception>
    internal async ValueTask<T> ReadAsync<T>(Func<NpgsqlConnection, ValueTask<T>> read, CancellationToken cancel)
    {
        await EnterAsync(cancel);
        try
        {
            await using var connection = await _source.OpenConnectionAsync(cancel);
            return await read(connection);
        }
        catch (Exception fault) when (PostgresFaults.Translate(Name, fault) is StoreUnavailableException unavailable)
        {
            throw unavailable;
        }
        finally
        {
            _free.Release();
        }
    }

    private async ValueTask<T> InTransactionAsync<T>(
        IsolationLevel level, Func<NpgsqlConnection, ValueTask<T>> work, CancellationToken cancel)
    {
        await EnterAsync(cancel);
        try
        {
            await using var connection = await _source.OpenConnectionAsync(cancel);
            await using var transaction = await connection.BeginTransactionAsync(level, cancel);
            var result = await work(connection);
            cancel.ThrowIfCancellationRequested();
            await CommitAsync(connection);
            return result;
        }
        finally
        {
            _free.Release();
        }
    }

    /// <summary>
    /// PostgreSQL answers the commit of a failed transaction by rolling back, without a fault: a work that swallowed one would be told that
    /// it was written. The statement before the commit fails then, in the same round trip.
    /// </summary>
    private static async ValueTask CommitAsync(NpgsqlConnection connection)
    {
        try
        {
            await using var batch = new NpgsqlBatch(connection).With("select 1").With("commit");
            await batch.ExecuteNonQueryAsync(CancellationToken.None);
        }
        catch (PostgresException fault) when (fault.SqlState == PostgresErrorCodes.InFailedSqlTransaction)
        {
            throw new InvalidOperationException(
                "The work went on after a fault that had ended its transaction; nothing of it is there. Let the fault come out.", fault);
        }
    }

    private async ValueTask EnterAsync(CancellationToken cancel)
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _closed) == 1, this);
        if (!await _free.WaitAsync(Options.WaitMax, cancel))
            throw new StoreUnavailableException(
                $"All {Options.ConnectionsMax} connections to '{Name}' were busy for {Options.WaitMax}; raise " +
                $"{nameof(PostgresOptions.ConnectionsMax)}, or find what is slow.");
    }
}
