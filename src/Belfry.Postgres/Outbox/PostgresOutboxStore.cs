using System.Data.Common;
using Belfry.Outbox;

namespace Belfry.Postgres;

/// <summary>
/// The outbox in a PostgreSQL database. Works run in read-committed transactions on threads of the database's own, at most
/// <see cref="PostgresOptions.ConnectionsMax"/> at a time, and may block on their connection or await it; side by side, so a work that
/// reads what others write must lock it. A work may run again, after a deadlock. Reads see one snapshot.
/// </summary>
public sealed class PostgresOutboxStore(PostgresDatabase database) : IOutboxStore
{
    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">
    /// The work swallowed a fault that had ended its transaction; nothing was written.
    /// </exception>
    public ValueTask<T> WriteAsync<T>(Func<OutboxTransaction, ValueTask<T>> work, CancellationToken cancel) =>
        database.WriteBlockingAsync(connection => PostgresOutboxTransaction.RunAsync(connection, work), cancel);

    public ValueTask<T> ReadAsync<T>(Func<DbConnection, ValueTask<T>> read, CancellationToken cancel) =>
        database.ReadBlockingAsync(read, cancel);

    public ValueTask<IReadOnlyList<OutboxMessage>> PendingAsync(string lane, int max, CancellationToken cancel) =>
        database.ReadAsync<IReadOnlyList<OutboxMessage>>(
            async connection => await OutboxTables.Pending(connection, lane, max).ListAsync(OutboxTables.Read, cancel), cancel);

    /// <inheritdoc/>
    /// <remarks>Over a session of its own, so that it waits for no connection of the pool.</remarks>
    public ValueTask<PendingKeys> PendingKeysAsync(string lane, int max, CancellationToken cancel) =>
        database.Looks.PendingKeysAsync(lane, max, cancel);

    public async ValueTask DeleteAsync(string lane, IReadOnlyList<long> sequences, CancellationToken cancel)
    {
        if (sequences.Count == 0) return;
        await database.WriteAsync(connection => OutboxTables.Delete(connection, lane, sequences).RunAsync(cancel), cancel);
    }

    /// <inheritdoc/>
    /// <remarks>Held by a session of this process; see <see cref="PostgresOptions.LaneHoldIdleMax"/>.</remarks>
    public ValueTask<IAsyncDisposable?> TryHoldLaneAsync(string lane, CancellationToken cancel) =>
        database.Lanes.TryHoldAsync(lane, cancel);
}
