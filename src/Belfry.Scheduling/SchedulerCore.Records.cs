using Belfry.Log;

namespace Belfry.Scheduling;

/// <summary>From records to changes of tasks.</summary>
internal sealed partial class SchedulerCore
{
    private const int LotMax = 2_000;

    private readonly Queue<PendingRecord> _inbox = new();
    private readonly List<PendingRecord> _lot = [];
    private readonly List<TaskEntry> _releaseAfterLot = [];

    /// <summary>Records whose outcome may not be durable yet, in offset order.</summary>
    private readonly Queue<(long Offset, Undurable Entry, int Version)> _undone = new();
    private long _startedAt;
    private long _nextOffset;
    private bool _isFed;
    private int _heldRecords;
    private long _heldBytes;

    /// <summary>Records behind one that is not done are remembered up to this many; then the short way ends early.</summary>
    private const int UndoneMax = 65_536;

    /// <summary>
    /// Records held that are not done. Large ones count for more, so that the runner, which counts records, also pauses for bytes:
    /// <see cref="SchedulerOptions.ResidentBytesMax"/> of them count as 16,384.
    /// </summary>
    public int Held
    {
        get
        {
            var records = _inbox.Count + _lot.Count + _heldRecords;
            return (int)Math.Max(records, _heldBytes * 16_384 / options.ResidentBytesMax);
        }
    }

    /// <summary>
    /// The next offset to commit: below it all is in the store, or ended and in its history. Null until a record came: the group may
    /// have committed more than the stored position, since records that change nothing are not stored, and a mark never falls.
    /// </summary>
    public long? LowWaterMark => !_isFed ? null : _undone.TryPeek(out var oldest) ? oldest.Offset : _nextOffset;

    /// <summary>Takes records in, in offset order; those below the stored position are done already.</summary>
    public void Offer(IReadOnlyList<LogRecord> records)
    {
        if (!_isFed && records.Count > 0)
        {
            // Reading starts at the offset the group has committed, below which all is done.
            _isFed = true;
            _nextOffset = Math.Max(_nextOffset, records[0].Offset);
        }

        foreach (var record in records)
        {
            if (record.Offset < _startedAt) continue;
            _inbox.Enqueue(Read(record));
            _heldBytes += record.Value.Length;
        }
    }

    private PendingRecord Read(LogRecord record)
    {
        switch (TaskRecords.Decode(record.Value.Span))
        {
            case TaskDecoding.Undecodable(var reason):
                return new PendingRecord(record, null, reason);
            case TaskDecoding.Decoded(var change) when !partition.Owns(change.Id.OrderingId):
                return new PendingRecord(record, null,
                    $"Ordering id '{change.Id.OrderingId}' belongs to partition " +
                    $"{Partitioner.PartitionOf(change.Id.OrderingId, partition.Partitions)} of {partition.Partitions} but was " +
                    $"written to {partition.Source}; set the producer's partitioner to murmur2_random.");
            case TaskDecoding.Decoded(var change):
                return new PendingRecord(record, change, null);
            default:
                throw new InvalidOperationException($"{record} has an unknown decoding.");
        }
    }

    /// <summary>Takes the next records in hand; yields the look-up of those that memory does not know, or applies them at once.</summary>
    private SchedulerEffect.Find? TakeLot(SchedulerInstant now)
    {
        var max = Math.Min(LotMax, Math.Max(1, options.FlushMax / 2));
        while (_inbox.Count > 0)
        {
            var unknown = new List<ScheduledTaskId>();
            var asked = new HashSet<ScheduledTaskId>();
            while (_lot.Count < max && _inbox.TryDequeue(out var pending))
            {
                _lot.Add(pending);
                if (pending.Change is { } change && !_entries.ContainsKey(change.Id) && asked.Add(change.Id)) unknown.Add(change.Id);
            }

            if (unknown.Count > 0) return new SchedulerEffect.Find(unknown);
            ApplyLot([], now);
        }

        return null;
    }

    /// <summary>The answer to <see cref="SchedulerEffect.Find"/>.</summary>
    public void Found(IReadOnlyList<StoredTask> rows, SchedulerInstant now)
    {
        _storeCall = null;
        ApplyLot(rows, now);
    }

