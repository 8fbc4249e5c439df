using Belfry.Deliveries;
using Belfry.Log;
using Microsoft.Data.Sqlite;

namespace Belfry.Sqlite;

/// <summary>
/// Delivery rows in a SQLite file. The rules are <see cref="DeliveryTransitions"/>'; the one writer of the file makes each call a
/// transaction of its own. Safe for use by several threads. Faults of the file come out as <see cref="Outbox.StoreUnavailableException"/>.
/// </summary>
public sealed class SqliteDeliveryStore : IDeliveryStore
{
    private readonly SqliteFile _file;

    private SqliteDeliveryStore(SqliteFile file) => _file = file;

    /// <summary>Creates or opens the store's tables in the file.</summary>
    public static async ValueTask<SqliteDeliveryStore> OpenAsync(SqliteFile file, CancellationToken cancel)
    {
        await file.WriteAsync(connection =>
        {
            SqliteSchema.Apply(connection, "deliveries", DeliveryTables.First, DeliveryTables.Second);
            return true;
        }, cancel);
        return new SqliteDeliveryStore(file);
    }

    public ValueTask<long> TakeOverAsync(string group, TopicPartition source, CancellationToken cancel) =>
        _file.WriteAsync(connection => DeliveryTables.TakeOver(connection, group, source), cancel);

    public ValueTask<IReadOnlyList<ClaimResult>> ClaimAsync(
        DeliveryFence fence, IReadOnlyList<DeliveryClaim> claims, DateTimeOffset now, CancellationToken cancel) =>
        _file.WriteAsync<IReadOnlyList<ClaimResult>>(connection =>
        {
            Check(connection, fence);
            var results = new List<ClaimResult>(claims.Count);
            foreach (var claim in claims)
            {
                var row = DeliveryTables.Find(connection, claim.Delivery.Day, claim.Delivery.IdempotencyKey);
                var step = DeliveryTransitions.OnClaim(row, claim, fence.Epoch, now);
                if (step.Write is { } write) DeliveryTables.Put(connection, write);
                results.Add(step.Result);
            }

            return results;
        }, cancel);

    public ValueTask<IReadOnlyList<bool>> CompleteAsync(
        DeliveryFence fence, IReadOnlyList<DeliveryCompletion> completions, DateTimeOffset now, CancellationToken cancel) =>
        _file.WriteAsync<IReadOnlyList<bool>>(connection =>
        {
            Check(connection, fence);
            var results = new List<bool>(completions.Count);
            foreach (var completion in completions)
            {
                var row = DeliveryTables.Find(connection, completion.Delivery.Day, completion.Delivery.IdempotencyKey);
                var write = DeliveryTransitions.OnComplete(row, completion, fence.Epoch, now, out var accepted);
                if (write is not null) DeliveryTables.Put(connection, write);
                results.Add(accepted);
            }

            return results;
        }, cancel);

    public ValueTask<DeliveryRow?> FindAsync(DateOnly day, string idempotencyKey, CancellationToken cancel) =>
        _file.ReadAsync(connection => DeliveryTables.Find(connection, day, idempotencyKey), cancel);

    public ValueTask<IReadOnlyList<DeliveryRow>> ListDeadAsync(
        string? channel, (DateOnly Day, string IdempotencyKey)? after, int max, CancellationToken cancel) =>
        _file.ReadAsync<IReadOnlyList<DeliveryRow>>(connection => DeliveryTables.ListDead(connection, channel, after, max), cancel);

    public ValueTask<long> CountDeadAsync(string? channel, CancellationToken cancel) =>
        _file.ReadAsync(connection => DeliveryTables.CountDead(connection, channel), cancel);

    public ValueTask<int> ForgetAsync(DateOnly before, int max, CancellationToken cancel) =>
        _file.WriteAsync(connection => DeliveryTables.Forget(connection, before, max), cancel);

    private static void Check(SqliteConnection connection, DeliveryFence fence)
    {
        var newest = DeliveryTables.Epoch(connection, fence.Group, fence.Source);
        if (newest == fence.Epoch) return;
        throw new OwnershipLostException(
            $"Deliveries of {fence.Source} for group '{fence.Group}' are at epoch {newest}, and this writer has {fence.Epoch}.");
    }
}
