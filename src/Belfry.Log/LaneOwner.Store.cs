namespace Belfry.Log;

/// <summary>What a lane owner keeps in the store: its epoch, parked records, and dead letters. One write runs at a time.</summary>
public sealed partial class LaneOwner
{
    // The loop's own.
    private readonly HashSet<long> _restored = [];
    private readonly Queue<LaneEntry> _toPark = new();
    private readonly Queue<long> _toRemove = new();
    private long _epoch;
    private bool _writing;
    private int _deadLettering;

    private async Task LoadAsync()
    {
        for (var failures = 0; ; failures++)
        {
            try
            {
                _epoch = await parked.TakeOverAsync(group, source, _abandon.Token);
                foreach (var record in await ReadParkedAsync())
                {
                    _restored.Add(record.Record.Offset);
                    _core.Restore(record);
                }

                return;
            }
            catch (Exception fault) when (IsWorthRepeating(fault))
            {
                lock (_lock)
                {
                    if (_stopping) return;
                }

                await BackOffAsync(fault, "Loading the parked records", failures);
            }
        }
    }

    private async Task<List<ParkedRecord>> ReadParkedAsync()
    {
        var all = new List<ParkedRecord>();
        IReadOnlyList<ParkedRecord> page;
        do
        {
            page = await parked.LoadAsync(group, source, all.Count == 0 ? 0 : all[^1].Record.Offset + 1, WriteRecordsMax, _abandon.Token);
            all.AddRange(page);
        }
        while (page.Count == WriteRecordsMax);
        return all;
    }

    /// <summary>Carries out what the core decided.</summary>
    private void Settle()
    {
        foreach (var entry in _core.ToPark) _toPark.Enqueue(entry);
        _core.ToPark.Clear();
        foreach (var entry in _core.ToDeadLetter)
        {
            _deadLettering++;
            _ = DeadLetterAsync(entry);
        }

        _core.ToDeadLetter.Clear();
        SettleFinished();
        lock (_lock)
        {
            _parkedCount = _core.ParkedCount;
            _activity = new OwnerActivity
            {
                Running = _core.Running, RunningSince = _core.RunningSince, Completed = _core.CompletedCount,
            };
        }

        if (_writing || (_toPark.Count == 0 && _toRemove.Count == 0)) return;
        _writing = true;
        _ = WriteAsync(TakeParks(), Take(_toRemove));
    }

    private void SettleFinished()
    {
        foreach (var entry in _core.Finished)
        {
            CompleteTicket(entry.Ticket);
            if (entry.IsParked) _toRemove.Enqueue(entry.Record.Offset);
            entry.IsParked = false;
        }

        _core.Finished.Clear();
    }

    /// <summary>A record may be done before its row was written (it only waited behind another): no row then.</summary>
    private List<LaneEntry> TakeParks() => [.. Take(_toPark).Where(e => e.IsParked)];

    private static List<T> Take<T>(Queue<T> queue)
    {
        var taken = new List<T>(Math.Min(queue.Count, WriteRecordsMax));
        while (taken.Count < WriteRecordsMax && queue.TryDequeue(out var one)) taken.Add(one);
        return taken;
    }

    private async Task WriteAsync(List<LaneEntry> parks, List<long> removals)
    {
        var rows = parks.ConvertAll(e => e.ToParked(group));
        var written = await RepeatAsync("Parking", () => parked.ApplyAsync(group, source, _epoch, rows, removals, _abandon.Token));
        if (written) Post(new LaneInput(null, null, parks));
    }

    private async Task DeadLetterAsync(LaneEntry entry)
    {
        var written = await RepeatAsync("Dead-lettering", () => deadLetters(entry.Record, entry.Reason, entry.Attempts, _abandon.Token));
        if (written) Post(new LaneInput(entry, null, null));
    }

    private void Written(IReadOnlyList<LaneEntry> parks)
    {
        _writing = false;
        foreach (var entry in parks)
        {
            CompleteTicket(entry.Ticket);
            _core.Parked(entry);
        }
    }

    private void DeadLettered(LaneEntry entry)
    {
        _deadLettering--;
        _core.DeadLettered(entry);
    }

    /// <summary>Repeats until it succeeds. False when the owner is to end: its ownership is lost, or it was abandoned.</summary>
    private async Task<bool> RepeatAsync(string what, Func<ValueTask> write)
    {
        for (var failures = 0; ; failures++)
        {
            try
            {
                await write();
                return true;
            }
            catch (OwnershipLostException lost)
            {
                Fail(lost);
                return false;
            }
            catch (Exception fault)
            {
                if (_abandon.IsCancellationRequested) return false;
                await BackOffAsync(fault, what, failures);
            }

            if (_abandon.IsCancellationRequested) return false;
        }
    }

    private bool IsWorthRepeating(Exception fault) => fault is not OwnershipLostException && !_abandon.IsCancellationRequested;

    private async Task BackOffAsync(Exception fault, string what, int failures)
    {
        var wait = WriteBackoff * (1 << Math.Min(failures, 5));
        StoreFaulted(fault, what, source, wait);
        await Task.Delay(wait, time, CancellationToken.None);
    }
}
