using Microsoft.Extensions.Logging;

namespace Belfry.Log;

/// <summary>
/// One member of a consumer group and the owners it feeds: polls, hands out, pauses full partitions, commits low-water marks,
/// drains on revoke. Its loop never waits for a handler, and a consumer that does not come back, or is told to be stuck, is replaced.
/// </summary>
public sealed partial class ConsumerRunner
{
    private static readonly TimeSpan PausedPollWait = TimeSpan.FromMilliseconds(20);

    // A poll is cancelled at a stop and comes back at once; one that does not is given up, so that the owners still get to drain.
    private static readonly TimeSpan StopPollMax = TimeSpan.FromSeconds(1);

    // One that was given up may take this long to leave, once nothing runs of it here.
    private static readonly TimeSpan LeaveMax = TimeSpan.FromSeconds(1);

    // A consumer that hangs may leave threads behind until the process ends: those that hang one after another come ever more seldom.
    private static readonly TimeSpan StuckBackoffMax = TimeSpan.FromMinutes(1);

    private readonly IPartitionedLog _log;
    private readonly ConsumerGroup _group;
    private readonly PartitionOwnerFactory _owners;
    private readonly ConsumerOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();

    // Read by anybody.
    private volatile ConsumerStatus _status = ConsumerStatus.NotStarted;
    private volatile PollWatch? _watch;

    // Under the lock: what others ask for.
    private readonly List<TopicPartition> _resumes = [];
    private string? _rebuildFor;

    // The loop's own.
    private int _rebuilds;
    private int _faults;
    private int _failedCommits;
    private DateTimeOffset _commitAt;

    /// <exception cref="ArgumentException">An option is out of its bounds.</exception>
    public ConsumerRunner(
        IPartitionedLog log, ConsumerGroup group, PartitionOwnerFactory owners, ConsumerOptions options, TimeProvider time, ILogger logger)
    {
        (_log, _group, _owners, _options, _time, _logger) = (log, group, owners, options, time, logger);
        if (options.Faults().ToList() is { Count: > 0 } faults)
            throw new ArgumentException($"Consumer options of group '{group.Name}': {string.Join(' ', faults)}");
    }

    /// <summary>Which group, of which topics.</summary>
    public ConsumerGroup Group => _group;

    public ConsumerOptions Options => _options;

    /// <summary>A snapshot, at most a commit interval or a poll old. Safe to read at any time.</summary>
    public ConsumerStatus Status => _status;

    /// <summary>
    /// How long the loop has not come back from its consumer, without the time for which the process was frozen; null when it is not
    /// polling, or a drain with its own bound is under way.
    /// </summary>
    public TimeSpan? PollAge => _watch?.Away;

    /// <summary>True while the loop is away for longer than <see cref="ConsumerOptions.PollStallAfter"/>.</summary>
    public bool IsPollStalled => _watch is { IsStalled: true };

    /// <summary>Asks the loop to end a pause of a partition that nobody here wants. Any thread.</summary>
    public void RequestResume(TopicPartition source)
    {
        lock (_lock)
            if (!_resumes.Contains(source)) _resumes.Add(source);
    }

    /// <summary>Asks the loop to drain, commit, leave the group, and begin with a new consumer. Any thread.</summary>
    /// <param name="reason">For the log line.</param>
    public void RequestRebuild(string reason)
    {
        lock (_lock) _rebuildFor ??= reason;
    }

