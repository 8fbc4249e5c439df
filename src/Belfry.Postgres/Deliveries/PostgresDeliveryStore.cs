using Belfry.Deliveries;
using Belfry.Log;
using Npgsql;

namespace Belfry.Postgres;

/// <summary>
/// Delivery rows in a PostgreSQL database. The rules are <see cref="DeliveryTransitions"/>'. A batch locks its fence and its rows, decides,
/// and writes: three round trips, whatever its size; batches of one fence run one after another. Safe for use by several threads. Faults of
/// the server come out as <see cref="Outbox.StoreUnavailableException"/>.
/// </summary>
public sealed class PostgresDeliveryStore(PostgresDatabase database) : IDeliveryStore
{
    public ValueTask<long> TakeOverAsync(string group, TopicPartition source, CancellationToken cancel) => database.WriteAsync(
        async connection => (await DeliveryTables.TakeOver(connection, group, source).OneAsync(cancel))!.Value, cancel);

    /// <summary>Takes the epoch that another database has counted: from now on older ones are refused here as well.</summary>
    /// <exception cref="OwnershipLostException">A newer one is here already.</exception>
    internal async ValueTask FenceAsync(DeliveryFence fence, CancellationToken cancel)
    {
        var raised = await database.WriteAsync(connection => DeliveryTables.Fence(connection, fence).RunAsync(cancel), cancel);
        if (raised == 0)
            throw new OwnershipLostException(
                $"Deliveries of {fence.Source} for group '{fence.Group}' have a newer epoch than {fence.Epoch} in '{database.Name}'.");
    }

    public ValueTask<IReadOnlyList<ClaimResult>> ClaimAsync(
        DeliveryFence fence, IReadOnlyList<DeliveryClaim> claims, DateTimeOffset now, CancellationToken cancel) =>
        ChangeAsync<DeliveryClaim, ClaimResult>(fence, claims, claim => claim.Delivery, (claim, row) =>
        {
            var step = DeliveryTransitions.OnClaim(row, claim, fence.Epoch, now);
            return (step.Result, step.Write);
        }, cancel);

    public ValueTask<IReadOnlyList<bool>> CompleteAsync(
        DeliveryFence fence, IReadOnlyList<DeliveryCompletion> completions, DateTimeOffset now, CancellationToken cancel) =>
        ChangeAsync<DeliveryCompletion, bool>(fence, completions, completion => completion.Delivery, (completion, row) =>
        {
            var write = DeliveryTransitions.OnComplete(row, completion, fence.Epoch, now, out var accepted);
            return (accepted, write);
        }, cancel);

    public ValueTask<DeliveryRow?> FindAsync(DateOnly day, string idempotencyKey, CancellationToken cancel) => database.ReadAsync(
        async connection => (await DeliveryTables.Find(connection, day, idempotencyKey).ListAsync(DeliveryTables.Read, cancel))
            .SingleOrDefault(),
        cancel);

    public ValueTask<IReadOnlyList<DeliveryRow>> ListDeadAsync(
        string? channel, (DateOnly Day, string IdempotencyKey)? after, int max, CancellationToken cancel) =>
        database.ReadAsync<IReadOnlyList<DeliveryRow>>(
            async connection => await DeliveryTables.ListDead(connection, channel, after, max).ListAsync(DeliveryTables.Read, cancel),
            cancel);

    public ValueTask<long> CountDeadAsync(string? channel, CancellationToken cancel) => database.ReadAsync(
        async connection => await DeliveryTables.CountDead(connection, channel).OneAsync(cancel) ?? 0, cancel);

    public ValueTask<int> ForgetAsync(DateOnly before, int max, CancellationToken cancel) =>
        database.WriteAsync(connection => DeliveryTables.Forget(connection, before, max).RunAsync(cancel), cancel);

    /// <summary>Each wish is decided on what the ones before it in the batch have left.</summary>
    private ValueTask<IReadOnlyList<TAnswer>> ChangeAsync<TWish, TAnswer>(
        DeliveryFence fence, IReadOnlyList<TWish> wishes, Func<TWish, Delivery> deliveryOf,
        Func<TWish, DeliveryRow?, (TAnswer Answer, DeliveryRow? Write)> decide, CancellationToken cancel) =>
        database.WriteAsync<IReadOnlyList<TAnswer>>(async connection =>
        {
            var keys = wishes.Select(wish => KeyOf(deliveryOf(wish))).ToHashSet();
            var (epoch, rows) = await LockAsync(connection, fence, keys, cancel);
            if (epoch != fence.Epoch)
                throw new OwnershipLostException(
                    $"Deliveries of {fence.Source} for group '{fence.Group}' are at epoch {epoch}, and this writer has {fence.Epoch}.");
            var writes = new Dictionary<(DateOnly, string), DeliveryRow>();
            var answers = new List<TAnswer>(wishes.Count);
            foreach (var wish in wishes)
            {
                var key = KeyOf(deliveryOf(wish));
                var (answer, write) = decide(wish, writes.GetValueOrDefault(key) ?? rows.GetValueOrDefault(key));
                if (write is not null) writes[key] = write;
                answers.Add(answer);
            }

            await WriteAsync(connection, writes, rows, cancel);
            return answers;
        }, cancel);

    private static async ValueTask<(long Epoch, Dictionary<(DateOnly, string), DeliveryRow> Rows)> LockAsync(
        NpgsqlConnection connection, DeliveryFence fence, HashSet<(DateOnly, string)> keys, CancellationToken cancel)
    {
        await using var batch = DeliveryTables.Lock(connection, fence, keys);
        await using var reader = await batch.ExecuteReaderAsync(cancel);
        var epoch = await reader.ReadAsync(cancel) ? reader.GetInt64(0) : 0;
        await reader.NextResultAsync(cancel);
        var rows = new Dictionary<(DateOnly, string), DeliveryRow>();
        while (await reader.ReadAsync(cancel))
        {
            var row = DeliveryTables.Read(reader);
            rows[(row.Day, row.IdempotencyKey)] = row;
        }

        return (epoch, rows);
    }

    /// <summary>
    /// Keys are locked by their rows, and a new one has none: when another partition's owner adds it meanwhile, the decision was made on
    /// too little, and the whole batch runs again.
    /// </summary>
    private static async ValueTask WriteAsync(
        NpgsqlConnection connection, Dictionary<(DateOnly, string), DeliveryRow> writes,
        Dictionary<(DateOnly, string), DeliveryRow> former, CancellationToken cancel)
    {
        var known = writes.Where(write => former.ContainsKey(write.Key)).Select(write => write.Value).ToList();
        if (known.Count > 0) await DeliveryTables.Put(connection, known).RunAsync(cancel);

        // In the order of the keys, so that two batches with the same new ones wait for each other and never in a circle.
        var added = writes.Where(write => !former.ContainsKey(write.Key)).Select(write => write.Value)
            .OrderBy(row => row.Day).ThenBy(row => row.IdempotencyKey, StringComparer.Ordinal).ToList();
        if (added.Count > 0 && await DeliveryTables.Add(connection, added).RunAsync(cancel) < added.Count)
            throw new PostgresConflictException("Another owner claimed one of the same new deliveries.");
    }

    private static (DateOnly Day, string IdempotencyKey) KeyOf(Delivery delivery) => (delivery.Day, delivery.IdempotencyKey);
}
