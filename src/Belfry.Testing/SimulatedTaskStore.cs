using Belfry.Log;
using Belfry.Scheduling;

namespace Belfry.Testing;

/// <summary>
/// A task store in memory that keeps every promise of <see cref="ITaskStore"/>. Calls complete at once; a test that wants delays or
/// faults wraps it. Survives the owners that use it, so a restart is a new owner on the same store.
/// </summary>
public sealed class SimulatedTaskStore : ITaskStore
{
    private readonly Lock _lock = new();
    private readonly Dictionary<long, StoredTask> _rows = [];
    private readonly Dictionary<ScheduledTaskId, long> _byId = [];
    private readonly SortedSet<(TaskKey Key, long Sequence)> _open = [];
    private readonly Dictionary<TopicPartition, (long Epoch, long Position)> _owners = [];
    private readonly SortedDictionary<(TopicPartition Source, long Offset), UndecodableTask> _undecodable = [];
    private long _epoch;

    /// <summary>Batches applied, refused ones not counted.</summary>
    public int Applied { get; private set; }

    public ValueTask<TaskOwnership> TakeOverAsync(TaskPartition partition, CancellationToken cancel)
    {
        lock (_lock)
        {
            var position = _owners.TryGetValue(partition.Source, out var owner) ? owner.Position : 0;
            _owners[partition.Source] = (++_epoch, position);
            return new(new TaskOwnership(_epoch, position));
        }
    }

    public ValueTask ApplyAsync(TaskBatch batch, CancellationToken cancel)
    {
        lock (_lock)
        {
            var newest = _owners.GetValueOrDefault(batch.Partition.Source).Epoch;
            if (newest != batch.Epoch)
                throw new OwnershipLostException(
                    $"{batch.Partition.Source} is at epoch {newest}; a write of epoch {batch.Epoch} is refused.");
            foreach (var row in batch.Tasks) Put(row);
            foreach (var record in batch.Undecodable) _undecodable[(batch.Partition.Source, record.Offset)] = record;
            _owners[batch.Partition.Source] = (newest, batch.Position);
            Applied++;
            return default;
        }
    }

    public ValueTask<TaskWindow> LoadWindowAsync(
        TaskPartition partition, TaskKey after, long untilMs, int max, long bytesMax, CancellationToken cancel)
    {
        lock (_lock)
            return new(Window(row => partition.Owns(row.Id.OrderingId), after, TaskKey.EndOf(untilMs), max, bytesMax));
    }

    public ValueTask<TaskWindow> LoadLaneAsync(
        TaskPartition partition, string orderingId, TaskKey after, TaskKey upTo, int max, long bytesMax, CancellationToken cancel)
    {
        lock (_lock) return new(Window(row => row.Id.OrderingId == orderingId, after, upTo, max, bytesMax));
    }

    public ValueTask<IReadOnlyList<StoredTask>> FindAsync(IReadOnlyList<ScheduledTaskId> ids, CancellationToken cancel)
    {
        lock (_lock)
            return new(ids.Distinct().Where(_byId.ContainsKey).Select(id => _rows[_byId[id]]).ToList());
    }

    public ValueTask<IReadOnlyList<StoredTask>> ListAsync(TaskState state, long afterSequence, int max, CancellationToken cancel)
    {
        lock (_lock)
            return new(_rows.Values.Where(row => row.State == state && row.Sequence > afterSequence)
                .OrderBy(row => row.Sequence).Take(max).ToList());
    }

    public ValueTask<(long Count, long? OldestDueMs)> OverdueAsync(long beforeMs, CancellationToken cancel)
    {
        lock (_lock)
        {
            var count = _open.TakeWhile(item => item.Key.DueMs < beforeMs).LongCount();
            return new((count, count == 0 ? null : _open.Min.Key.DueMs));
        }
    }

    public ValueTask<IReadOnlyList<UndecodableTask>> ListUndecodableAsync(
        TopicPartition source, long fromOffset, int max, CancellationToken cancel)
    {
        lock (_lock)
            return new(_undecodable.Where(pair => pair.Key.Source == source && pair.Key.Offset >= fromOffset)
                .Select(pair => pair.Value).Take(max).ToList());
    }

    public ValueTask<int> ForgetAsync(long beforeMs, int max, CancellationToken cancel)
    {
        lock (_lock)
        {
            var old = _rows.Values.Where(row => row.State is TaskState.Done or TaskState.Cancelled && row.KeepFromMs < beforeMs)
                .OrderBy(row => row.KeepFromMs).ThenBy(row => row.Sequence).Take(max).ToList();
            foreach (var row in old)
            {
                _rows.Remove(row.Sequence);
                _byId.Remove(row.Id);
            }

            return new(old.Count);
        }
    }

    private void Put(StoredTask row)
    {
        if (_rows.TryGetValue(row.Sequence, out var before)) _open.Remove((before.Key, before.Sequence));
        _rows[row.Sequence] = row with { IsNew = false };
        _byId[row.Id] = row.Sequence;
        if (row.IsOpen) _open.Add((row.Key, row.Sequence));
    }

    private TaskWindow Window(Func<StoredTask, bool> wanted, TaskKey after, TaskKey upTo, int max, long bytesMax)
    {
        var tasks = new List<StoredTask>();
        var bytes = 0L;
        if (after >= upTo) return new TaskWindow(tasks, true);
        foreach (var (key, sequence) in _open.GetViewBetween((after, long.MaxValue), (upTo, long.MaxValue)))
        {
            var row = _rows[sequence];
            if (!wanted(row)) continue;
            if (tasks.Count == max || bytes > bytesMax) return new TaskWindow(tasks, false);
            tasks.Add(row);
            bytes += row.Payload.Length;
        }

        return new TaskWindow(tasks, true);
    }
}