    /// <summary>
    /// Runs until cancelled, then drains, commits and leaves the group. Rebuilds the consumer after faults; never throws for one.
    /// </summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        var began = _time.GetUtcNow();
        _status = _status with { IsRunning = true, StartedAt = began, EndedSince = began };
        try
        {
            for (var failures = 0; !cancel.IsCancellationRequested; failures++)
            {
                var startedAt = _time.GetTimestamp();
                try
                {
                    await RunConsumerAsync(cancel);
                }
                catch (OperationCanceledException) when (cancel.IsCancellationRequested)
                {
                    return;
                }
                catch (Exception fault)
                {
                    _rebuilds++;
                    var backoffMax = fault is RebuildException { ConsumerIsStuck: true } ? StuckBackoffMax : _options.ErrorBackoffMax;
                    // A consumer that lived long enough to prove itself starts the backoff afresh.
                    if (_time.GetElapsedTime(startedAt) > backoffMax * 2) failures = 0;
                    var wait = fault is RebuildException && failures == 0 ? TimeSpan.Zero : BackoffAfter(failures, backoffMax);
                    _status = _status with { EndedSince = _status.EndedSince ?? _time.GetUtcNow(), Rebuilds = _rebuilds };
                    Rebuilding(fault, _group.Name, wait);
                    if (wait > TimeSpan.Zero) await PauseAsync(wait, cancel);
                }
            }
        }
        finally
        {
            _status = _status with { IsRunning = false };
        }
    }

    private async Task RunConsumerAsync(CancellationToken cancel)
    {
        lock (_lock) (_rebuildFor, _) = (null, _resumes.RemoveAll(static _ => true));
        var consumer = _log.OpenConsumer(_group);
        var set = new OwnerSet(_group, _owners, _options, _time, _logger);
        var stallAfter = _options.PollWait * 2 > _options.PollStallAfter ? _options.PollWait * 2 : _options.PollStallAfter;
        using var watch = new PollWatch(stallAfter, _time, () => set.IsRevoking);
        set.Revoked = watch.Renew;
        using var hurry = cancel.UnsafeRegister(static watch => ((PollWatch)watch!).Hurry(StopPollMax), watch);
        _watch = watch;
        var gaveUp = false;
        try
        {
            _commitAt = _time.GetUtcNow() + _options.CommitInterval;
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel, set.Faulted);
            for (var failures = 0; !cancel.IsCancellationRequested;)
            {
                failures = await PollOnceAsync(consumer, set, watch, stop.Token, cancel) ? 0 : failures + 1;
                watch.Seen(isFailing: failures > 0);
                if (failures > 0) await PauseAsync(BackoffAfter(failures - 1), cancel);
                ThrowIfRebuildIsWanted();
            }

            await CloseAsync(consumer, set);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            await CloseAsync(consumer, set);
        }
        catch (RebuildException fault) when (fault.ConsumerIsStuck)
        {
            gaveUp = true;
            await GiveUpAsync(consumer, set);
            throw;
        }
        catch (RebuildException)
        {
            await CloseAsync(consumer, set);
            throw;
        }
        catch (OwnerFaultException fault)
        {
            await CloseAsync(consumer, set);
            throw fault.InnerException!;
        }
        finally
        {
            try
            {
                _watch = null;
                set.Abandon();
                _status = _status with { Partitions = [], Rebuilds = _rebuilds, Faults = _faults };
            }
            finally
            {
                if (!gaveUp) await consumer.DisposeAsync();
            }
        }
    }

    /// <summary>One poll, its records handed out, and what is due besides. False when the log was not available.</summary>
    private async Task<bool> PollOnceAsync(
        ILogConsumer consumer, OwnerSet set, PollWatch watch, CancellationToken stop, CancellationToken cancel)
    {
        try
        {
            var records = await PollAsync(consumer, set, watch, stop);
            if (records.Count > 0) set.Offer(records);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested && set.Fault is not null)
        {
            // Woken by the fault, which is thrown below.
        }
        catch (LogUnavailableException fault)
        {
            _faults++;
            PollFailed(fault, _group.Name);
            var at = _time.GetUtcNow();
            _status = _status with
            {
                PolledAt = at, UnavailableSince = _status.UnavailableSince ?? at, EndedSince = null, Faults = _faults,
            };
            return false;
        }

        watch.Seen(isFailing: false);
        if (set.Fault is { } ended) throw new OwnerFaultException(ended);
        set.Throttle(consumer);
        foreach (var source in TakeResumes()) set.ResumeLeaked(consumer, source);
        var now = _time.GetUtcNow();
        if (now >= _commitAt)
        {
            await CommitAsync(consumer, set, now, cancel);
            Publish(set, now);
        }
        else if (set.Count != _status.Partitions.Count)
        {
            Publish(set, now);
        }

        return true;
    }

    private void Publish(OwnerSet set, DateTimeOffset now) => _status = new ConsumerStatus
    {
        IsRunning = true,
        StartedAt = _status.StartedAt,
        PolledAt = now,
        Partitions = set.Describe(),
        Rebuilds = _rebuilds,
        Faults = _faults,
    };

    private async Task<IReadOnlyList<LogRecord>> PollAsync(
        ILogConsumer consumer, OwnerSet set, PollWatch watch, CancellationToken stop)
    {
        var wait = set.AnyPaused ? PausedPollWait : set.AnyUncommitted ? _options.CommitInterval : _options.PollWait;
        var poll = consumer.PollAsync(set, _options.PollRecordsMax, Shorter(wait), stop);
        if (poll.IsCompletedSuccessfully) return poll.Result;
        var polling = poll.AsTask();
        try
        {
            // The watch cancels: a limit after the loop was last seen, and sooner at a stop.
            return await polling.OrCancelledAsync(watch.Stalled);
        }
        catch (OperationCanceledException) when (watch.Stalled.IsCancellationRequested && !polling.IsCompleted)
        {
            throw new RebuildException("Its poll did not come back.", consumerIsStuck: true);
        }
    }

    /// <summary>Commits run beside the polls. One that fails is repeated later, with the marks of then; polling goes on.</summary>
    private async Task CommitAsync(ILogConsumer consumer, OwnerSet set, DateTimeOffset now, CancellationToken cancel)
    {
        try
        {
            if (!await set.CommitBesideAsync(consumer, cancel)) return;
            _failedCommits = 0;
            _commitAt = now + _options.CommitInterval;
        }
        catch (Exception fault) when (fault is LogUnavailableException or OwnershipLostException)
        {
            // Lost ownership is told by the next poll; until then there is nothing to do about it here.
            _faults++;
            _commitAt = now + BackoffAfter(_failedCommits++);
            CommitFailed(fault, _group.Name);
        }
    }

    private async Task CloseAsync(ILogConsumer consumer, OwnerSet set)
    {
        try
        {
            await set.CloseAsync(consumer);
        }
        catch (Exception fault) when (fault is LogUnavailableException or OwnershipLostException)
        {
            // What could not be committed is handed out again: once more, never lost.
            _faults++;
            CommitFailed(fault, _group.Name);
        }
    }

    /// <summary>
    /// Drains without the consumer, which does not answer, and then lets that one leave as best it can. In this order: where it can leave
    /// after all, the others begin what it had, and what runs here still is to have ended by then.
    /// </summary>
    private async Task GiveUpAsync(ILogConsumer consumer, OwnerSet set)
    {
        set.Deafen();
        await set.DrainAsync();
        using var limit = new CancellationTokenSource(LeaveMax, _time);
        try
        {
            await LeaveAsync(consumer).OrCancelledAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            // It goes on by itself; the session's end frees the partitions at the latest.
        }
    }

    private async Task LeaveAsync(ILogConsumer consumer)
    {
        try
        {
            await consumer.DisposeAsync();
        }
        catch (Exception fault)
        {
            LeavingFailed(fault, _group.Name);
        }
    }

    private void ThrowIfRebuildIsWanted()
    {
        string? reason;
        lock (_lock) (reason, _rebuildFor) = (_rebuildFor, null);
        if (reason is not null) throw new RebuildException(reason, consumerIsStuck: false);
    }

    private TopicPartition[] TakeResumes()
    {
        lock (_lock)
        {
            if (_resumes.Count == 0) return [];
            TopicPartition[] taken = [.. _resumes];
            _resumes.Clear();
            return taken;
        }
    }

    private TimeSpan Shorter(TimeSpan wait) => wait < _options.PollWait ? wait : _options.PollWait;

    private TimeSpan BackoffAfter(int failures) => BackoffAfter(failures, _options.ErrorBackoffMax);

    private TimeSpan BackoffAfter(int failures, TimeSpan max)
    {
        var wait = _options.ErrorBackoff * (1 << Math.Min(failures, 10));
        return wait < max ? wait : max;
    }

    private async Task PauseAsync(TimeSpan length, CancellationToken cancel)
    {
        try
        {
            await Task.Delay(length, _time, cancel);
        }
        catch (OperationCanceledException)
        {
            // The loop sees the cancellation itself, and closes in order.
        }
    }

    /// <summary>Carries an owner's own fault out of the loop.</summary>
    private sealed class OwnerFaultException(Exception inner) : Exception(inner.Message, inner);

    /// <summary>The consumer is to be replaced although nothing of it has failed.</summary>
    private sealed class RebuildException(string reason, bool consumerIsStuck) : Exception(reason)
    {
        public bool ConsumerIsStuck => consumerIsStuck;
    }

    [LoggerMessage(1031, LogLevel.Error, "Group {Group}: building the consumer anew in {Wait}")]
    private partial void Rebuilding(Exception fault, string group, TimeSpan wait);

    [LoggerMessage(1032, LogLevel.Warning, "Group {Group}: polling failed")]
    private partial void PollFailed(Exception fault, string group);

    [LoggerMessage(1033, LogLevel.Warning, "Group {Group}: committing failed; the records since the last commit may come again")]
    private partial void CommitFailed(Exception fault, string group);

    [LoggerMessage(1034, LogLevel.Warning, "Group {Group}: a consumer that was given up did not leave in order")]
    private partial void LeavingFailed(Exception fault, string group);
}
