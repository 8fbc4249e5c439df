using Belfry.Log;
using Microsoft.Extensions.Logging;

namespace Belfry.Scheduling;

/// <summary>
/// The owner of one partition: feeds its core from one mailbox, one turn at a time, and carries out the effects. Calls of the store and
/// handlers run beside the loop and come back as messages, so neither holds up the poll loop or a task that is due.
/// </summary>
internal sealed class SchedulerOwner : IPartitionOwner
{
    private readonly TaskPartition _partition;
    private readonly ITaskStore _store;
    private readonly IReadOnlyDictionary<string, ITaskHandler> _handlers;
    private readonly SchedulerOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly SchedulerCore _core;
    private readonly CancellationTokenSource _handlersCancel = new();
    private readonly CancellationTokenSource _giveUp = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Used by the owner's loop alone.
    private readonly RunningHandlers _running = new();
    private bool _isDraining;

    // Shared between the poll loop, the calls under way and the owner's loop.
    private readonly Lock _lock = new();
    private List<object> _mailbox = [];
    private TaskCompletionSource _mail = NewSignal();
    private int _heldInMailbox;
    private int _heldInCore;
    private long? _lowWaterMark;
    private OwnerActivity _activity;
    private bool _isStopping;

    public SchedulerOwner(
        TaskPartition partition, ITaskStore store, IReadOnlyDictionary<string, ITaskHandler> handlers, SchedulerOptions options,
        TimeProvider time, ILogger logger)
    {
        _partition = partition;
        _store = store;
        _handlers = handlers;
        _options = options;
        _time = time;
        _logger = logger;
        _core = new SchedulerCore(partition, new HashSet<string>(handlers.Keys, StringComparer.Ordinal), options);
    }

    public int Held
    {
        get
        {
            lock (_lock) return _heldInMailbox + _heldInCore;
        }
    }

    public OwnerActivity Activity
    {
        get
        {
            lock (_lock) return _activity;
        }
    }

    public void Offer(IReadOnlyList<LogRecord> records)
    {
        lock (_lock)
        {
            _heldInMailbox += records.Count;
            Post_NeedsLock(records);
        }
    }

    public long? LowWaterMark(TopicPartition source)
    {
        lock (_lock) return source == _partition.Source ? _lowWaterMark : null;
    }

    public async ValueTask StopAsync(CancellationToken cancel)
    {
        lock (_lock)
        {
            _isStopping = true;
            Post_NeedsLock(new Stop());
        }

        try
        {
            await _ended.Task.OrCancelledAsync(cancel);
        }
        catch (OperationCanceledException)
        {
            GiveUp();
            await _ended.Task;
        }
    }

    public async Task RunAsync(CancellationToken cancel)
    {
        using var lost = cancel.UnsafeRegister(static state => ((SchedulerOwner)state!).GiveUp(), this);
        await Task.Yield();
        var owns = false;
        try
        {
            owns = await TakeOverAsync(_giveUp.Token);
            if (owns) await LoopAsync(cancel);
        }
        catch (OwnershipLostException gone) when (!owns || IsStopping)
        {
            // Elsewhere it is a fault: a take-over of a former owner may have landed late, and then nobody else runs the partition.
            _logger.LogWarning("{Source} has a newer owner; this one stops: {Reason}", _partition.Source, gone.Message);
        }
        finally
        {
            Cancel(_handlersCancel);
            _ended.TrySetResult();
        }
    }

    private bool IsStopping
    {
        get
        {
            lock (_lock) return _isStopping;
        }
    }

