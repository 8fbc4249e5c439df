namespace Belfry.Scheduling;

/// <summary>What goes to the store and what is loaded from it, within the bounds on memory.</summary>
internal sealed partial class SchedulerCore
{
    private readonly Queue<Undurable> _flushQueue = new();
    private readonly Queue<(TaskEntry Entry, long StoreAtMonoMs)> _shortWay = new();
    private readonly Queue<TaskLane> _lanesToLoad = new();
    private readonly List<Undurable> _flushing = [];
    private readonly List<TaskEntry> _straysOfLoad = [];

    /// <summary>Memory holds every open task up to here.</summary>
    private TaskKey _cursor = TaskKey.First;
    private SchedulerEffect? _storeCall;
    private bool _isLoaded;
    private int _strays;
    private long _flushAtMonoMs;
    private int _turnOfCalls;

    private long ShortWayMs => (long)options.ShortWay.TotalMilliseconds;
    private long LookAheadMs => (long)options.LookAhead.TotalMilliseconds;
    private bool HasRoom => Resident + LoadMax <= options.ResidentMax && ResidentBytes <= options.ResidentBytesMax / 2;
    private int LoadMax => Math.Max(1, Math.Min(options.LoadMax, options.ResidentMax / 4));
    private long LoadBytesMax => options.ResidentBytesMax / 4;

    private long LoadAgainInMs(SchedulerInstant now) => _isLoaded ? _cursor.DueMs - (LookAheadMs / 2) - now.WallMs : 0;

    /// <summary>The next call of the store. The kinds of calls take turns, so that none starves another.</summary>
    private SchedulerEffect? NextStoreCall(SchedulerInstant now)
    {
        if (_stopping) return Flush(now, isDue: true);
        for (var i = 0; i < 4; i++)
        {
            SchedulerEffect? call = (_turnOfCalls++ % 4) switch
            {
                0 => Window(now),
                1 => Flush(now, isDue: false),
                2 => _isLoaded && _inbox.Count > 0 ? TakeLot(now) : null,
                _ => Lane(now),
            };
            if (call is not null) return call;
        }

        return null;
    }

    /// <summary>
    /// The next window. What is in neither memory's order nor the store goes to the store first, or the load would pass it by.
    /// </summary>
    private SchedulerEffect? Window(SchedulerInstant now)
    {
        if (LoadAgainInMs(now) > 0) return null;
        if (!HasRoom) TrimLongLanes(now);
        if (!HasRoom) return null;
        if (_strays > 0) return Flush(now, isDue: true);
        return new SchedulerEffect.LoadWindow(_cursor, now.WallMs + LookAheadMs, LoadMax, LoadBytesMax);
    }

    /// <summary>The answer to <see cref="SchedulerEffect.LoadWindow"/>.</summary>
    public void WindowLoaded(TaskWindow window, SchedulerInstant now)
    {
        var asked = (SchedulerEffect.LoadWindow)_storeCall!;
        _storeCall = null;
        _isLoaded = true;
        foreach (var row in window.Tasks) Load(row, now);
        _cursor = window.IsComplete ? TaskKey.EndOf(asked.UntilMs) : window.Tasks[^1].Key;
        SettleStraysOfLoad(now);
        MakeRoom(now);
    }

    private SchedulerEffect? Lane(SchedulerInstant now)
    {
        if (_lanesToLoad.Count == 0) return null;
        if (_strays > 0) return Flush(now, isDue: true);
        while (_lanesToLoad.TryDequeue(out var lane))
        {
            lane.AwaitsLoad = false;
            if (lane.TruncatedAfter is not { } after || lane.Count > 0) continue;
            return new SchedulerEffect.LoadLane(lane.OrderingId, after, _cursor, options.LaneResidentMax, LoadBytesMax);
        }

        return null;
    }

    /// <summary>The answer to <see cref="SchedulerEffect.LoadLane"/>.</summary>
    public void LaneLoaded(TaskWindow window, SchedulerInstant now)
    {
        var asked = (SchedulerEffect.LoadLane)_storeCall!;
        _storeCall = null;
        var lane = LaneOf(asked.OrderingId);
        lane.TruncatedAfter = window.IsComplete ? null : window.Tasks[^1].Key;
        foreach (var row in window.Tasks) Load(row, now);
        SettleStraysOfLoad(now);
        Place(lane, now);
    }

    private void AskForLane(TaskLane lane)
    {
        if (lane.AwaitsLoad) return;
        lane.AwaitsLoad = true;
        _lanesToLoad.Enqueue(lane);
    }

    /// <summary>Takes a row in, unless memory knows better, its lane is cut short before it, or nobody here knows its kind.</summary>
    private void Load(StoredTask row, SchedulerInstant now)
    {
        if (_entries.ContainsKey(row.Id)) return;
        if (row.State == TaskState.Parked && !kinds.Contains(row.Id.Kind)) return;
        if (_lanes.TryGetValue(row.Id.OrderingId, out var lane) && !lane.Admits(row.Key)) return;
        var entry = TaskEntry.Of(row, now, RetryWaitMaxMs(row.Id.Kind));
        entry.State = TaskState.Waiting;
        _entries.Add(entry.Id, entry);
        Admit(entry, LaneOf(entry.Id.OrderingId), now);
    }

    /// <summary>A wait read back from the store is never longer than this, however the wall clock was set meanwhile.</summary>
    private long RetryWaitMaxMs(string kind) => Math.Max((long)BackoffOf(kind).Max.TotalMilliseconds, LookAheadMs);

