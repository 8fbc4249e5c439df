using Belfry.Log;
using Belfry.Testing;

namespace Belfry.Scheduling.Tests.Support;

/// <summary>
/// One core over a simulated store and a log in a list: no thread, no await, time by hand. A crash is a new core on the same store.
/// </summary>
internal sealed class CoreHarness
{
    private static readonly TopicPartition Source = new("scheduled-tasks", 0);
    private readonly SchedulerOptions _options;
    private readonly List<LogRecord> _log = [];
    private readonly List<LogRecord> _originals = [];
    private readonly List<SchedulerEffect> _effects = [];
    private readonly Dictionary<long, DueTask> _unfinished = [];
    private SchedulerEffect? _stalledCall;
    private SchedulerCore _core = null!;
    private HashSet<string> _kinds = new(["k", "flaky", "bad", "slow"], StringComparer.Ordinal);

    public CoreHarness(SchedulerOptions? options = null)
    {
        _options = options ?? new SchedulerOptions { FlushAfter = TimeSpan.Zero };
        Partition = new TaskPartition(Source, 1);
        Start();
    }

    public TaskPartition Partition { get; }
    public SimulatedTaskStore Store { get; } = new();
    public SchedulerCore Core => _core;
    public long WallMs { get; set; } = 1_800_000_000_000;
    public long MonoMs { get; private set; } = 5_000;
    public long Epoch { get; private set; }
    public bool StoreStalls { get; set; }

    /// <summary>Decides the outcome of an attempt; null keeps it running until <see cref="Finish"/>.</summary>
    public Func<DueTask, TaskOutcome?> Handler { get; set; } = _ => TaskOutcome.Success;
    public List<(DueTask Due, long AtMs)> Runs { get; } = [];
    public IEnumerable<string> RunKeys => Runs.Select(run => run.Due.Task.Id.UniqueKey);
    public long End => _log.Count;
    public int ResidentMost { get; private set; }

    /// <summary>The offset the next start reads from; the low-water mark is committed at every step.</summary>
    public long Committed { get; private set; }

    private SchedulerInstant Now => new(WallMs, MonoMs);

    public static ScheduledTaskId Id(string key, string lane = "lane", string kind = "k") => new(lane, kind, key);

    public ScheduledTask Task(string key, long inMs, long generation = 0, string lane = "lane", string kind = "k", int bytes = 0) => new()
    {
        Id = Id(key, lane, kind), DueAt = DateTimeOffset.FromUnixTimeMilliseconds(WallMs + inMs), Generation = generation,
        Payload = new byte[bytes],
    };

    public void Schedule(string key, long inMs, long generation = 0, string lane = "lane", string kind = "k") =>
        Append(TaskRecords.Schedule(Source.Topic, Task(key, inMs, generation, lane, kind)));

    public void Cancel(string key, long generation = 0, string lane = "lane") =>
        Append(TaskRecords.Cancel(Source.Topic, Id(key, lane), generation));

    public void Reschedule(string key, long inMs, long generation = 0, string lane = "lane") =>
        Append(TaskRecords.Reschedule(Source.Topic, Id(key, lane), DateTimeOffset.FromUnixTimeMilliseconds(WallMs + inMs), generation));

    public void Append(params OutgoingRecord[] records)
    {
        _core.Offer(records.Select(record => AddOriginal(record.Value, record.OrderingKey)).ToList());
        Settle();
    }

    public void AppendRaw(byte[] value)
    {
        _core.Offer([AddOriginal(value, null)]);
        Settle();
    }

    /// <summary>Appends again, under new offsets, all that was appended, as a producer that repeats does.</summary>
    public void Duplicate()
    {
        _core.Offer(_originals.Select(record => Add(record.Value, record.Key)).ToList());
        Settle();
    }

    public void Finish(string key, TaskOutcome outcome)
    {
        var (sequence, _) = _unfinished.Single(pair => pair.Value.Task.Id.UniqueKey == key);
        _unfinished.Remove(sequence);
        _core.Ran(sequence, outcome, Now);
        Settle();
    }

