namespace Belfry.Log;

/// <summary>
/// Decides which record runs next and what becomes of it. Pure: takes records, outcomes and the time, and leaves effects to be carried
/// out in <see cref="ToPark"/>, <see cref="ToDeadLetter"/>, <see cref="Finished"/>. A lane holds the records of one key and runs one at
/// a time; ready lanes take turns; a record that waits holds no credit.
/// </summary>
internal sealed class LaneCore(LaneOptions options, Random jitter)
{
    private static readonly TimeSpan FallbackWait = TimeSpan.FromSeconds(1);

    private readonly Dictionary<string, Lane> _lanes = new(StringComparer.Ordinal);
    private readonly Queue<Lane> _ready = new();
    private readonly PriorityQueue<LaneEntry, (DateTimeOffset DueAt, long Order)> _waiting = new();
    private readonly List<LaneEntry> _overdue = [];
    private LaneEntry? _runsFirst;
    private LaneEntry? _runsLast;
    private long _order;
    private bool _draining;

    /// <summary>To be written to the store; report each with <see cref="Parked"/>.</summary>
    public List<LaneEntry> ToPark { get; } = [];

    /// <summary>To be dead-lettered; report each with <see cref="DeadLettered"/>.</summary>
    public List<LaneEntry> ToDeadLetter { get; } = [];

    /// <summary>Done for good: complete the ticket, remove the row of one that was parked.</summary>
    public List<LaneEntry> Finished { get; } = [];

    public int Running { get; private set; }

    /// <summary>Records whose offset is done and that wait here and in the store.</summary>
    public int ParkedCount { get; private set; }

    /// <summary>Handlers that came back, whatever they said.</summary>
    public long CompletedCount { get; private set; }

    /// <summary>When the oldest running handler was started, also one past its time limit that does not come back.</summary>
    public DateTimeOffset? RunningSince =>
        (_overdue.Count > 0 ? _overdue[0] : _runsFirst)?.RunsUntil - options.HandlerTimeout;

    public int LaneCount => _lanes.Count;

    /// <summary>When <see cref="Tick"/> has something to do: the next retry or handler timeout. Null when nothing waits.</summary>
    public DateTimeOffset? WakeAt
    {
        get
        {
            DateTimeOffset? at = _runsFirst?.RunsUntil;
            return !_draining && _waiting.TryPeek(out _, out var next) && (at is null || next.DueAt < at) ? next.DueAt : at;
        }
    }

    public void Offer(LogRecord record, string? laneKey, long ticket)
    {
        var entry = new LaneEntry(record, laneKey, ticket);
        var lane = LaneOf(laneKey);
        var waitsBehindParked = options.Ordered && lane.Last?.IsParked == true;
        lane.Add(entry);
        if (waitsBehindParked) Park(entry, entry.Record.AppendedAt, $"waits behind a parked record of '{laneKey}'");
        MakeReady(lane);
    }

    /// <summary>Takes back a record found in the store at the start, by offset order.</summary>
    public void Restore(ParkedRecord parked)
    {
        var laneKey = parked.LaneKey.Length == 0 && parked.Record.Key is null ? null : parked.LaneKey;
        var entry = new LaneEntry(parked.Record, laneKey, LaneEntry.NoTicket)
        {
            Attempts = parked.Attempts, DueAt = parked.DueAt, Reason = parked.Reason, IsParked = true,
        };
        ParkedCount++;
        if (!options.Ordered)
        {
            Wait(entry);
            return;
        }

        var lane = LaneOf(laneKey);
        lane.Add(entry);
        if (lane.First != entry) return;
        lane.IsHeld = true;
        Wait(entry);
    }

    /// <summary>The next record to run, taking a credit; null when none may start.</summary>
    public LaneEntry? TryStart(DateTimeOffset now)
    {
        if (_draining || Running >= options.Credits || !_ready.TryDequeue(out var lane)) return null;
        lane.IsReady = false;
        lane.IsHeld = true;
        var entry = lane.First!;
        entry.RunsUntil = now + options.HandlerTimeout;
        Running++;
        LinkRunning(entry);
        return entry;
    }

    /// <summary>What the handler said of a record that ran. Gives its credit back.</summary>
    public void Completed(LaneEntry entry, HandlerOutcome outcome, DateTimeOffset now)
    {
        UnlinkRunning(entry);
        if (_overdue.Count > 0) _overdue.Remove(entry);
        Running--;
        CompletedCount++;
        switch (outcome)
        {
            case HandlerOutcome.Done:
                Finish(entry);
                break;
            case HandlerOutcome.DeadLetter dead:
                entry.Attempts++;
                DeadLetter(entry, dead.Reason);
                break;
            case HandlerOutcome.Retry retry:
                Retry(entry, retry, now);
                break;
            default:
                throw new InvalidOperationException($"Handler outcome {outcome?.GetType().Name ?? "null"} of {entry.Record} is unknown.");
        }
    }

    /// <summary>The row is durable: its offset is done. The record stays, to run when it is due.</summary>
    public void Parked(LaneEntry entry)
    {
        if (!entry.WaitsOnceParked) return;
        entry.WaitsOnceParked = false;
        Wait(entry);
    }

    public void DeadLettered(LaneEntry entry) => Finish(entry);