    /// <summary>False: stopped or given up before. Nobody reads the mailbox here, so the token is what ends it.</summary>
    private async Task<bool> TakeOverAsync(CancellationToken cancel)
    {
        for (var failures = 1; ; failures++)
        {
            if (IsStopping || cancel.IsCancellationRequested) return false;
            try
            {
                // Given up it may still land, whatever the store makes of the token; the next owner then takes over again.
                var ownership = await _store.TakeOverAsync(_partition, cancel).AsTask().OrCancelledAsync(cancel);
                _core.Start(ownership);
                return true;
            }
            catch (Exception error) when (error is not OwnershipLostException && !cancel.IsCancellationRequested)
            {
                _logger.LogWarning(error, "Taking over {Source} failed {Failures} times; trying again.", _partition.Source, failures);
                await PauseAsync(failures, cancel);
            }
            catch (Exception error) when (error is not OwnershipLostException)
            {
                return false;
            }
        }
    }

    /// <summary>Turn by turn until all is quiet after a stop, or the owner is told to abandon what is left.</summary>
    private async Task LoopAsync(CancellationToken cancel)
    {
        var effects = new List<SchedulerEffect>();
        var mail = new List<object>();
        while (true)
        {
            TakeMail(ref mail);
            var now = SchedulerInstant.Of(_time);
            foreach (var message in mail)
                if (!Receive(message, now)) return;
            mail.Clear();
            _core.Turn(now, effects);
            foreach (var effect in effects)
                if (effect is SchedulerEffect.Run run) _running.Began(run.Sequence, DateTimeOffset.FromUnixTimeMilliseconds(now.WallMs));
            Publish();
            foreach (var effect in effects) Carry(effect, cancel);
            effects.Clear();
            if (_isDraining && _core.IsQuiet) return;
            await WaitForMailAsync(_core.WakeIn(now));
        }
    }

    private bool Receive(object message, SchedulerInstant now)
    {
        switch (message)
        {
            case IReadOnlyList<LogRecord> records:
                _core.Offer(records);
                lock (_lock) _heldInMailbox -= records.Count;
                return true;
            case Ran(var sequence, var outcome):
                _running.Ended(sequence);
                _core.Ran(sequence, outcome, now);
                return true;
            case Answer(var apply):
                apply(now);
                return true;
            case Faulted(var error):
                throw error;
            case Stop:
                _isDraining = true;
                _core.Stop();
                return true;
            case Abandon:
                return false;
            default:
                throw new InvalidOperationException($"The owner of {_partition.Source} got an unknown message {message}.");
        }
    }

    private void Publish()
    {
        lock (_lock)
        {
            _heldInCore = _core.Held;
            _lowWaterMark = _core.LowWaterMark;
            _activity = _running.Activity;
        }
    }

    private void Carry(SchedulerEffect effect, CancellationToken cancel)
    {
        var running = effect switch
        {
            SchedulerEffect.Run run => RunHandlerAsync(run),
            SchedulerEffect.Persist(var batch) => CallAsync(
                () => ApplyAsync(batch, cancel), (_, now) => _core.Persisted(now), cancel),
            SchedulerEffect.Find(var ids) => CallAsync(() => _store.FindAsync(ids, cancel), (rows, now) => _core.Found(rows, now), cancel),
            SchedulerEffect.LoadWindow(var after, var untilMs, var max, var bytesMax) => CallAsync(
                () => _store.LoadWindowAsync(_partition, after, untilMs, max, bytesMax, cancel),
                (window, now) => _core.WindowLoaded(window, now), cancel),
            SchedulerEffect.LoadLane(var orderingId, var after, var upTo, var max, var bytesMax) => CallAsync(
                () => _store.LoadLaneAsync(_partition, orderingId, after, upTo, max, bytesMax, cancel),
                (window, now) => _core.LaneLoaded(window, now), cancel),
            _ => throw new InvalidOperationException($"Unknown effect {effect}."),
        };
        if (!running.IsCompletedSuccessfully) _ = WatchAsync(running);
    }

    /// <summary>
    /// Both kinds of work report to the mailbox themselves; a fault in the reporting ends the owner instead of vanishing.
    /// </summary>
    private async Task WatchAsync(Task work)
    {
        try
        {
            await work;
        }
        catch (Exception error)
        {
            Post(new Faulted(error));
        }
    }