    private void ApplyLot(IReadOnlyList<StoredTask> rows, SchedulerInstant now)
    {
        var found = rows.ToDictionary(row => row.Id);
        foreach (var (record, change, fault) in _lot)
        {
            _nextOffset = record.Offset + 1;
            Undurable? changed;
            if (change is null)
            {
                changed = new UndecodableEntry(new UndecodableTask(
                    record.Offset, record.AppendedAt.ToUnixTimeMilliseconds(), record.Key, record.Value, fault!));
                changed.Touch();
                QueueFlush(changed, now);
            }
            else
            {
                var entry = _entries.GetValueOrDefault(change.Id)
                    ?? (found.TryGetValue(change.Id, out var row) ? TaskEntry.Of(row, now, RetryWaitMaxMs(change.Id.Kind)) : null);
                var place = TaskTopic.PlaceOf(partition.Generation, record.Offset);
                changed = entry is not null && place <= entry.Offset ? null : Change(entry, change, place, now);
            }

            if (changed is null)
            {
                _heldBytes -= record.Value.Length;
                continue;
            }

            changed.Records++;
            changed.RecordBytes += record.Value.Length;
            _heldRecords++;
            _undone.Enqueue((record.Offset, changed, changed.Version));
        }

        _lot.Clear();
        foreach (var entry in _releaseAfterLot) Release(entry);
        _releaseAfterLot.Clear();
        DropDone();
        MakeRoom(now);
    }

    /// <summary>The entry that a change made or changed; null when it changes nothing.</summary>
    private TaskEntry? Change(TaskEntry? entry, TaskChange change, long offset, SchedulerInstant now)
    {
        switch (change)
        {
            case TaskChange.Schedule({ } task) when entry is null:
                entry = Make(task.Id, task.DueAt.ToUnixTimeMilliseconds(), task.Generation, task.Payload);
                break;
            case TaskChange.Schedule({ } task):
                var dueMs = task.DueAt.ToUnixTimeMilliseconds();
                if (entry.IsOpen ? task.Generation < entry.Generation : task.Generation <= entry.Generation) return null;
                if (entry.IsOpen && task.Generation == entry.Generation && dueMs == entry.DueMs
                    && task.Payload.Span.SequenceEqual(entry.Payload.Span)) return null;
                Renew(entry, dueMs, task.Generation, now);
                entry.Payload = task.Payload;
                break;
            case TaskChange.Reschedule(_, var dueAt, var generation):
                if (entry is not { IsOpen: true } || generation < entry.Generation) return null;
                if (generation == entry.Generation && entry.DueMs == dueAt.ToUnixTimeMilliseconds()) return null;
                Renew(entry, dueAt.ToUnixTimeMilliseconds(), generation, now);
                break;
            case TaskChange.Cancel(var id, var generation):
                if (entry is not null && (entry.IsOpen ? generation < entry.Generation : generation <= entry.Generation)) return null;
                entry ??= Make(id, now.WallMs, generation, default);
                CancelUpTo(entry, generation, now);
                break;
        }

        entry!.Offset = offset;
        _entries[entry.Id] = entry;
        entry.Touch();
        Settle(entry, now, isFresh: entry.IsOpen && entry.DurableVersion == 0);
        return entry;
    }

    private TaskEntry Make(ScheduledTaskId id, long dueMs, long generation, ReadOnlyMemory<byte> payload) => new()
    {
        Sequence = StoredTask.SequenceOf(_epoch, _made++), Id = id, DueMs = dueMs, Generation = generation, Payload = payload,
    };

    private void Renew(TaskEntry entry, long dueMs, long generation, SchedulerInstant now)
    {
        Evict(entry, now);
        entry.IsSuperseded = entry.IsRunning;
        if (generation > entry.Generation) entry.Attempts = 0;
        entry.DueMs = dueMs;
        entry.Generation = generation;
        entry.State = TaskState.Waiting;
        entry.NextAttemptMs = null;
        entry.RetryAtMonoMs = 0;
        entry.EndedMs = null;
        entry.Reason = null;
    }

    private void CancelUpTo(TaskEntry entry, long generation, SchedulerInstant now)
    {
        entry.Generation = generation;
        if (!entry.IsOpen) return;
        Evict(entry, now);
        entry.IsSuperseded = entry.IsRunning;
        entry.End(TaskState.Cancelled, null, now.WallMs);
    }

    /// <summary>Lets go of the records at the front whose outcome is durable.</summary>
    private void DropDone()
    {
        while (_undone.TryPeek(out var oldest) && oldest.Entry.DurableVersion >= oldest.Version) _undone.Dequeue();
    }

    /// <summary>What <see cref="LowWaterMark"/> will be once the flush at hand is durable.</summary>
    private long PositionAfterFlush()
    {
        foreach (var (offset, entry, version) in _undone)
            if (Math.Max(entry.DurableVersion, entry.FlushingVersion) < version) return offset;
        return _nextOffset;
    }
}
