using Belfry.Log;

namespace Belfry.Sqlite;

/// <summary>
/// One member of a group on the embedded log. Its calls come from one loop; only <see cref="Wake"/> comes from others, and the end of a
/// consumer whose poll was given up, beside that poll.
/// </summary>
internal sealed class SqliteLogConsumer(SqliteLog log, LogGroup group) : ILogConsumer
{
    // Partitions' locks are taken under it; the other one is taken under theirs.
    private readonly Lock _ownedLock = new();
    private readonly Lock _lock = new();
    private bool _joined;
    private int _turn;

    // Under the lock of what is owned.
    private readonly SortedDictionary<TopicPartition, Position> _owned = [];
    private bool _closed;

    // Under the lock.
    private bool _woken;
    private TaskCompletionSource? _waiter;

    private sealed class Position(LogPartition partition, long next)
    {
        public LogPartition Partition => partition;
        public long Next { get; set; } = next;
        public bool Paused { get; set; }
    }

    public async ValueTask<IReadOnlyList<LogRecord>> PollAsync(IAssignmentListener listener, int max, TimeSpan wait,
        CancellationToken cancel)
    {
        lock (_ownedLock) ObjectDisposedException.ThrowIf(_closed, this);
        cancel.ThrowIfCancellationRequested();
        Join();
        var startedAt = log.Time.GetTimestamp();
        while (true)
        {
            await RebalanceAsync(listener);
            var records = await ReadAsync(max, cancel);
            if (records.Count > 0) return records;
            var rest = wait - log.Time.GetElapsedTime(startedAt);
            if (rest <= TimeSpan.Zero) return records;
            await WaitAsync(rest, cancel);
        }
    }

    public void Pause(TopicPartition source) => SetPaused(source, true);

    public void Resume(TopicPartition source) => SetPaused(source, false);

    public ValueTask CommitAsync(IReadOnlyList<KeyValuePair<TopicPartition, long>> nextOffsets, CancellationToken cancel)
    {
        foreach (var (source, _) in nextOffsets)
            if (!Owns(source))
                throw new OwnershipLostException($"{source} is not owned by this member of group '{group.Name}'; nothing was committed.");
        return nextOffsets.Count == 0 ? ValueTask.CompletedTask : log.CommitAsync(group.Name, nextOffsets, cancel);
    }

    public ValueTask DisposeAsync()
    {
        Position[] left;
        lock (_ownedLock)
        {
            if (_closed) return ValueTask.CompletedTask;
            _closed = true;
            left = [.. _owned.Values];
            _owned.Clear();
        }

        try
        {
            foreach (var position in left) position.Partition.RemoveReader(this);
        }
        finally
        {
            // A member that stays keeps its partitions from the others for good.
            group.Leave(this);
        }

        return ValueTask.CompletedTask;
    }

    /// <summary>Something changed: records, or shares. Any thread; never waits.</summary>
    internal void Wake()
    {
        lock (_lock)
        {
            _woken = true;
            _waiter?.TrySetResult();
        }
    }

    private void Join()
    {
        if (_joined) return;
        _joined = true;
        group.Join(this);
    }

    private async ValueTask RebalanceAsync(IAssignmentListener listener)
    {
        try
        {
            await LetGoAsync(listener);
            Take(listener);
        }
        catch
        {
            // The listener's state is unknown now: this member ends, and the others get what it had.
            await DisposeAsync();
            throw;
        }
    }

    private async ValueTask LetGoAsync(IAssignmentListener listener)
    {
        var leaving = group.Leaving(this);
        if (leaving.Count == 0) return;
        await listener.RevokedAsync(this, [.. leaving.Select(partition => partition.Source)]);
        foreach (var partition in leaving)
        {
            partition.RemoveReader(this);
            lock (_ownedLock) _owned.Remove(partition.Source);
        }

        group.Release(this, leaving);
    }

    private void Take(IAssignmentListener listener)
    {
        var taken = group.Take(this);
        if (taken.Count == 0) return;
        foreach (var partition in taken)
        {
            var next = log.NextOffset(group.Name, partition);
            lock (_ownedLock)
            {
                // The group has these back already.
                if (_closed) return;
                partition.AddReader(this, next);
                _owned.Add(partition.Source, new Position(partition, next));
            }
        }

        listener.Assigned([.. taken.Select(partition => partition.Source)]);
    }

    /// <summary>Goes round the owned partitions, each poll from another one, so that a full one does not starve the rest.</summary>
    private async ValueTask<List<LogRecord>> ReadAsync(int max, CancellationToken cancel)
    {
        var records = new List<LogRecord>();
        Position[] positions;
        lock (_ownedLock) positions = [.. _owned.Values];
        if (positions.Length == 0) return records;
        _turn = (_turn + 1) % positions.Length;
        var advances = new List<(Position Position, long Next)>();
        for (var n = 0; n < positions.Length && records.Count < max; n++)
        {
            var position = positions[(_turn + n) % positions.Length];
            if (position.Paused) continue;
            var (before, end) = (records.Count, position.Partition.Extent.End);
            if (!position.Partition.TryReadTail(position.Next, max - before, records))
                records.AddRange(await log.ReadFileAsync(
                    position.Partition, position.Next, end, max - before, log.Options.PollBytesMax, cancel));

            // Nothing up to the end: all of it was removed, and the next poll need not look again.
            advances.Add((position, records.Count > before ? records[^1].Offset + 1 : Math.Max(position.Next, end)));
        }

        // Only now: a read that fails or is cancelled half way must not have moved any position.
        foreach (var (position, next) in advances)
        {
            if (next == position.Next) continue;
            position.Next = next;
            position.Partition.ReadBy(this, next);
        }

        return records;
    }

    private async ValueTask WaitAsync(TimeSpan length, CancellationToken cancel)
    {
        var waiter = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (!_woken) _waiter = waiter;
            else waiter.SetResult();
        }

        await using (log.Time.CreateTimer(
            static state => ((TaskCompletionSource)state!).TrySetResult(), waiter, length, Timeout.InfiniteTimeSpan))
        await using (cancel.UnsafeRegister(static state => ((TaskCompletionSource)state!).TrySetResult(), waiter))
            await waiter.Task;
        lock (_lock)
        {
            _waiter = null;
            _woken = false;
        }

        cancel.ThrowIfCancellationRequested();
    }

    private void SetPaused(TopicPartition source, bool paused)
    {
        lock (_ownedLock)
            if (_owned.TryGetValue(source, out var position)) position.Paused = paused;
    }

    private bool Owns(TopicPartition source)
    {
        lock (_ownedLock) return _owned.ContainsKey(source);
    }
}
