using Belfry.Deliveries;
using Belfry.Log;

namespace Belfry.Testing;

/// <summary>
/// A delivery store in memory that outlives the nodes of a simulation. <see cref="BeforeCall"/> and <see cref="AfterCall"/> are the places
/// to fail, delay or crash a node: what is thrown after a call has been applied comes out as an error all the same.
/// </summary>
public sealed class SimulatedDeliveryStore : IDeliveryStore
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<(DateOnly Day, string Key), DeliveryRow> _rows = new(new ByDayAndKey());
    private readonly Dictionary<(string Group, TopicPartition Source), long> _epochs = [];
    private long _newestEpoch;

    /// <summary>Called with the name of each call before it has any effect.</summary>
    public Func<string, ValueTask> BeforeCall { get; set; } = _ => ValueTask.CompletedTask;

    /// <summary>Called with the name of each call once its effect is durable.</summary>
    public Func<string, ValueTask> AfterCall { get; set; } = _ => ValueTask.CompletedTask;

    /// <summary>All rows, by day and key.</summary>
    public IReadOnlyList<DeliveryRow> Rows
    {
        get
        {
            lock (_lock) return [.. _rows.Values];
        }
    }

    public ValueTask<long> TakeOverAsync(string group, TopicPartition source, CancellationToken cancel) =>
        CallAsync(nameof(TakeOverAsync), () => _epochs[(group, source)] = ++_newestEpoch);

    public ValueTask<IReadOnlyList<ClaimResult>> ClaimAsync(
        DeliveryFence fence, IReadOnlyList<DeliveryClaim> claims, DateTimeOffset now, CancellationToken cancel) =>
        CallAsync<IReadOnlyList<ClaimResult>>(nameof(ClaimAsync), () =>
        {
            Check(fence);
            return [.. claims.Select(claim =>
            {
                var step = DeliveryTransitions.OnClaim(Find(claim.Delivery.Day, claim.Delivery.IdempotencyKey), claim, fence.Epoch, now);
                Write(step.Write);
                return step.Result;
            })];
        });

    public ValueTask<IReadOnlyList<bool>> CompleteAsync(
        DeliveryFence fence, IReadOnlyList<DeliveryCompletion> completions, DateTimeOffset now, CancellationToken cancel) =>
        CallAsync<IReadOnlyList<bool>>(nameof(CompleteAsync), () =>
        {
            Check(fence);
            return [.. completions.Select(completion =>
            {
                var row = Find(completion.Delivery.Day, completion.Delivery.IdempotencyKey);
                Write(DeliveryTransitions.OnComplete(row, completion, fence.Epoch, now, out var accepted));
                return accepted;
            })];
        });

    public ValueTask<DeliveryRow?> FindAsync(DateOnly day, string idempotencyKey, CancellationToken cancel) =>
        CallAsync(nameof(FindAsync), () => Find(day, idempotencyKey));

    public ValueTask<IReadOnlyList<DeliveryRow>> ListDeadAsync(
        string? channel, (DateOnly Day, string IdempotencyKey)? after, int max, CancellationToken cancel) =>
        CallAsync<IReadOnlyList<DeliveryRow>>(nameof(ListDeadAsync), () =>
        [
            .. Dead(channel).Where(row => after is not { } last || _rows.Comparer.Compare((row.Day, row.IdempotencyKey), last) > 0)
                .Take(max),
        ]);

    public ValueTask<long> CountDeadAsync(string? channel, CancellationToken cancel) =>
        CallAsync(nameof(CountDeadAsync), () => (long)Dead(channel).Count());

    public ValueTask<int> ForgetAsync(DateOnly before, int max, CancellationToken cancel) =>
        CallAsync(nameof(ForgetAsync), () =>
        {
            var old = _rows.Where(r => r.Key.Day < before && r.Value.State is not (DeliveryState.Sending or DeliveryState.Retry))
                .Select(r => r.Key).Take(max).ToList();
            foreach (var key in old) _rows.Remove(key);
            return old.Count;
        });

    private async ValueTask<T> CallAsync<T>(string name, Func<T> apply)
    {
        await BeforeCall(name);
        T result;
        lock (_lock) result = apply();
        await AfterCall(name);
        return result;
    }

    private void Check(DeliveryFence fence)
    {
        var newest = _epochs.GetValueOrDefault((fence.Group, fence.Source));
        if (fence.Epoch == newest) return;
        throw new OwnershipLostException($"Epoch {fence.Epoch} of {fence.Group} on {fence.Source} is stale; the newest is {newest}.");
    }

    private DeliveryRow? Find(DateOnly day, string key) => _rows.GetValueOrDefault((day, key));

    private void Write(DeliveryRow? row)
    {
        if (row is not null) _rows[(row.Day, row.IdempotencyKey)] = row;
    }

    private IEnumerable<DeliveryRow> Dead(string? channel) => _rows.Values.Where(
        row => row.State is DeliveryState.Dead or DeliveryState.Unknown && (channel is null || row.Channel == channel));

    private sealed class ByDayAndKey : IComparer<(DateOnly Day, string Key)>
    {
        public int Compare((DateOnly Day, string Key) x, (DateOnly Day, string Key) y)
        {
            var byDay = x.Day.CompareTo(y.Day);
            return byDay != 0 ? byDay : string.CompareOrdinal(x.Key, y.Key);
        }
    }
}