    private SchedulerEffect.Persist? Flush(SchedulerInstant now, bool isDue)
    {
        if (_flushQueue.Count == 0) return null;
        if (!isDue && _flushQueue.Count < options.FlushMax / 2 && now.MonoMs < _flushAtMonoMs) return null;
        var rows = new List<StoredTask>(Math.Min(_flushQueue.Count, options.FlushMax));
        var undecodable = new List<UndecodableTask>();
        while (_flushing.Count < options.FlushMax && _flushQueue.TryDequeue(out var entry))
        {
            entry.InFlushQueue = false;
            entry.BeginFlush();
            _flushing.Add(entry);
            if (entry is TaskEntry task) rows.Add(task.ToRow());
            else undecodable.Add(((UndecodableEntry)entry).Record);
        }

        if (_flushQueue.Count > 0) _flushAtMonoMs = now.MonoMs;
        return new SchedulerEffect.Persist(new TaskBatch
        {
            Partition = partition, Epoch = _epoch, Tasks = rows, Undecodable = undecodable, Position = PositionAfterFlush(),
        });
    }

    /// <summary>The answer to <see cref="SchedulerEffect.Persist"/>.</summary>
    public void Persisted(SchedulerInstant now)
    {
        _storeCall = null;
        foreach (var flushed in _flushing)
        {
            flushed.EndFlush();
            if (!flushed.IsDurable) continue;
            _heldRecords -= flushed.Records;
            _heldBytes -= flushed.RecordBytes;
            flushed.Records = flushed.RecordBytes = 0;
            if (flushed is not TaskEntry entry) continue;
            ClearStray(entry);
            if (!entry.InLane) Release(entry);
            else if (entry.Attempts > 0) Place(_lanes[entry.Id.OrderingId], now);
        }

        _flushing.Clear();
        DropDone();
    }

    private void QueueFlush(Undurable entry, SchedulerInstant now)
    {
        if (entry.InFlushQueue) return;
        entry.InFlushQueue = true;
        if (_flushQueue.Count == 0) _flushAtMonoMs = now.MonoMs + (long)options.FlushAfter.TotalMilliseconds;
        _flushQueue.Enqueue(entry);
    }

    /// <summary>Tasks that have not ended in their time on the short way are stored as waiting; when stopping, all of them.</summary>
    private void EndShortWays(SchedulerInstant now)
    {
        while (_shortWay.TryPeek(out var oldest)
            && (_stopping || oldest.StoreAtMonoMs <= now.MonoMs || oldest.Entry.IsDurable || _undone.Count > UndoneMax))
        {
            _shortWay.Dequeue();
            if (!oldest.Entry.IsDurable) QueueFlush(oldest.Entry, now);
        }
    }

    private void MarkStray(TaskEntry entry)
    {
        if (entry.IsStray || entry.State != TaskState.Waiting) return;
        entry.IsStray = true;
        _strays++;
        if (_storeCall is SchedulerEffect.LoadWindow or SchedulerEffect.LoadLane) _straysOfLoad.Add(entry);
    }

    /// <summary>What became a stray while a load was under way may lie before the new cursor, unseen by the load.</summary>
    private void SettleStraysOfLoad(SchedulerInstant now)
    {
        foreach (var entry in _straysOfLoad)
        {
            if (!entry.IsStray) continue;
            ClearStray(entry);
            Settle(entry, now, isFresh: false);
        }

        _straysOfLoad.Clear();
    }

    private void ClearStray(TaskEntry entry)
    {
        if (!entry.IsStray) return;
        entry.IsStray = false;
        _strays--;
    }

    /// <summary>Brings memory below its bound: first the tails of long lanes go, then the latest half of everything.</summary>
    private void MakeRoom(SchedulerInstant now)
    {
        if (!IsOver) return;
        TrimLongLanes(now);
        if (!IsOver) return;
        var all = _lanes.Values.SelectMany(lane => lane.ToList()).ToList();
        all.Sort((left, right) => left.Key.CompareTo(right.Key));
        var last = all.Count;
        while (last > 0 && (Resident > options.ResidentMax / 2 || ResidentBytes > options.ResidentBytesMax / 2))
            Dismiss(all[--last], now);
        if (last < all.Count) _cursor = new TaskKey(all[last].DueMs, all[last].Sequence - 1);
    }

    private bool IsOver => Resident > options.ResidentMax || ResidentBytes > options.ResidentBytesMax;

    private void TrimLongLanes(SchedulerInstant now)
    {
        foreach (var lane in _longLanes)
        {
            lane.IsLong = false;
            if (lane.Count <= options.LaneResidentMax) continue;
            var sorted = lane.ToList();
            lane.Keep(sorted, options.LaneResidentMax);
            lane.TruncatedAfter = lane.TruncatedAfter is { } before && before < sorted[options.LaneResidentMax - 1].Key
                ? before
                : sorted[options.LaneResidentMax - 1].Key;
            foreach (var entry in sorted.Skip(options.LaneResidentMax))
            {
                Resident--;
                ResidentBytes -= entry.Bytes;
                LeaveToStore(entry, now);
            }
        }

        _longLanes.Clear();
    }

    private void Dismiss(TaskEntry entry, SchedulerInstant now)
    {
        Evict(entry, now);
        LeaveToStore(entry, now);
    }

    /// <summary>Leaves a task to the store: at once when it is there, else by way of a flush.</summary>
    private void LeaveToStore(TaskEntry entry, SchedulerInstant now)
    {
        if (entry.IsDurable)
        {
            Release(entry);
            return;
        }

        MarkStray(entry);
        QueueFlush(entry, now);
    }
}
