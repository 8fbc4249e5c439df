using System.Data.Common;
using Belfry.Deliveries;
using Belfry.Log;
using Belfry.Outbox;
using Belfry.Scheduling;
using Belfry.Testing;

namespace Belfry.Simulation.Tests.World;

/// <summary>The alerting store as one node sees it: calls take virtual time and fail by plan; the observer hears of writes.</summary>
internal sealed class NodeOutboxStore(
    SimulatedNode node, SharedState state, Action<SimulatedNode> asked, Action<SimulatedNode, IReadOnlyList<OutgoingRecord>> written,
    Action<SimulatedNode> rolledBack)
    : IOutboxStore
{
    private readonly IOutboxStore _shared = state.Store;

    public ValueTask<T> WriteAsync<T>(Func<OutboxTransaction, ValueTask<T>> work, CancellationToken cancel)
    {
        asked(node);
        return new(node.IsFrozen ? OnceThawedAsync(work) : node.CallAsync("store.write", () => Write(work)));
    }

    public ValueTask<T> ReadAsync<T>(Func<DbConnection, ValueTask<T>> read, CancellationToken cancel) =>
        new(node.CallAsync("store.read", () => Now(_shared.ReadAsync(read, CancellationToken.None))));

    public ValueTask<IReadOnlyList<OutboxMessage>> PendingAsync(string lane, int max, CancellationToken cancel) =>
        new(node.CallAsync("store.pending", () => Now(_shared.PendingAsync(lane, max, CancellationToken.None))));

    public ValueTask<PendingKeys> PendingKeysAsync(string lane, int max, CancellationToken cancel) =>
        new(node.CallAsync("store.pending-keys", () => Now(_shared.PendingKeysAsync(lane, max, CancellationToken.None))));

    public ValueTask DeleteAsync(string lane, IReadOnlyList<long> sequences, CancellationToken cancel) =>
        new(node.CallAsync("store.delete", () => Now(_shared.DeleteAsync(lane, sequences, CancellationToken.None))));

    /// <summary>
    /// Of a lane that one partition's owner writes, that owner runs the relay; the others are held by one node at a time.
    /// </summary>
    public ValueTask<IAsyncDisposable?> TryHoldLaneAsync(string lane, CancellationToken cancel) => lane.Contains('/')
        ? new(new Hold(() => { }))
        : new(node.CallAsync<IAsyncDisposable?>("store.hold", () => state.TryHoldLane(lane, node) ? new Hold(() => LetGo(lane)) : null));

    /// <summary>What is behind the ports answers at once; the virtual time is the call's.</summary>
    public static T Now<T>(ValueTask<T> answer) =>
        answer.IsCompleted ? answer.GetAwaiter().GetResult() : throw new InvalidOperationException("A shared store must answer at once.");

    public static void Now(ValueTask answer) => Now(new ValueTask<bool>(Done(answer)));

    // The end of a session lets go as well, so that a failed call leaves nothing held.
    private void LetGo(string lane) => state.LetGoOfLane(lane, node);

    private async Task<T> OnceThawedAsync<T>(Func<OutboxTransaction, ValueTask<T>> work)
    {
        await Task.Yield();
        return await node.CallAsync("store.write", () => Write(work));
    }

    private T Write<T>(Func<OutboxTransaction, ValueTask<T>> work)
    {
        try
        {
            List<OutgoingRecord> added = [];
            var result = Now(_shared.WriteAsync(
                tx =>
                {
                    added.Clear();
                    return work(new Watched(tx, added));
                }, CancellationToken.None));
            written(node, added);
            return result;
        }
        catch
        {
            rolledBack(node);
            throw;
        }
    }

    private static async Task<bool> Done(ValueTask answer)
    {
        await answer;
        return true;
    }

    /// <summary>Notes what goes into the outbox.</summary>
    private sealed class Watched(OutboxTransaction inner, List<OutgoingRecord> added) : OutboxTransaction
    {
        public override DbConnection Connection => inner.Connection;

        public override ValueTask AddAsync(string lane, IReadOnlyList<OutgoingRecord> records)
        {
            added.AddRange(records);
            return inner.AddAsync(lane, records);
        }
    }

    private sealed class Hold(Action letGo) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            letGo();
            return ValueTask.CompletedTask;
        }
    }
}

/// <summary>The task store as one node sees it.</summary>
internal sealed class NodeTaskStore(SimulatedNode node, ITaskStore shared) : ITaskStore
{
    public ValueTask<TaskOwnership> TakeOverAsync(TaskPartition partition, CancellationToken cancel) =>
        Call("tasks.take-over", () => shared.TakeOverAsync(partition, CancellationToken.None));

