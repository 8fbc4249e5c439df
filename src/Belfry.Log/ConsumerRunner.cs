using Microsoft.Extensions.Logging;

namespace Belfry.Log;

/// <summary>Settings of one consumer. All have bounds.</summary>
public sealed record ConsumerOptions
{
    /// <summary>Most records one poll returns. Default 500.</summary>
    public int PollRecordsMax { get; init; } = 500;

    /// <summary>Longest wait of one poll. Default 100 ms; the simulator uses longer ones.</summary>
    public TimeSpan PollWait { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>A partition is paused when its owner holds this many records, and resumed at half. Default 16,384.</summary>
    public int HeldMax { get; init; } = 16_384;

    /// <summary>How often low-water marks are committed. Default 1 s.</summary>
    public TimeSpan CommitInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a revoked or stopped owner may finish what runs. Default 5 s.</summary>
    public TimeSpan DrainBudget { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Pause after a failed poll or commit, doubled up to 30 times itself. Default 1 s.</summary>
    public TimeSpan ErrorBackoff { get; init; } = TimeSpan.FromSeconds(1);
}

/// <summary>
/// One member of a consumer group and the owners it feeds: polls, hands out, pauses full partitions, commits low-water marks,
/// drains on revoke. Its loop never waits for a handler.
/// </summary>
public sealed partial class ConsumerRunner(
    IPartitionedLog log, ConsumerGroup group, PartitionOwnerFactory owners, ConsumerOptions options, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan PausedPollWait = TimeSpan.FromMilliseconds(20);

    private volatile ConsumerStatus _status = ConsumerStatus.NotStarted;
    private int _rebuilds;
    private int _faults;
    private int _failedCommits;
    private DateTimeOffset _commitAt;

    /// <summary>A snapshot, at most a commit interval or a poll old. Safe to read at any time.</summary>
    public ConsumerStatus Status => _status;

    /// <summary>
    /// Runs until cancelled, then drains, commits and leaves the group. Rebuilds the consumer after faults; never throws for one.
    /// </summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        for (var failures = 0; !cancel.IsCancellationRequested; failures++)
        {
            var startedAt = time.GetUtcNow();
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
                // A consumer that lived long enough to prove itself starts the backoff afresh.
                if (time.GetUtcNow() - startedAt > options.ErrorBackoff * 60) failures = 0;
                var wait = BackoffAfter(failures);
                Rebuilding(fault, group.Name, wait);
                await PauseAsync(wait, cancel);
            }
        }
    }

    private async Task RunConsumerAsync(CancellationToken cancel)
    {
        await using var consumer = log.OpenConsumer(group);
        var set = new OwnerSet(group, owners, options, time, logger);
        try
        {
            _commitAt = time.GetUtcNow() + options.CommitInterval;
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel, set.Faulted);
            for (var failures = 0; !cancel.IsCancellationRequested;)
            {
                failures = await PollOnceAsync(consumer, set, stop.Token, cancel) ? 0 : failures + 1;
                if (failures > 0) await PauseAsync(BackoffAfter(failures - 1), cancel);
            }

            await CloseAsync(consumer, set);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            await CloseAsync(consumer, set);
        }
        catch (OwnerFaultException fault)
        {
            await CloseAsync(consumer, set);
            throw fault.InnerException!;
        }
        finally
        {
            set.Abandon();
            _status = _status with { Partitions = [], Rebuilds = _rebuilds, Faults = _faults };
        }
    }

    /// <summary>One poll, its records handed out, and what is due besides. False when the log was not available.</summary>
    private async Task<bool> PollOnceAsync(ILogConsumer consumer, OwnerSet set, CancellationToken stop, CancellationToken cancel)
    {
        try
        {
            var wait = set.AnyPaused ? PausedPollWait : set.AnyUncommitted ? options.CommitInterval : options.PollWait;
            var records = await consumer.PollAsync(set, options.PollRecordsMax, Shorter(wait), stop);
            if (records.Count > 0) set.Offer(records);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested && set.Fault is not null)
        {
            // Woken by the fault, which is thrown below.
        }
        catch (LogUnavailableException fault)
        {
            _faults++;
            PollFailed(fault, group.Name);
            return false;
        }

        if (set.Fault is { } ended) throw new OwnerFaultException(ended);
        set.Throttle(consumer);
        var now = time.GetUtcNow();
        if (now >= _commitAt)
        {
            await CommitAsync(consumer, set, now, cancel);
            _status = new ConsumerStatus { PolledAt = now, Partitions = set.Describe(), Rebuilds = _rebuilds, Faults = _faults };
        }

        return true;
    }

    /// <summary>Commits run beside the polls. One that fails is repeated later, with the marks of then; polling goes on.</summary>
    private async Task CommitAsync(ILogConsumer consumer, OwnerSet set, DateTimeOffset now, CancellationToken cancel)
    {
        try
        {
            if (!await set.CommitBesideAsync(consumer, cancel)) return;
            _failedCommits = 0;
            _commitAt = now + options.CommitInterval;
        }
        catch (Exception fault) when (fault is LogUnavailableException or OwnershipLostException)
        {
            // Lost ownership is told by the next poll; until then there is nothing to do about it here.
            _faults++;
            _commitAt = now + BackoffAfter(_failedCommits++);
            CommitFailed(fault, group.Name);
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
            CommitFailed(fault, group.Name);
        }
    }

    private TimeSpan Shorter(TimeSpan wait) => wait < options.PollWait ? wait : options.PollWait;

    private TimeSpan BackoffAfter(int failures) => options.ErrorBackoff * Math.Min(1 << Math.Min(failures, 5), 30);

    private async Task PauseAsync(TimeSpan length, CancellationToken cancel)
    {
        try
        {
            await Task.Delay(length, time, cancel);
        }
        catch (OperationCanceledException)
        {
            // The loop sees the cancellation itself, and closes in order.
        }
    }

    /// <summary>Carries an owner's own fault out of the loop.</summary>
    private sealed class OwnerFaultException(Exception inner) : Exception(inner.Message, inner);

    [LoggerMessage(1031, LogLevel.Error, "Group {Group}: building the consumer anew in {Wait}")]
    private partial void Rebuilding(Exception fault, string group, TimeSpan wait);

    [LoggerMessage(1032, LogLevel.Warning, "Group {Group}: polling failed")]
    private partial void PollFailed(Exception fault, string group);

    [LoggerMessage(1033, LogLevel.Warning, "Group {Group}: committing failed; the records since the last commit may come again")]
    private partial void CommitFailed(Exception fault, string group);
}
