using Microsoft.Extensions.Logging;

namespace Belfry.Log;

/// <summary>Settings of a lane owner.</summary>
public sealed record LaneOptions
{
    /// <summary>Handlers running at a time in this partition. Default 256.</summary>
    public int Credits { get; init; } = 256;

    /// <summary>
    /// Waits before attempts 2, 3, …, each shortened by up to half at random; its length + 1 is the most attempts. Default 1, 2, 4, 8, 16
    /// s.
    /// </summary>
    public IReadOnlyList<TimeSpan> Backoff { get; init; } = [.. new[] { 1, 2, 4, 8, 16 }.Select(s => TimeSpan.FromSeconds(s))];

    /// <summary>Waits up to this long stay in the lane; longer ones are parked in the store. Default 2 s.</summary>
    public TimeSpan LaneWaitMax { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>True: later records of a parked key wait behind it. False: they pass. Default false.</summary>
    public bool Ordered { get; init; }

    /// <summary>
    /// Hard limit on one handler call; past it the call is cancelled and counts as a retry. Default 50 s: below
    /// <see cref="ConsumerOptions.StuckAfter"/>, so that a slow handler is cut off before its partition counts as stuck.
    /// </summary>
    public TimeSpan HandlerTimeout { get; init; } = TimeSpan.FromSeconds(50);
}

/// <summary>Puts a record aside for good, durably, before its offset counts as done.</summary>
public delegate ValueTask DeadLetterWriter(LogRecord record, string reason, int attempts, CancellationToken cancel);

/// <summary>
/// Owner of one partition that runs a handler: records of one lane key one after another, different keys side by side up to the
/// credits, done out of order, committed in order. Retries wait in the lane or in the store and hold no credit.
/// </summary>
/// <remarks>
/// A handler that throws is tried again like one that returns <see cref="HandlerOutcome.Retry"/>; one that throws
/// <see cref="OwnershipLostException"/> ends the owner. A handler past its timeout keeps its lane until it heeds its token.
/// </remarks>
public sealed partial class LaneOwner(
    string group, TopicPartition source, RecordHandler handler, Func<LogRecord, string?> laneKeyOf, DeadLetterWriter deadLetters,
    IParkedRecordStore parked, LaneOptions options, Random jitter, TimeProvider time, ILogger logger) : IPartitionOwner
{
    private const int WriteRecordsMax = 500;
    private static readonly TimeSpan WriteBackoff = TimeSpan.FromMilliseconds(200);

    private readonly WakeSignal _wake = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _abandon = new();
    private readonly Lock _lock = new();

    // Under the lock: what the poll loop, the handlers and the writes share with the owner's loop.
    private readonly OffsetLedger _ledger = new();
    private List<(LogRecord Record, long Ticket)> _offered = [];
    private List<LaneInput> _inbox = [];
    private int _parkedCount;
    private OwnerActivity _activity;
    private bool _started;
    private bool _stopping;
    private bool _closed;
    private Exception? _fault;

    // The loop's own.
    private readonly LaneCore _core = new(options, jitter);
    private readonly Stack<CancellationTokenSource> _idleCalls = new();

    /// <summary>Records held: slots of the ledger (also those done behind one that is not), and those parked.</summary>
    public int Held
    {
        get
        {
            lock (_lock) return _ledger.Count + _parkedCount;
        }
    }

    public OwnerActivity Activity
    {
        get
        {
            lock (_lock) return _activity;
        }
    }

    public long? LowWaterMark(TopicPartition source)
    {
        lock (_lock) return _ledger.LowWaterMark;
    }

    public void Offer(IReadOnlyList<LogRecord> records)
    {
        lock (_lock)
        {
            if (_closed) return;
            foreach (var record in records) _offered.Add((record, _ledger.Track(record.Offset)));
        }

        _wake.Set();
    }

    public async Task RunAsync(CancellationToken cancel)
    {
        lock (_lock)
        {
            // Stopped before it began: a take-over now would land after the next owner's.
            _closed |= _stopping;
            if (_closed) return;
            _started = true;
        }

        using var stop = cancel.UnsafeRegister(static owner => ((LaneOwner)owner!).Abandon(), this);
        try
        {
            await LoadAsync();
            while (Turn()) await WaitAsync();
        }
        catch (OperationCanceledException) when (_abandon.IsCancellationRequested)
        {
            // Let go of: what is not done stays above the low-water mark and is handed out again.
        }
        finally
        {
            lock (_lock) _closed = true;
            foreach (var entry in _core.CancelAll()) Cancel(entry);
            _ended.TrySetResult();
        }
    }

    public async ValueTask StopAsync(CancellationToken cancel)
    {
        lock (_lock)
        {
            _stopping = true;
            if (!_started || _closed) return;
        }

        _wake.Set();
        using var limit = cancel.UnsafeRegister(static owner => ((LaneOwner)owner!).Abandon(), this);
        await _ended.Task;
    }

    /// <summary>One turn: takes in, decides, starts. False once there is nothing left to do.</summary>
    private bool Turn()
    {
        var (offered, inbox, stopping) = TakeInputs();
        if (_abandon.IsCancellationRequested) return false;
        var now = time.GetUtcNow();
        if (stopping) _core.Drain();
        foreach (var input in inbox) Apply(input, now);
        foreach (var (record, ticket) in offered) TakeIn(record, ticket);
        foreach (var overdue in _core.Tick(now)) Cancel(overdue);
        while (_core.TryStart(now) is { } entry) Start(entry, now);
        Settle();
        return !stopping || _core.Running > 0 || _writing || _deadLettering > 0;
    }

    private Task WaitAsync() => _core.WakeAt is { } at ? _wake.WaitAsync(time, at - time.GetUtcNow()) : _wake.WaitAsync();

    private (List<(LogRecord, long)> Offered, List<LaneInput> Inbox, bool Stopping) TakeInputs()
    {
        lock (_lock)
        {
            if (_fault is { } fault) throw fault;
            // Empty ones are not handed out either: what is added to them after this is the next turn's alone.
            return (Taken(ref _offered), Taken(ref _inbox), _stopping);
        }
    }

    private static List<T> Taken<T>(ref List<T> list)
    {
        if (list.Count == 0) return [];
        var taken = list;
        list = [];
        return taken;
    }

    private void Apply(LaneInput input, DateTimeOffset now)
    {
        if (input.Written is { } written) Written(written);
        else if (input.Outcome is { } outcome) Complete(input.Entry!, outcome, now);
        else DeadLettered(input.Entry!);
    }

    private void TakeIn(LogRecord record, long ticket)
    {
        // A record parked by an earlier owner whose offset was not committed comes again: its row stands for it.
        if (_restored.Contains(record.Offset)) CompleteTicket(ticket);
        else _core.Offer(record, LaneKeyOf(record), ticket);
    }

    private string? LaneKeyOf(LogRecord record)
    {
        try
        {
            return laneKeyOf(record);
        }
        catch (Exception fault)
        {
            // The handler meets the same bytes and decides; here the record is merely bound to no other.
            NoLaneKey(fault, record);
            return null;
        }
    }

    private void Start(LaneEntry entry, DateTimeOffset now)
    {
        entry.Call = _idleCalls.TryPop(out var idle) ? idle : new CancellationTokenSource();
        var call = CallAsync(entry, entry.Call.Token);
        if (call.IsCompletedSuccessfully) Complete(entry, call.Result, now);
        else _ = ReportAsync(entry, call);
    }

    private async ValueTask<HandlerOutcome> CallAsync(LaneEntry entry, CancellationToken cancel)
    {
        try
        {
            return await handler(entry.Record, entry.Attempts + 1, cancel);
        }
        catch (OwnershipLostException lost)
        {
            Fail(lost);
            return new HandlerOutcome.Retry(lost.Message, BurnsAttempt: false);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            return new HandlerOutcome.Retry(
                $"The handler of {entry.Record} ran longer than {options.HandlerTimeout}; raise {nameof(LaneOptions.HandlerTimeout)}.");
        }
        catch (Exception fault)
        {
            HandlerFaulted(fault, entry.Record, entry.Attempts + 1);
            return new HandlerOutcome.Retry($"{fault.GetType().Name}: {fault.Message}");
        }
    }

    private void Cancel(LaneEntry entry) => entry.Call?.CancelSafely(logger, $"{entry.Record}");

    private async Task ReportAsync(LaneEntry entry, ValueTask<HandlerOutcome> call) => Post(new LaneInput(entry, await call, null));

    private void Complete(LaneEntry entry, HandlerOutcome outcome, DateTimeOffset now)
    {
        var call = entry.Call!;
        entry.Call = null;
        if (_idleCalls.Count < options.Credits && call.TryReset()) _idleCalls.Push(call);
        else call.Dispose();
        _core.Completed(entry, outcome, now);
    }

    private void CompleteTicket(long ticket)
    {
        if (ticket == LaneEntry.NoTicket) return;
        lock (_lock)
        {
            if (!_closed) _ledger.Complete(ticket);
        }
    }

    private void Post(LaneInput input)
    {
        lock (_lock) _inbox.Add(input);
        _wake.Set();
    }

    private void Fail(Exception fault)
    {
        lock (_lock) _fault ??= fault;
        _wake.Set();
    }

    /// <summary>From any thread: the low-water mark is final from here on; the loop ends by itself.</summary>
    private void Abandon()
    {
        lock (_lock)
        {
            if (_closed) return;
            _closed = true;
        }

        _abandon.CancelSafely(logger, $"{source}");
        _wake.Set();
        _ended.TrySetResult();
    }

    /// <summary>
    /// Something that ended outside the loop: a handler (with its outcome), a dead letter (without), or a write to the store.
    /// </summary>
    private readonly record struct LaneInput(LaneEntry? Entry, HandlerOutcome? Outcome, IReadOnlyList<LaneEntry>? Written);

    [LoggerMessage(1001, LogLevel.Warning, "Handler failed on {Record}, attempt {Attempt}")]
    private partial void HandlerFaulted(Exception fault, LogRecord record, int attempt);

    [LoggerMessage(1002, LogLevel.Warning, "No lane key for {Record}; it is bound to no other record")]
    private partial void NoLaneKey(Exception fault, LogRecord record);

    [LoggerMessage(1003, LogLevel.Warning, "{What} of {Source} failed; trying again in {Wait}")]
    private partial void StoreFaulted(Exception fault, string what, TopicPartition source, TimeSpan wait);
}