    public ValueTask ApplyAsync(TaskBatch batch, CancellationToken cancel) =>
        new(node.CallAsync("tasks.apply", () => NodeOutboxStore.Now(shared.ApplyAsync(batch, CancellationToken.None))));

    public ValueTask<TaskWindow> LoadWindowAsync(
        TaskPartition partition, TaskKey after, long untilMs, int max, long bytesMax, CancellationToken cancel) =>
        Call("tasks.window", () => shared.LoadWindowAsync(partition, after, untilMs, max, bytesMax, CancellationToken.None));

    public ValueTask<TaskWindow> LoadLaneAsync(
        TaskPartition partition, string orderingId, TaskKey after, TaskKey upTo, int max, long bytesMax, CancellationToken cancel) =>
        Call("tasks.lane", () => shared.LoadLaneAsync(partition, orderingId, after, upTo, max, bytesMax, CancellationToken.None));

    public ValueTask<IReadOnlyList<StoredTask>> FindAsync(IReadOnlyList<ScheduledTaskId> ids, CancellationToken cancel) =>
        Call("tasks.find", () => shared.FindAsync(ids, CancellationToken.None));

    public ValueTask<IReadOnlyList<StoredTask>> ListAsync(TaskState state, long afterSequence, int max, CancellationToken cancel) =>
        Call("tasks.list", () => shared.ListAsync(state, afterSequence, max, CancellationToken.None));

    public ValueTask<(long Count, long? OldestDueMs)> OverdueAsync(long beforeMs, CancellationToken cancel) =>
        Call("tasks.overdue", () => shared.OverdueAsync(beforeMs, CancellationToken.None));

    public ValueTask<IReadOnlyList<UndecodableTask>> ListUndecodableAsync(
        TopicPartition source, long fromOffset, int max, CancellationToken cancel) =>
        Call("tasks.undecodable", () => shared.ListUndecodableAsync(source, fromOffset, max, CancellationToken.None));

    public ValueTask<int> ForgetAsync(long beforeMs, int max, CancellationToken cancel) =>
        Call("tasks.forget", () => shared.ForgetAsync(beforeMs, max, CancellationToken.None));

    private ValueTask<T> Call<T>(string name, Func<ValueTask<T>> call) => new(node.CallAsync(name, () => NodeOutboxStore.Now(call())));
}

/// <summary>The delivery store as one node sees it; claims and ends are told to the observer at the instant they are written.</summary>
internal sealed class NodeDeliveryStore(SimulatedNode node, IDeliveryStore shared, Observer observer) : IDeliveryStore
{
    public ValueTask<long> TakeOverAsync(string group, TopicPartition source, CancellationToken cancel) =>
        Call("deliveries.take-over", () => shared.TakeOverAsync(group, source, CancellationToken.None));

    public ValueTask<IReadOnlyList<ClaimResult>> ClaimAsync(
        DeliveryFence fence, IReadOnlyList<DeliveryClaim> claims, DateTimeOffset now, CancellationToken cancel) =>
        new(node.CallAsync("deliveries.claim", () =>
        {
            var results = NodeOutboxStore.Now(shared.ClaimAsync(fence, claims, now, CancellationToken.None));
            foreach (var result in results) observer.Claimed(result);
            return results;
        }));

    public ValueTask<IReadOnlyList<bool>> CompleteAsync(
        DeliveryFence fence, IReadOnlyList<DeliveryCompletion> completions, DateTimeOffset now, CancellationToken cancel) =>
        new(node.CallAsync("deliveries.complete", () =>
        {
            var written = NodeOutboxStore.Now(shared.CompleteAsync(fence, completions, now, CancellationToken.None));
            foreach (var (completion, done) in completions.Zip(written))
                if (done) observer.Completed(completion);
            return written;
        }));

    public ValueTask<DeliveryRow?> FindAsync(DateOnly day, string idempotencyKey, CancellationToken cancel) =>
        Call("deliveries.find", () => shared.FindAsync(day, idempotencyKey, CancellationToken.None));

    public ValueTask<IReadOnlyList<DeliveryRow>> ListDeadAsync(
        string? channel, (DateOnly Day, string IdempotencyKey)? after, int max, CancellationToken cancel) =>
        Call("deliveries.dead", () => shared.ListDeadAsync(channel, after, max, CancellationToken.None));

    public ValueTask<long> CountDeadAsync(string? channel, CancellationToken cancel) =>
        Call("deliveries.count", () => shared.CountDeadAsync(channel, CancellationToken.None));

    public ValueTask<int> ForgetAsync(DateOnly before, int max, CancellationToken cancel) =>
        Call("deliveries.forget", () => shared.ForgetAsync(before, max, CancellationToken.None));

    private ValueTask<T> Call<T>(string name, Func<ValueTask<T>> call) => new(node.CallAsync(name, () => NodeOutboxStore.Now(call())));
}