    private async ValueTask<int> ApplyAsync(TaskBatch batch, CancellationToken cancel)
    {
        await _store.ApplyAsync(batch, cancel);
        return batch.Tasks.Count;
    }

    private async Task RunHandlerAsync(SchedulerEffect.Run run)
    {
        TaskOutcome? outcome;
        try
        {
            outcome = await _handlers[run.Due.Task.Id.Kind].RunAsync(run.Due, _handlersCancel.Token);
        }
        catch (OperationCanceledException) when (_handlersCancel.IsCancellationRequested)
        {
            outcome = null;
        }
        catch (Exception error)
        {
            _logger.LogWarning(error, "Attempt {Attempt} of {Task} failed.", run.Due.Attempt, run.Due.Task.Id);
            outcome = new TaskOutcome.Retry($"{error.GetType().Name}: {error.Message}");
        }

        Post(new Ran(run.Sequence, outcome));
    }

    /// <summary>One call of the store, repeated until it succeeds: every call is safe to repeat. A stale epoch ends the owner.</summary>
    private async Task CallAsync<T>(Func<ValueTask<T>> call, Action<T, SchedulerInstant> apply, CancellationToken cancel)
    {
        for (var failures = 1; ; failures++)
        {
            try
            {
                var answer = await call();
                Post(new Answer(now => apply(answer, now)));
                return;
            }
            catch (OwnershipLostException lost)
            {
                Post(new Faulted(lost));
                return;
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                return;
            }
            catch (Exception error)
            {
                _logger.LogWarning(error, "A call of the task store for {Source} failed {Failures} times; trying again.",
                    _partition.Source, failures);
                await PauseAsync(failures, cancel);
                if (cancel.IsCancellationRequested || _ended.Task.IsCompleted) return;
            }
        }
    }

    private async Task PauseAsync(int failures, CancellationToken cancel)
    {
        try
        {
            await Task.Delay(_options.ErrorBackoff * Math.Min(1 << Math.Min(failures - 1, 5), 30), _time, cancel);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // The caller looks at the token next.
        }
    }

    /// <summary>From any thread: the loop ends at its next turn, a take-over and the pauses between its tries at once.</summary>
    private void GiveUp()
    {
        Post(new Abandon());
        Cancel(_giveUp);
    }

    /// <summary>Logs what callbacks threw, which are those of handlers and of the store: the owner is to end all the same.</summary>
    private void Cancel(CancellationTokenSource source)
    {
        try
        {
            source.Cancel();
        }
        catch (Exception error)
        {
            _logger.LogError(error, "A callback on a token of {Source} threw as it was cancelled.", _partition.Source);
        }
    }

    private void Post(object message)
    {
        lock (_lock) Post_NeedsLock(message);
    }

    private void Post_NeedsLock(object message)
    {
        _mailbox.Add(message);
        _mail.TrySetResult();
    }

    private void TakeMail(ref List<object> mail)
    {
        lock (_lock)
        {
            (_mailbox, mail) = (mail, _mailbox);
            if (_mail.Task.IsCompleted) _mail = NewSignal();
        }
    }

    private async Task WaitForMailAsync(TimeSpan? wait)
    {
        Task mail;
        lock (_lock) mail = _mail.Task;
        if (mail.IsCompleted || wait == TimeSpan.Zero) return;
        if (wait is not { } limit)
        {
            await mail;
            return;
        }

        using var mailCame = new CancellationTokenSource();
        var timer = Task.Delay(limit, _time, mailCame.Token);
        await TaskWaits.EitherAsync(mail, timer);
        mailCame.Cancel();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed record Ran(long Sequence, TaskOutcome? Outcome);

    private sealed record Answer(Action<SchedulerInstant> Apply);

    private sealed record Faulted(Exception Error);

    private sealed record Stop;

    private sealed record Abandon;
}