    /// <summary>
    /// Lets retries that are due start again, and returns running records past the handler timeout, to be cancelled once.
    /// </summary>
    public IReadOnlyList<LaneEntry> Tick(DateTimeOffset now)
    {
        while (!_draining && _waiting.TryPeek(out var entry, out var key) && key.DueAt <= now)
        {
            _waiting.Dequeue();
            Rejoin(entry);
        }

        List<LaneEntry>? overdue = null;
        while (_runsFirst is { } first && first.RunsUntil <= now)
        {
            UnlinkRunning(first);
            _overdue.Add(first);
            (overdue ??= []).Add(first);
        }

        return overdue ?? (IReadOnlyList<LaneEntry>)[];
    }

    /// <summary>Forgets the running records and returns them, to be cancelled.</summary>
    public IReadOnlyList<LaneEntry> CancelAll()
    {
        var running = new List<LaneEntry>();
        while (_runsFirst is { } first)
        {
            UnlinkRunning(first);
            running.Add(first);
        }

        return running;
    }

    /// <summary>Starts nothing more. What runs may still complete; what waits stays undone, or parked.</summary>
    public void Drain() => _draining = true;

    private void Retry(LaneEntry entry, HandlerOutcome.Retry retry, DateTimeOffset now)
    {
        if (retry.BurnsAttempt) entry.Attempts++;
        if (retry.BurnsAttempt && entry.Attempts > options.Backoff.Count)
        {
            DeadLetter(entry, retry.Reason);
            return;
        }

        var wait = retry.After ?? BackoffAfter(entry.Attempts);
        entry.Reason = retry.Reason;
        if (entry.IsParked || wait > options.LaneWaitMax)
        {
            ParkHead(entry, now + wait, retry.Reason);
            return;
        }

        entry.DueAt = now + wait;
        Wait(entry);
    }

    private TimeSpan BackoffAfter(int attempts)
    {
        if (options.Backoff.Count == 0) return FallbackWait;
        var wait = options.Backoff[Math.Clamp(attempts - 1, 0, options.Backoff.Count - 1)];
        return wait * (1 - (jitter.NextDouble() / 2));
    }

    /// <summary>
    /// Ordered: the head keeps its place and takes the rest of its lane to the store. Else it leaves, and the others pass.
    /// </summary>
    private void ParkHead(LaneEntry entry, DateTimeOffset dueAt, string reason)
    {
        Park(entry, dueAt, reason);
        entry.WaitsOnceParked = true;
        if (!options.Ordered)
        {
            Leave(entry);
            return;
        }

        for (var later = entry.Next; later is not null; later = later.Next)
            if (!later.IsParked) Park(later, dueAt, $"waits behind {entry.Record}, which is parked");
    }

    private void Park(LaneEntry entry, DateTimeOffset dueAt, string reason)
    {
        if (!entry.IsParked) ParkedCount++;
        entry.IsParked = true;
        entry.DueAt = dueAt;
        entry.Reason = reason;
        ToPark.Add(entry);
    }

    private void DeadLetter(LaneEntry entry, string reason)
    {
        entry.Reason = reason;
        ToDeadLetter.Add(entry);
    }

    private void Finish(LaneEntry entry)
    {
        if (entry.IsParked) ParkedCount--;
        Finished.Add(entry);
        Leave(entry);
    }

    private void Leave(LaneEntry entry)
    {
        var lane = entry.Lane!;
        lane.RemoveFirst();
        lane.IsHeld = false;
        if (lane.First is null)
        {
            if (lane.Key is not null) _lanes.Remove(lane.Key);
            return;
        }

        MakeReady(lane);
    }

    private void Wait(LaneEntry entry) => _waiting.Enqueue(entry, (entry.DueAt, _order++));

    private void Rejoin(LaneEntry entry)
    {
        var lane = entry.Lane;
        if (lane is null)
        {
            lane = LaneOf(entry.LaneKey);
            lane.Add(entry);
        }
        else
        {
            lane.IsHeld = false;
        }

        MakeReady(lane);
    }

    private void MakeReady(Lane lane)
    {
        if (lane.IsReady || lane.IsHeld) return;
        lane.IsReady = true;
        _ready.Enqueue(lane);
    }

    private Lane LaneOf(string? key)
    {
        if (key is null) return new Lane(null);
        if (_lanes.TryGetValue(key, out var lane)) return lane;
        return _lanes[key] = new Lane(key);
    }

    private void LinkRunning(LaneEntry entry)
    {
        entry.IsRunning = true;
        entry.RunsBefore = _runsLast;
        entry.RunsAfter = null;
        if (_runsLast is null) _runsFirst = entry;
        else _runsLast.RunsAfter = entry;
        _runsLast = entry;
    }

    private void UnlinkRunning(LaneEntry entry)
    {
        if (!entry.IsRunning) return;
        entry.IsRunning = false;
        if (entry.RunsBefore is { } before) before.RunsAfter = entry.RunsAfter;
        else _runsFirst = entry.RunsAfter;
        if (entry.RunsAfter is { } after) after.RunsBefore = entry.RunsBefore;
        else _runsLast = entry.RunsBefore;
        entry.RunsBefore = entry.RunsAfter = null;
    }
}
