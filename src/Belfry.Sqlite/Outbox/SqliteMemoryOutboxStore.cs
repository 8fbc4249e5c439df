using System.Data.Common;
using Belfry.Outbox;
using Microsoft.Data.Sqlite;

namespace Belfry.Sqlite;

/// <summary>
/// An outbox store in memory that does everything on the calling thread, at once: every returned task is complete. For simulations
/// and tests of code that brings its own SQL; nothing outlives the object. Migrate one, then <see cref="Clone"/> it for each run.
/// </summary>
public sealed class SqliteMemoryOutboxStore : IOutboxStore, IDisposable
{
    private readonly Lock _lock = new();
    private readonly SqliteCachingConnection _connection = new("Data Source=:memory:;Pooling=False");

    // Under the lock, which the same thread may enter again from inside a work.
    private bool _busy;

    public SqliteMemoryOutboxStore()
    {
        _connection.Open();
        _connection.Statement("pragma foreign_keys = on").Run();
        Inside(() =>
        {
            OutboxTables.Create(_connection);
            return true;
        });
    }

    private SqliteMemoryOutboxStore(SqliteConnection template)
    {
        _connection.Open();
        template.BackupDatabase(_connection);
        _connection.Statement("pragma foreign_keys = on").Run();
    }

    /// <summary>A new store that holds what this one holds now.</summary>
    public SqliteMemoryOutboxStore Clone()
    {
        lock (_lock) return new SqliteMemoryOutboxStore(_connection);
    }

    public ValueTask<T> WriteAsync<T>(Func<OutboxTransaction, ValueTask<T>> work, CancellationToken cancel) =>
        Call(() => Inside(() => SqliteOutboxTransaction.Run(_connection, work)), cancel);

    public ValueTask<T> ReadAsync<T>(Func<DbConnection, ValueTask<T>> read, CancellationToken cancel) =>
        Call(() => SqliteOutboxTransaction.Completed(read(_connection)), cancel);

    public ValueTask<IReadOnlyList<OutboxMessage>> PendingAsync(string lane, int max, CancellationToken cancel) =>
        Call<IReadOnlyList<OutboxMessage>>(() => OutboxTables.Pending(_connection, lane, max), cancel);

    public async ValueTask DeleteAsync(string lane, IReadOnlyList<long> sequences, CancellationToken cancel) =>
        await Call(() => Inside(() =>
        {
            OutboxTables.Delete(_connection, lane, sequences);
            return true;
        }), cancel);

    public void Dispose()
    {
        lock (_lock)
        {
            SqliteStatementCache.Release(_connection);
            _connection.Dispose();
        }
    }

    private ValueTask<T> Call<T>(Func<T> call, CancellationToken cancel)
    {
        if (cancel.IsCancellationRequested) return ValueTask.FromCanceled<T>(cancel);
        lock (_lock)
        {
            if (_busy)
                return ValueTask.FromException<T>(new InvalidOperationException(
                    "The store was called from inside one of its own works or reads; use the transaction or connection given to it."));
            _busy = true;
            try
            {
                return ValueTask.FromResult(call());
            }
            catch (Exception exception)
            {
                return ValueTask.FromException<T>(exception);
            }
            finally
            {
                _busy = false;
            }
        }
    }

    private T Inside<T>(Func<T> work)
    {
        _connection.Statement("begin immediate").Run();
        try
        {
            var result = work();
            _connection.Statement("commit").Run();
            return result;
        }
        catch
        {
            _connection.Statement("rollback").Run();
            throw;
        }
    }
}
