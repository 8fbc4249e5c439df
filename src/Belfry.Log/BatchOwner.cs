using Microsoft.Extensions.Logging;

namespace Belfry.Log;

/// <summary>Settings of a batch owner.</summary>
public sealed record BatchOwnerOptions
{
    /// <summary>Most records one turn folds. Default 500.</summary>
    public int BatchRecordsMax { get; init; } = 500;

    /// <summary>
    /// From the start of a turn to that of the next, unless a full batch waits: under load a few large turns cost far less than many small
    /// ones. What comes after a rest is not held up. Default zero.
    /// </summary>
    public TimeSpan TurnInterval { get; init; }

    /// <summary>
    /// Pause after a failed turn, doubled up to 30 times itself, with no jitter (one owner per partition). Default 200 ms.
    /// </summary>
    public TimeSpan ErrorBackoff { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Times a single record may fail with a fault that is not transient before it is rejected. Default 3.</summary>
    public int FaultsMax { get; init; } = 3;

    /// <summary>Says which exceptions are transient besides <see cref="LogUnavailableException"/>: repeated without end.</summary>
    public Func<Exception, bool> IsTransient { get; init; } = _ => false;
}

/// <summary>
/// Feeds one <see cref="IBatchFold"/> from one mailbox, one turn at a time. A turn that fails is followed by a pause, a new load, and a
/// repetition; a fault that is not transient halves the next turn's size, down to the one record at fault, which is rejected.
/// </summary>
public sealed partial class BatchOwner(
    IReadOnlyList<TopicPartition> sources, IBatchFold fold, BatchOwnerOptions options, TimeProvider time, ILogger logger) : IPartitionOwner
{
    private readonly WakeSignal _wake = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _abandon = new();
    private readonly Lock _lock = new();

    // Under the lock: shared with the poll loop.
    private readonly Queue<LogRecord> _mailbox = new();
    private readonly SortedDictionary<TopicPartition, long> _next = [];
    private int _inTurn;
    private DateTimeOffset? _turnSince;
    private long _completed;
    private bool _started;
    private bool _stopping;
    private bool _closed;

    // The loop's own.
    private readonly List<LogRecord> _batch = [];
    private bool _loaded;
    private int _sizeMax = options.BatchRecordsMax;
    private int _failures;
    private LogRecord? _suspect;
    private int _faults;
    private string _reason = "";

    public int Held
    {
        get
        {
            lock (_lock) return _mailbox.Count + _inTurn;
        }
    }

    public OwnerActivity Activity
    {
        get
        {
            lock (_lock) return new OwnerActivity { Running = _inTurn > 0 ? 1 : 0, RunningSince = _turnSince, Completed = _completed };
        }
    }

    public long? LowWaterMark(TopicPartition source)
    {
        lock (_lock) return _next.TryGetValue(source, out var next) ? next : null;
    }

    public void Offer(IReadOnlyList<LogRecord> records)
    {
        lock (_lock)
        {
            if (_closed) return;
            foreach (var record in records) _mailbox.Enqueue(record);
        }

        _wake.Set();
    }

    public async Task RunAsync(CancellationToken cancel)
    {
        lock (_lock) _started = true;
        using var stop = cancel.UnsafeRegister(static owner => ((BatchOwner)owner!).Abandon(), this);
        try
        {
            while (!IsStopping)
            {
                var startedAt = time.GetUtcNow();
                if (await TurnAsync()) await GatherAsync(startedAt + options.TurnInterval);
                else await _wake.WaitAsync();
            }

            await fold.StopAsync(_abandon.Token);
        }
        catch (Exception fault) when (_abandon.IsCancellationRequested)
        {
            // Let go of: whatever the turn that was cut off still threw, the next owner loads what it left.
            CutOff(fault, Name);
            await fold.StopAsync(_abandon.Token);
        }
        catch (OwnershipLostException)
        {
            await fold.StopAsync(_abandon.Token);
            throw;
        }
        finally
        {
            lock (_lock) _closed = true;
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
        using var limit = cancel.UnsafeRegister(static owner => ((BatchOwner)owner!).Abandon(), this);
        await _ended.Task;
    }

    private string Name => string.Join('+', sources);

    private bool IsStopping
    {
        get
        {
            lock (_lock) return _stopping || _closed;
        }
    }

    private bool IsBatchFull
    {
        get
        {
            lock (_lock) return _mailbox.Count >= _sizeMax;
        }
    }

    /// <summary>Loads if need be, folds one batch. False when there was nothing to fold.</summary>
    private async Task<bool> TurnAsync()
    {
        try
        {
            if (!_loaded) await LoadAsync();
            TakeBatch();
            if (_batch.Count == 0) return false;
            if (_faults >= options.FaultsMax && _batch is [var only] && only == _suspect) await RejectAsync(_batch[0]);
            else await fold.FoldAsync([.. _batch], _abandon.Token);
            Succeed();
        }
        catch (Exception fault) when (fault is not OwnershipLostException && !_abandon.IsCancellationRequested)
        {
            await RecoverAsync(fault);
        }

        return true;
    }

    private async Task LoadAsync()
    {
        var positions = await fold.LoadAsync(_abandon.Token);
        lock (_lock)
        {
            if (_closed) return;
            foreach (var (source, next) in positions) _next[source] = next;
        }

        _loaded = true;
    }

    /// <summary>Fills the batch from the mailbox; after a failed turn it holds what is left of that turn's records.</summary>
    private void TakeBatch()
    {
        lock (_lock)
        {
            _batch.RemoveAll(IsDone_NeedsLock);
            while (_batch.Count < _sizeMax && _mailbox.TryDequeue(out var record))
                if (!IsDone_NeedsLock(record)) _batch.Add(record);
            if (_batch.Count > _sizeMax) Narrow_NeedsLock();
            _inTurn = _batch.Count;
            _turnSince = _inTurn == 0 ? null : _turnSince ?? time.GetUtcNow();
        }
    }

    private bool IsDone_NeedsLock(LogRecord record) => _next.TryGetValue(record.Source, out var next) && record.Offset < next;

    /// <summary>Keeps the front of the batch and puts the rest back before the mailbox.</summary>
    private void Narrow_NeedsLock()
    {
        LogRecord[] rest = [.. _batch[_sizeMax..], .. _mailbox];
        _batch.RemoveRange(_sizeMax, _batch.Count - _sizeMax);
        _mailbox.Clear();
        foreach (var record in rest) _mailbox.Enqueue(record);
    }

    private async Task RejectAsync(LogRecord record)
    {
        Rejecting(record, _faults, _reason);
        await fold.RejectAsync(record, _reason, _abandon.Token);
    }

    private void Succeed()
    {
        lock (_lock)
        {
            if (_closed) return;
            foreach (var record in _batch) _next[record.Source] = record.Offset + 1;
            _inTurn = 0;
            _turnSince = null;
            _completed++;
        }

        _batch.Clear();
        _failures = 0;
        _suspect = null;
        _sizeMax = Math.Min(_sizeMax * 2, options.BatchRecordsMax);
    }

    private async Task RecoverAsync(Exception fault)
    {
        var transient = !_loaded || fault is LogUnavailableException || options.IsTransient(fault);
        if (!transient) Narrow(fault);

        _loaded = false;
        var wait = options.ErrorBackoff * Math.Min(1 << Math.Min(_failures++, 5), 30);
        TurnFailed(fault, Name, _batch.Count, wait);
        await PauseAsync(wait);
    }

    /// <summary>Counts against a record that failed alone; else halves the next turn.</summary>
    private void Narrow(Exception fault)
    {
        _reason = $"{fault.GetType().Name}: {fault.Message}";
        if (_batch is [var only])
        {
            _faults = only == _suspect ? _faults + 1 : 1;
            _suspect = only;
        }
        else
        {
            _failures = 0;
        }

        _sizeMax = Math.Max(1, _batch.Count / 2);
    }

    /// <summary>Lets records come together for the next turn.</summary>
    private async Task GatherAsync(DateTimeOffset until)
    {
        while (!IsStopping && !IsBatchFull && until - time.GetUtcNow() is { } left && left > TimeSpan.Zero)
            await _wake.WaitAsync(time, left);
    }

    private async Task PauseAsync(TimeSpan length)
    {
        var until = time.GetUtcNow() + length;
        while (!IsStopping && until - time.GetUtcNow() is { } left && left > TimeSpan.Zero) await _wake.WaitAsync(time, left);
    }

    /// <summary>From any thread: the low-water mark is final from here on; the loop ends by itself.</summary>
    private void Abandon()
    {
        lock (_lock)
        {
            if (_closed) return;
            _closed = true;
        }

        _abandon.CancelSafely(logger, Name);
        _wake.Set();
        _ended.TrySetResult();
    }

    [LoggerMessage(1011, LogLevel.Warning, "A turn of {Count} records of {Sources} failed; loading again in {Wait}")]
    private partial void TurnFailed(Exception fault, string sources, int count, TimeSpan wait);

    [LoggerMessage(1012, LogLevel.Error, "Rejecting {Record}, which failed {Faults} times: {Reason}")]
    private partial void Rejecting(LogRecord record, int faults, string reason);

    [LoggerMessage(1013, LogLevel.Information, "The last turn of {Sources} was cut off")]
    private partial void CutOff(Exception fault, string sources);
}