    /// <summary>Moves both clocks on, turn by turn as the core asks to be woken.</summary>
    public void Advance(long ms)
    {
        for (var left = ms; ;)
        {
            var step = _core.WakeIn(Now) is { } wake ? Math.Min(left, Math.Max(1, (long)wake.TotalMilliseconds)) : left;
            WallMs += step;
            MonoMs += step;
            left -= step;
            Settle();
            if (left == 0) return;
        }
    }

    /// <summary>The process dies and another takes over after <paramref name="downMs"/>, reading on from the committed offset.</summary>
    public void Crash(long downMs = 0, IEnumerable<string>? kinds = null)
    {
        if (kinds is not null) _kinds = new HashSet<string>(kinds, StringComparer.Ordinal);
        _unfinished.Clear();
        _stalledCall = null;
        WallMs += downMs;
        MonoMs = 77;
        Start();
        _core.Offer(_log.Where(record => record.Offset >= Committed).ToList());
        Settle();
    }

    public void StopGracefully()
    {
        _core.Stop();
        Settle();
    }

    public void AnswerStore()
    {
        StoreStalls = false;
        if (_stalledCall is { } call) Answer(call);
        _stalledCall = null;
        Settle();
    }

    public StoredTask? Row(string key, string lane = "lane", string kind = "k") =>
        Store.FindAsync([Id(key, lane, kind)], default).Result.SingleOrDefault();

    private void Start()
    {
        _core = new SchedulerCore(Partition, _kinds, _options);
        var ownership = Store.TakeOverAsync(Partition, default).Result;
        Epoch = ownership.Epoch;
        _core.Start(ownership);
        Settle();
    }

    private LogRecord AddOriginal(ReadOnlyMemory<byte> value, string? key)
    {
        var record = Add(value, key);
        _originals.Add(record);
        return record;
    }

    private LogRecord Add(ReadOnlyMemory<byte> value, string? key)
    {
        var record = new LogRecord
        {
            Source = Source, Offset = _log.Count, AppendedAt = DateTimeOffset.FromUnixTimeMilliseconds(WallMs), Key = key, Value = value,
        };
        _log.Add(record);
        return record;
    }

    public void Settle()
    {
        for (var turns = 0; ; turns++)
        {
            if (turns > 100_000) throw new InvalidOperationException("The core never comes to rest.");
            _core.Turn(Now, _effects);
            ResidentMost = Math.Max(ResidentMost, _core.Resident);
            if (_effects.Count == 0 && _core.WakeIn(Now) != TimeSpan.Zero) break;
            if (_effects.Count == 0 && _stalledCall is not null) break;
            var effects = _effects.ToList();
            _effects.Clear();
            foreach (var effect in effects) Carry(effect);
        }

        if (_core.LowWaterMark is not { } mark) return;
        mark.ShouldBeGreaterThanOrEqualTo(Committed, "a low-water mark never falls");
        Committed = mark;
    }

    private void Carry(SchedulerEffect effect)
    {
        if (effect is not SchedulerEffect.Run(var sequence, var due))
        {
            if (StoreStalls) _stalledCall = effect;
            else Answer(effect);
            return;
        }

        _unfinished.Values.Any(other => other.Task.Id.OrderingId == due.Task.Id.OrderingId)
            .ShouldBeFalse("two tasks of one ordering id must not run at a time");
        Runs.Add((due, WallMs));
        if (Handler(due) is { } outcome) _core.Ran(sequence, outcome, Now);
        else _unfinished.Add(sequence, due);
    }

    private void Answer(SchedulerEffect effect)
    {
        switch (effect)
        {
            case SchedulerEffect.Persist(var batch):
                Store.ApplyAsync(batch, default).GetAwaiter().GetResult();
                _core.Persisted(Now);
                break;
            case SchedulerEffect.Find(var ids):
                _core.Found(Store.FindAsync(ids, default).Result, Now);
                break;
            case SchedulerEffect.LoadWindow(var after, var untilMs, var max, var bytesMax):
                _core.WindowLoaded(Store.LoadWindowAsync(Partition, after, untilMs, max, bytesMax, default).Result, Now);
                break;
            case SchedulerEffect.LoadLane(var orderingId, var after, var upTo, var max, var bytesMax):
                _core.LaneLoaded(Store.LoadLaneAsync(Partition, orderingId, after, upTo, max, bytesMax, default).Result, Now);
                break;
        }
    }
}
