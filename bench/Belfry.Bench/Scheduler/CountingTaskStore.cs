using Belfry.Log;
using Belfry.Scheduling;

namespace Belfry.Bench.Scheduler;

/// <summary>A store that counts the tasks whose end it has committed.</summary>
internal sealed class CountingTaskStore(ITaskStore store) : ITaskStore
{
    private readonly Lock _lock = new();
    private (long Goal, TaskCompletionSource Reached)? _wait;
    private long _ended;

    public long Ended
    {
        get
        {
            lock (_lock) return _ended;
        }
    }

    public Task WaitForAsync(long ended)
    {
        lock (_lock)
        {
            var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (_ended >= ended) return Task.CompletedTask;
            _wait = (ended, reached);
            return reached.Task;
        }
    }

    public async ValueTask ApplyAsync(TaskBatch batch, CancellationToken cancel)
    {
        await store.ApplyAsync(batch, cancel);
        lock (_lock)
        {
            _ended += batch.Tasks.Count(row => row.State == TaskState.Done);
            if (_wait is { } wait && _ended >= wait.Goal) wait.Reached.TrySetResult();
        }
    }

    public ValueTask<TaskOwnership> TakeOverAsync(TaskPartition partition, CancellationToken cancel) =>
        store.TakeOverAsync(partition, cancel);

    public ValueTask<TaskWindow> LoadWindowAsync(
        TaskPartition partition, TaskKey after, long untilMs, int max, long bytesMax, CancellationToken cancel) =>
        store.LoadWindowAsync(partition, after, untilMs, max, bytesMax, cancel);

    public ValueTask<TaskWindow> LoadLaneAsync(
        TaskPartition partition, string orderingId, TaskKey after, TaskKey upTo, int max, long bytesMax, CancellationToken cancel) =>
        store.LoadLaneAsync(partition, orderingId, after, upTo, max, bytesMax, cancel);

    public ValueTask<IReadOnlyList<StoredTask>> FindAsync(IReadOnlyList<ScheduledTaskId> ids, CancellationToken cancel) =>
        store.FindAsync(ids, cancel);

    public ValueTask<IReadOnlyList<StoredTask>> ListAsync(TaskState state, long afterSequence, int max, CancellationToken cancel) =>
        store.ListAsync(state, afterSequence, max, cancel);

    public ValueTask<(long Count, long? OldestDueMs)> OverdueAsync(long beforeMs, CancellationToken cancel) =>
        store.OverdueAsync(beforeMs, cancel);

    public ValueTask<IReadOnlyList<UndecodableTask>> ListUndecodableAsync(
        TopicPartition source, long fromOffset, int max, CancellationToken cancel) =>
        store.ListUndecodableAsync(source, fromOffset, max, cancel);

    public ValueTask<int> ForgetAsync(long beforeMs, int max, CancellationToken cancel) => store.ForgetAsync(beforeMs, max, cancel);
}
