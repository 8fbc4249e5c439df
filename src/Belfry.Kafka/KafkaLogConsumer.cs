using System.Runtime.ExceptionServices;
using System.Threading.Channels;
using Belfry.Log;
using Microsoft.Extensions.Logging;

namespace Belfry.Kafka;

/// <summary>
/// One member of a group, as the seam has it: every call is posted to the poll thread, the only user of the native consumer but for
/// commits, which have a thread of their own: the broker answers none while a member that has rejoined waits for the others, which takes
/// up to a heartbeat, and polls go on meanwhile. What a rebalance brings is told to the listener here, in the poll's own caller, while the
/// poll thread waits inside the client's handler.
/// </summary>
internal sealed partial class KafkaLogConsumer : ILogConsumer
{
    private readonly KafkaLog _log;
    private readonly ILogger _logger;
    private readonly ConsumerGroup _group;
    private readonly int _number;
    private readonly PollThread _thread;
    private readonly PollThread _commits;
    private readonly PollThread _wakes;
    private readonly GroupMember _member;
    private volatile bool _closed;
    private volatile bool _isPolling;

    public KafkaLogConsumer(KafkaLog log, ConsumerGroup group)
    {
        (_log, _logger, _group) = (log, log.Logger, group);
        (_number, var instanceId) = log.Instances.Take(group.Name);
        _thread = new PollThread($"Kafka {group.Name}");
        _commits = new PollThread($"Kafka commits {group.Name}");
        _wakes = new PollThread($"Kafka wakes {group.Name}");
        _member = new GroupMember(
            KafkaConfig.Consumer(log.Options, group, instanceId), group, _thread, _wakes, log.Time, log.Logger, log.Voice);
    }

    /// <summary>For tests that make it hang.</summary>
    internal PollThread Thread => _thread;

    public async ValueTask<IReadOnlyList<LogRecord>> PollAsync(IAssignmentListener listener, int max, TimeSpan wait,
        CancellationToken cancel)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        cancel.ThrowIfCancellationRequested();
        var call = new PollCall(max, wait, cancel);
        _isPolling = true;
        _thread.Post(() => _member.Poll(call));
        await foreach (var change in call.Changes.Reader.ReadAllAsync(CancellationToken.None))
        {
            try
            {
                await TellAsync(listener, change);
            }
            catch (Exception fault)
            {
                call.ListenerFault = fault;
            }

            // No thread is left to hear it where the consumer was given up meanwhile.
            _thread.TryPost(() => call.AnsweredTo = change);
        }

        _isPolling = false;
        if (call.ListenerFault is { } broken)
        {
            // The listener's state is unknown now: this member ends, and the others get what it had.
            await DisposeAsync();
            ExceptionDispatchInfo.Throw(broken);
        }

        if (call.Fault is { } failed) ExceptionDispatchInfo.Throw(failed);
        return call.Records;
    }

    public void Pause(TopicPartition source)
    {
        if (!_closed) _thread.Post(() => _member.SetPaused(source, true));
    }

    public void Resume(TopicPartition source)
    {
        if (!_closed) _thread.Post(() => _member.SetPaused(source, false));
    }

    public async ValueTask CommitAsync(IReadOnlyList<KeyValuePair<TopicPartition, long>> nextOffsets, CancellationToken cancel)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        if (nextOffsets.Count == 0) return;
        var commit = _commits.RunAsync(() => _member.Commit(nextOffsets));
        try
        {
            await commit.WaitAsync(_log.Options.RequestTimeout, _log.Time, cancel);
        }
        catch (TimeoutException fault)
        {
            throw new LogUnavailableException(
                $"Group '{_group.Name}': a commit was not answered within {_log.Options.RequestTimeout}{_log.Voice.Why()}.", fault);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _closed, true)) return;
        // Given up in the middle of a poll, its thread hangs: a successor gets its identity at once, for the brokers then take the
        // partitions from this one, however long it lives on.
        var isStuck = _isPolling;
        if (isStuck)
        {
            _member.TellNoMore();
            _log.Instances.Return(_group.Name, _number);
        }

        var closing = CloseAsync();
        try
        {
            await closing.WaitAsync(_log.Options.CloseTimeout, _log.Time);
        }
        catch (TimeoutException)
        {
            // The thread goes on closing by itself; the session's end frees the partitions at the latest.
            SlowClose(_group.Name, _log.Options.CloseTimeout);
        }
        finally
        {
            if (!isStuck) _log.Instances.Return(_group.Name, _number);
        }
    }

    /// <summary>Once no other thread uses the native consumer any more.</summary>
    private async Task CloseAsync()
    {
        _member.TellNoMore();
        // A poll that is being told of a rebalance notices it, and is over before the client closes.
        _thread.Post(static () => { });
        var others = Task.WhenAll(_commits.RunAsync(static () => { }), _wakes.RunAsync(static () => { }));
        _commits.Complete();
        _wakes.Complete();
        await others;
        var closing = _thread.RunAsync(_member.Close);
        _thread.Complete();
        await closing;
    }

    private ValueTask TellAsync(IAssignmentListener listener, AssignmentChange change)
    {
        switch (change.Kind)
        {
            case AssignmentChangeKind.Revoked:
                return listener.RevokedAsync(this, change.Partitions);
            case AssignmentChangeKind.Assigned:
                listener.Assigned(change.Partitions);
                break;
            default:
                listener.Lost(change.Partitions);
                break;
        }

        return ValueTask.CompletedTask;
    }

    [LoggerMessage(1321, LogLevel.Warning, "Group {Group}: leaving takes longer than {Timeout}; it goes on in the background")]
    private partial void SlowClose(string group, TimeSpan timeout);
}

/// <summary>What happened to which partitions.</summary>
internal enum AssignmentChangeKind
{
    Assigned,
    Revoked,
    Lost,
}

/// <summary>One rebalance as a member sees it.</summary>
internal sealed record AssignmentChange(AssignmentChangeKind Kind, IReadOnlyList<TopicPartition> Partitions);

/// <summary>One poll: what the caller asked for, what the poll thread tells it meanwhile, and what came of it.</summary>
internal sealed class PollCall(int max, TimeSpan wait, CancellationToken cancel)
{
    public int Max => max;
    public TimeSpan Wait => wait;
    public CancellationToken Cancel => cancel;

    /// <summary>Changes to tell the listener of, one at a time; its end is the poll's.</summary>
    public Channel<AssignmentChange> Changes { get; } =
        Channel.CreateUnbounded<AssignmentChange>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });

    /// <summary>The last change that the listener has been told of. Poll thread only.</summary>
    public AssignmentChange? AnsweredTo { get; set; }

    /// <summary>Set before an answer is posted.</summary>
    public Exception? ListenerFault { get; set; }

    /// <summary>Set before the changes end.</summary>
    public Exception? Fault { get; set; }

    /// <summary>Set before the changes end.</summary>
    public IReadOnlyList<LogRecord> Records { get; set; } = [];
}
