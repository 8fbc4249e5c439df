using Belfry.Log;
using Belfry.Scheduling;

namespace Belfry.Postgres;

/// <summary>
/// Tasks over several databases by the bucket of their ordering id. A take-over counts in the first one and then puts the new epoch into
/// every other, so that a former owner is refused by all before the new one reads; so are former owners of topics that are retired by then,
/// which home alone knows. A batch goes to the others first and to home last,
/// together with the position: when it is cut off between, the position still lies before rows that are there, and reading their records
/// again changes nothing.
/// </summary>
internal sealed class ShardedTaskStore(IReadOnlyList<PostgresTaskStore> shards) : ITaskStore
{
    // Former owners of topics below this generation are refused by all.
    private volatile int _generation = 1;

    private PostgresTaskStore Home => shards[0];

    public async ValueTask<TaskOwnership> TakeOverAsync(TaskPartition partition, CancellationToken cancel)
    {
        var ownership = await Home.TakeOverAsync(partition, cancel);
        if (partition.Generation > _generation)
        {
            var former = await Home.RetiredOwnersAsync(cancel);
            await Task.WhenAll(shards.Skip(1).Select(shard => shard.FenceAsync(former, cancel).AsTask()));
            _generation = partition.Generation;
        }

        await Task.WhenAll(shards.Skip(1).Select(shard => shard.PrepareAsync(partition.Partitions, cancel).AsTask()));
        await Task.WhenAll(shards.Skip(1).Select(shard => shard.FenceAsync(partition.Source, ownership.Epoch, cancel).AsTask()));
        return ownership;
    }

    public async ValueTask ApplyAsync(TaskBatch batch, CancellationToken cancel)
    {
        var rows = batch.Tasks.ToLookup(row => ShardOf(row.Id.OrderingId));
        await Task.WhenAll(Enumerable.Range(1, shards.Count - 1).Where(rows.Contains).Select(shard => shards[shard]
            .ApplyAsync(batch with { Tasks = [.. rows[shard]], Undecodable = [], Position = 0 }, cancel).AsTask()));
        await Home.ApplyAsync(batch with { Tasks = [.. rows[0]] }, cancel);
    }

    public async ValueTask<TaskWindow> LoadWindowAsync(
        TaskPartition partition, TaskKey after, long untilMs, int max, long bytesMax, CancellationToken cancel) => Merge(
        await Task.WhenAll(shards.Select(shard => shard.LoadWindowAsync(partition, after, untilMs, max, bytesMax, cancel).AsTask())),
        max, bytesMax);

    public ValueTask<TaskWindow> LoadLaneAsync(
        TaskPartition partition, string orderingId, TaskKey after, TaskKey upTo, int max, long bytesMax, CancellationToken cancel) =>
        shards[ShardOf(orderingId)].LoadLaneAsync(partition, orderingId, after, upTo, max, bytesMax, cancel);

    public async ValueTask<IReadOnlyList<StoredTask>> FindAsync(IReadOnlyList<ScheduledTaskId> ids, CancellationToken cancel)
    {
        var parts = await Task.WhenAll(ids.GroupBy(id => ShardOf(id.OrderingId))
            .Select(of => shards[of.Key].FindAsync([.. of], cancel).AsTask()));
        return [.. parts.SelectMany(part => part)];
    }

    public async ValueTask<IReadOnlyList<StoredTask>> ListAsync(TaskState state, long afterSequence, int max, CancellationToken cancel)
    {
        var parts = await Task.WhenAll(shards.Select(shard => shard.ListAsync(state, afterSequence, max, cancel).AsTask()));
        return [.. parts.SelectMany(part => part).OrderBy(row => row.Sequence).Take(max)];
    }

    public async ValueTask<(long Count, long? OldestDueMs)> OverdueAsync(long beforeMs, CancellationToken cancel)
    {
        var parts = await Task.WhenAll(shards.Select(shard => shard.OverdueAsync(beforeMs, cancel).AsTask()));
        return (parts.Sum(part => part.Count), parts.Min(part => part.OldestDueMs));
    }

    public ValueTask<IReadOnlyList<UndecodableTask>> ListUndecodableAsync(
        TopicPartition source, long fromOffset, int max, CancellationToken cancel) =>
        Home.ListUndecodableAsync(source, fromOffset, max, cancel);

    public async ValueTask<int> ForgetAsync(long beforeMs, int max, CancellationToken cancel)
    {
        var forgotten = 0;
        foreach (var shard in shards)
            if (forgotten < max) forgotten += await shard.ForgetAsync(beforeMs, max - forgotten, cancel);
        return forgotten;
    }

    private int ShardOf(string orderingId) => PostgresShards.ShardOf(Partitioner.Hash(orderingId), shards.Count);

    /// <summary>Behind the last key of a window that was cut short its shard may hold more, so that no other is believed past it.</summary>
    private static TaskWindow Merge(IReadOnlyList<TaskWindow> windows, int max, long bytesMax)
    {
        var known = windows.Where(window => !window.IsComplete).Select(window => (TaskKey?)window.Tasks[^1].Key).Min();
        var tasks = new List<StoredTask>();
        var bytes = 0L;
        foreach (var row in windows.SelectMany(window => window.Tasks).OrderBy(row => row.Key))
        {
            if (row.Key > known || tasks.Count == max || bytes > bytesMax) return new TaskWindow(tasks, false);
            tasks.Add(row);
            bytes += row.Payload.Length;
        }

        return new TaskWindow(tasks, known is null);
    }
}
