using System.Text;
using Belfry.Deliveries;
using Belfry.Log;

namespace Belfry.Postgres;

/// <summary>
/// Deliveries over several databases by the bucket of their idempotency key. Epochs count in the first one and are put into every other
/// before a take-over ends. A batch is one transaction in each database it touches: what one of them wrote stays when another fails, and
/// repeating the batch finds it, as a batch of a single database that was cut off at its commit does.
/// </summary>
internal sealed class ShardedDeliveryStore(IReadOnlyList<PostgresDeliveryStore> shards) : IDeliveryStore
{
    public async ValueTask<long> TakeOverAsync(string group, TopicPartition source, CancellationToken cancel)
    {
        var epoch = await shards[0].TakeOverAsync(group, source, cancel);
        await Task.WhenAll(shards.Skip(1).Select(shard => shard.FenceAsync(new DeliveryFence(group, source, epoch), cancel).AsTask()));
        return epoch;
    }

    public ValueTask<IReadOnlyList<ClaimResult>> ClaimAsync(
        DeliveryFence fence, IReadOnlyList<DeliveryClaim> claims, DateTimeOffset now, CancellationToken cancel) =>
        ByShardAsync(
            claims, claim => claim.Delivery.IdempotencyKey, (shard, part) => shard.ClaimAsync(fence, part, now, cancel));

    public ValueTask<IReadOnlyList<bool>> CompleteAsync(
        DeliveryFence fence, IReadOnlyList<DeliveryCompletion> completions, DateTimeOffset now, CancellationToken cancel) =>
        ByShardAsync(
            completions, completion => completion.Delivery.IdempotencyKey,
            (shard, part) => shard.CompleteAsync(fence, part, now, cancel));

    public ValueTask<DeliveryRow?> FindAsync(DateOnly day, string idempotencyKey, CancellationToken cancel) =>
        shards[ShardOf(idempotencyKey)].FindAsync(day, idempotencyKey, cancel);

    public async ValueTask<IReadOnlyList<DeliveryRow>> ListDeadAsync(
        string? channel, (DateOnly Day, string IdempotencyKey)? after, int max, CancellationToken cancel)
    {
        var parts = await Task.WhenAll(shards.Select(shard => shard.ListDeadAsync(channel, after, max, cancel).AsTask()));
        return [.. parts.SelectMany(part => part).Order(ByKey.Instance).Take(max)];
    }

    public async ValueTask<long> CountDeadAsync(string? channel, CancellationToken cancel) =>
        (await Task.WhenAll(shards.Select(shard => shard.CountDeadAsync(channel, cancel).AsTask()))).Sum();

    public async ValueTask<int> ForgetAsync(DateOnly before, int max, CancellationToken cancel)
    {
        var forgotten = 0;
        foreach (var shard in shards)
            if (forgotten < max) forgotten += await shard.ForgetAsync(before, max - forgotten, cancel);
        return forgotten;
    }

    private int ShardOf(string idempotencyKey) => PostgresShards.ShardOf(Partitioner.Hash(idempotencyKey), shards.Count);

    /// <summary>The answers in the order of the wishes. A batch without wishes asks home, whether the fence still holds.</summary>
    private async ValueTask<IReadOnlyList<TAnswer>> ByShardAsync<TWish, TAnswer>(
        IReadOnlyList<TWish> wishes, Func<TWish, string> keyOf,
        Func<PostgresDeliveryStore, IReadOnlyList<TWish>, ValueTask<IReadOnlyList<TAnswer>>> askAsync)
    {
        if (wishes.Count == 0) return await askAsync(shards[0], wishes);
        var parts = Enumerable.Range(0, wishes.Count).GroupBy(at => ShardOf(keyOf(wishes[at]))).Select(part => part.ToArray()).ToArray();
        var answers = await Task.WhenAll(parts.Select(
            part => askAsync(shards[ShardOf(keyOf(wishes[part[0]]))], Array.ConvertAll(part, at => wishes[at])).AsTask()));
        var all = new TAnswer[wishes.Count];
        for (var part = 0; part < parts.Length; part++)
            for (var n = 0; n < parts[part].Length; n++) all[parts[part][n]] = answers[part][n];
        return all;
    }

    /// <summary>As the databases order them: by day, then by the bytes of the key.</summary>
    private sealed class ByKey : IComparer<DeliveryRow>
    {
        public static ByKey Instance { get; } = new();

        public int Compare(DeliveryRow? left, DeliveryRow? right)
        {
            var byDay = left!.Day.CompareTo(right!.Day);
            return byDay != 0 ? byDay : Bytes(left).AsSpan().SequenceCompareTo(Bytes(right));
        }

        private static byte[] Bytes(DeliveryRow row) => Encoding.UTF8.GetBytes(PostgresText.Encode(row.IdempotencyKey));
    }
}
