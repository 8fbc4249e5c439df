using Belfry.Log;

namespace Belfry.Testing;

/// <summary>One member of a simulated group, on a node or without one. State is guarded by the log's lock.</summary>
internal sealed class SimulatedConsumer(SimulatedLog log, SimulatedGroup group, SimulatedNode? node) : ILogConsumer
{
    private readonly SortedDictionary<TopicPartition, long> _positions = [];
    private readonly HashSet<TopicPartition> _paused = [];
    private readonly TimeProvider _time = node?.Time ?? log.Time;
    private TaskCompletionSource? _waiter;
    private TopicPartition _readLast;
    private bool _wakeKept;
    private bool _joined;
    private bool _expelled;
    private volatile bool _disposed;

    public SimulatedNode? Node => node;

    /// <summary>When it was first asked to give something up that it still owns.</summary>
    public DateTimeOffset? RevokingSince { get; set; }

    public async ValueTask<IReadOnlyList<LogRecord>> PollAsync(
        IAssignmentListener listener, int max, TimeSpan wait, CancellationToken cancel)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        cancel.ThrowIfCancellationRequested();
        if (node is not null) await node.CallAsync("poll", static () => true);
        var until = _time.GetUtcNow() + wait;
        while (true)
        {
            await RebalanceAsync(listener);
            var records = Fetch(max);
            var left = until - _time.GetUtcNow();
            if (records.Count > 0 || left <= TimeSpan.Zero) return records;
            await WaitAsync(left, cancel);
        }
    }

    public void Pause(TopicPartition source)
    {
        lock (log.Lock)
        {
            if (_positions.ContainsKey(source)) _paused.Add(source);
        }
    }

    public void Resume(TopicPartition source)
    {
        lock (log.Lock) _paused.Remove(source);
        Wake();
    }

    public async ValueTask CommitAsync(IReadOnlyList<KeyValuePair<TopicPartition, long>> nextOffsets, CancellationToken cancel)
    {
        var tenures = TenuresOf(nextOffsets);
        if (node is null) Commit(nextOffsets, tenures);
        else await node.CallAsync("commit", () => Commit(nextOffsets, tenures));
    }

    public ValueTask DisposeAsync()
    {
        _disposed = true;
        if (node is not null)
        {
            node.Thawing -= Thawed;
            node.Silenced -= Silenced;
        }

        log.Leave(this, group);
        return ValueTask.CompletedTask;
    }

    /// <summary>The coordinator has given up on it; it hears of that in its next poll.</summary>
    public void Expelled_NeedsLock() => _expelled = true;

    public void Wake()
    {
        TaskCompletionSource waiter;
        lock (log.Lock)
        {
            if (_waiter is null)
            {
                _wakeKept = true;
                return;
            }

            waiter = _waiter;
            _waiter = null;
        }

        waiter.TrySetResult();
    }

    private void Thawed(DateTimeOffset frozenAt) => log.Thawed(this, group, frozenAt);

    private void Silenced() => log.CheckLater(group, log.SessionTimeout);

    private List<long> TenuresOf(IReadOnlyList<KeyValuePair<TopicPartition, long>> nextOffsets)
    {
        lock (log.Lock) return [.. nextOffsets.Select(next => group.TenureOf(next.Key))];
    }

    /// <summary>Refused when a partition has had another owner on the commit's way, as the group's generations have it in Kafka.</summary>
    private void Commit(IReadOnlyList<KeyValuePair<TopicPartition, long>> nextOffsets, List<long> tenures)
    {
        lock (log.Lock)
        {
            foreach (var ((source, _), tenure) in nextOffsets.Zip(tenures))
                if (!group.Owns(this, source) || group.TenureOf(source) != tenure)
                    throw new OwnershipLostException($"{source} is not this member's; nothing was committed.");
            foreach (var (source, next) in nextOffsets) group.Committed[source] = next;
        }

        foreach (var (source, next) in nextOffsets) log.Observed(source, next);
    }

    /// <summary>Tells the listener what was lost, gives up what is to go, takes what is free.</summary>
    private async ValueTask RebalanceAsync(IAssignmentListener listener)
    {
        log.ExpelSilent(group, this);
        if (TakeLosses() is { Count: > 0 } lost) listener.Lost(lost);
        List<TopicPartition> leaving;
        lock (log.Lock)
        {
            // Given up in the middle of a poll: a consumer that has left must not come back.
            ObjectDisposedException.ThrowIf(_disposed, this);
            Join_NeedsLock();
            leaving = group.ToRevoke(this);
            if (leaving.Count > 0) RevokingSince ??= log.Time.GetUtcNow();
        }

        if (leaving.Count > 0)
        {
            log.CheckLater(group, log.RevokeTimeout);
            await listener.RevokedAsync(this, leaving);
            GiveUp(leaving);
        }

        List<TopicPartition> taken;
        lock (log.Lock)
        {
            taken = _expelled || _disposed ? [] : group.Take(this);
            foreach (var source in taken) _positions[source] = group.Committed.GetValueOrDefault(source, 0);
        }

        if (taken.Count > 0) listener.Assigned(taken);
    }

    private void Join_NeedsLock()
    {
        if (_joined) return;
        _joined = true;
        if (node is not null)
        {
            node.Thawing -= Thawed;
            node.Thawing += Thawed;
            node.Silenced -= Silenced;
            node.Silenced += Silenced;
        }

        group.Join(this);
        log.WakeMembers(group);
    }

    private List<TopicPartition> TakeLosses()
    {
        lock (log.Lock)
        {
            if (!_expelled) return [];
            _expelled = false;
            _joined = false;
            RevokingSince = null;
            List<TopicPartition> lost = [.. _positions.Keys];
            _positions.Clear();
            _paused.Clear();
            return lost;
        }
    }

    private void GiveUp(List<TopicPartition> leaving)
    {
        lock (log.Lock)
        {
            foreach (var source in leaving)
            {
                _positions.Remove(source);
                _paused.Remove(source);
            }

            RevokingSince = null;
            group.Release(this, leaving);
        }

        log.WakeMembers(group);
    }

    /// <summary>Reads from the partitions in turn, beginning after the one read last.</summary>
    private List<LogRecord> Fetch(int max)
    {
        var records = new List<LogRecord>();
        lock (log.Lock)
        {
            if (_expelled || _positions.Count == 0) return records;
            foreach (var source in _positions.Keys.Where(p => p > _readLast).Concat(_positions.Keys.Where(p => p <= _readLast)).ToList())
            {
                if (records.Count >= max) break;
                if (_paused.Contains(source)) continue;
                var before = records.Count;
                log.Partition_NeedsLock(source).Read(_positions[source], max - before, records);
                if (records.Count == before) continue;
                _positions[source] = records[^1].Offset + 1;
                _readLast = source;
            }
        }

        return records;
    }

    private async Task WaitAsync(TimeSpan length, CancellationToken cancel)
    {
        TaskCompletionSource waiter;
        lock (log.Lock)
        {
            if (_wakeKept)
            {
                _wakeKept = false;
                return;
            }

            _waiter = waiter = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        using var timer = _time.CreateTimer(
            static w => ((TaskCompletionSource)w!).TrySetResult(), waiter, length, Timeout.InfiniteTimeSpan);
        using var stop = cancel.UnsafeRegister(static (w, token) => ((TaskCompletionSource)w!).TrySetCanceled(token), waiter);
        await waiter.Task;
    }
}
