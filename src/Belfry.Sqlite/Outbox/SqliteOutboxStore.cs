using System.Data.Common;
using Belfry.Outbox;

namespace Belfry.Sqlite;

/// <summary>The outbox in a <see cref="SqliteFile"/>: works of all callers share the file's commits.</summary>
public sealed class SqliteOutboxStore : IOutboxStore
{
    private readonly SqliteFile _file;

    private SqliteOutboxStore(SqliteFile file) => _file = file;

    /// <summary>Creates or opens the outbox's tables in the file.</summary>
    /// <exception cref="StoreUnavailableException">The file failed.</exception>
    public static async ValueTask<SqliteOutboxStore> OpenAsync(SqliteFile file, CancellationToken cancel)
    {
        await file.WriteAsync(connection =>
        {
            OutboxTables.Create(connection);
            return true;
        }, cancel);
        return new SqliteOutboxStore(file);
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The work did not complete synchronously; nothing was written.</exception>
    public ValueTask<T> WriteAsync<T>(Func<OutboxTransaction, ValueTask<T>> work, CancellationToken cancel) =>
        _file.WriteAsync(connection => SqliteOutboxTransaction.Run(connection, work), cancel);

    public ValueTask<T> ReadAsync<T>(Func<DbConnection, ValueTask<T>> read, CancellationToken cancel) =>
        _file.ReadAsync(connection => SqliteOutboxTransaction.Completed(read(connection)), cancel);

    public ValueTask<IReadOnlyList<OutboxMessage>> PendingAsync(string lane, int max, CancellationToken cancel) =>
        _file.ReadAsync<IReadOnlyList<OutboxMessage>>(connection => OutboxTables.Pending(connection, lane, max), cancel);

    public async ValueTask DeleteAsync(string lane, IReadOnlyList<long> sequences, CancellationToken cancel)
    {
        if (sequences.Count == 0) return;
        await _file.WriteAsync(connection =>
        {
            OutboxTables.Delete(connection, lane, sequences);
            return true;
        }, cancel);
    }
}
