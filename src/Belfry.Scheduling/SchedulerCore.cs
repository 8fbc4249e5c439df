using Belfry.Log;

namespace Belfry.Scheduling;

/// <summary>
/// All decisions of one partition of the scheduler. Takes records, clock readings and answers; yields effects. Awaits nothing and reads no
/// clock. Design section 7; the flaws it must not have: scheduler reference, section 2.
/// </summary>
/// <remarks>
/// Memory holds every open task whose key is at or before the cursor, save those of lanes cut short; the store holds the rest.
/// One call of the store is under way at a time, so an answer is never older than what memory has let go.
/// </remarks>
internal sealed partial class SchedulerCore(TaskPartition partition, IReadOnlySet<string> kinds, SchedulerOptions options)
{
    /// <summary>A wall clock that is set is noticed this soon: waits for due times are cut at it.</summary>
    private const long ClockCheckMs = 10_000;

    private readonly Dictionary<ScheduledTaskId, TaskEntry> _entries = [];
    private readonly Dictionary<string, TaskLane> _lanes = new(StringComparer.Ordinal);
    private readonly List<TaskLane> _longLanes = [];
    private readonly Dictionary<long, TaskEntry> _running = [];
    private readonly WakeQueue<long> _byDue = new();
    private readonly WakeQueue<long> _byRetry = new();
    private readonly WakeQueue<TaskKey> _ready = new();

    private long _epoch;
    private long _made;
    private bool _stopping;

    /// <summary>Tasks resident in lanes.</summary>
    public int Resident { get; private set; }
    public long ResidentBytes { get; private set; }
    public int Running => _running.Count;

    /// <summary>Nothing runs, and all that was decided is in the store.</summary>
    public bool IsQuiet => _running.Count == 0 && _storeCall is null && _flushQueue.Count == 0 && _shortWay.Count == 0;

    /// <summary>Starts from what the store said at take-over. Call once, first.</summary>
    public void Start(TaskOwnership ownership)
    {
        _epoch = ownership.Epoch;
        _startedAt = ownership.Position;
        _nextOffset = ownership.Position;
    }

    /// <summary>Starts no handler and reads no record any more; what runs may end, and everything is flushed.</summary>
    public void Stop() => _stopping = true;

    /// <summary>Decides what is to be done now. Call after every input, and at <see cref="WakeIn"/>.</summary>
    public void Turn(SchedulerInstant now, List<SchedulerEffect> effects)
    {
        EndShortWays(now);
        WakeLanes(now);
        if (_storeCall is null && NextStoreCall(now) is { } call)
        {
            _storeCall = call;
            effects.Add(call);
        }

        StartReady(now, effects);
    }

    /// <summary>How long nothing is to be done unless something comes in; null when there is nothing to wait for.</summary>
    public TimeSpan? WakeIn(SchedulerInstant now)
    {
        var wait = long.MaxValue;
        if (!_stopping)
        {
            if (_byDue.TryPeek(out _, out var dueMs)) wait = Math.Min(dueMs - now.WallMs, ClockCheckMs);
            if (_byRetry.TryPeek(out _, out var retryMs)) wait = Math.Min(wait, retryMs - now.MonoMs);
            if (_shortWay.TryPeek(out var oldest)) wait = Math.Min(wait, oldest.StoreAtMonoMs - now.MonoMs);
            if (_storeCall is null && HasRoom) wait = Math.Min(wait, Math.Min(LoadAgainInMs(now), 6 * ClockCheckMs));
        }

        if (_storeCall is null && _flushQueue.Count > 0) wait = Math.Min(wait, _flushAtMonoMs - now.MonoMs);
        return wait == long.MaxValue ? null : TimeSpan.FromMilliseconds(Math.Max(wait, 0));
    }

    private TaskLane LaneOf(string orderingId)
    {
        if (!_lanes.TryGetValue(orderingId, out var lane)) _lanes[orderingId] = lane = new TaskLane(orderingId);
        return lane;
    }

    private TaskBackoff BackoffOf(string kind) => options.Backoffs.GetValueOrDefault(kind, TaskBackoff.Default);
}
