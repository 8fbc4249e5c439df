using Belfry.Log;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using TopicPartition = Belfry.Log.TopicPartition;

namespace Belfry.Kafka;

/// <summary>
/// The native consumer of one group member and what is known of its partitions. Poll thread only, but for commits, and for what wakes the
/// client's own threads.
/// </summary>
internal sealed partial class GroupMember(
    ConsumerConfig config, ConsumerGroup group, PollThread thread, PollThread wakes, TimeProvider time, ILogger logger,
    ClientVoice voice)
{
    private static readonly TimeSpan Slice = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan CloseSlice = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LetGoBudget = TimeSpan.FromMilliseconds(500);

    // By then the threads that fetch have woken by themselves.
    private static readonly TimeSpan WakeBudget = TimeSpan.FromSeconds(1);

    // Behind a fetch that waits for records a broker answers when that ends, after 500 ms, and a client whose request is too late for it
    // hangs up on the broker: well above that.
    private static readonly TimeSpan WakeAnswerMax = TimeSpan.FromSeconds(2);
    private readonly SortedSet<TopicPartition> _owned = [];

    // The same for the threads that commit and wake; their consumer was made before.
    private volatile IReadOnlyList<TopicPartition> _ownedNow = [];

    // Paused by the user of the seam, of what is owned; and in the native client, where a pause outlives the ownership.
    private readonly HashSet<TopicPartition> _pausesWanted = [];
    private readonly HashSet<TopicPartition> _pausesMade = [];

    // Taken from the client and not handed out yet.
    private List<LogRecord> _held = [];

    private IConsumer<byte[], byte[]>? _consumer;
    private PollCall? _call;
    private Error? _ended;
    private Error? _allDown;
    private volatile bool _closing;
    private bool _rebalanced;
    private bool _wasTold;

    /// <summary>Runs one poll and ends it, however it goes.</summary>
    public void Poll(PollCall call)
    {
        _call = call;
        try
        {
            call.Records = Poll(call.Max, call.Wait, call.Cancel);
        }
        catch (KafkaException fault)
        {
            call.Fault = FaultOf(KafkaFaults.Cause(fault), fault);
        }
        catch (Exception fault)
        {
            call.Fault = fault;
        }
        finally
        {
            _call = null;
            call.Changes.Writer.Complete();
        }
    }

    public void SetPaused(TopicPartition source, bool paused)
    {
        if (!paused) _pausesWanted.Remove(source);
        else if (_owned.Contains(source)) _pausesWanted.Add(source);
    }

    /// <summary>Blocks until the broker has answered. Any one thread, until <see cref="Close"/>.</summary>
    /// <exception cref="OwnershipLostException">A partition is not owned; nothing was committed.</exception>
    /// <exception cref="LogUnavailableException">Not answered, or refused for now.</exception>
    public void Commit(IReadOnlyList<KeyValuePair<TopicPartition, long>> nextOffsets)
    {
        var owned = _ownedNow;
        foreach (var (source, _) in nextOffsets)
            if (!owned.Contains(source)) throw NotOwned(source.ToString());
        try
        {
            _consumer!.Commit(nextOffsets.Select(next => new TopicPartitionOffset(KafkaRecords.ToKafka(next.Key), next.Value)));
        }
        catch (KafkaException fault)
        {
            var error = KafkaFaults.Cause(fault);
            if (KafkaFaults.IsLoss(error)) throw NotOwned(string.Join(", ", nextOffsets.Select(next => next.Key)), error.Reason);
            throw KafkaFaults.Unavailable($"Group '{group.Name}': a commit failed", fault, voice);
        }
    }

    /// <summary>
    /// From now on the listener hears of nothing: it would keep a poll that was given up from ending. Such a one ends with the next call on
    /// its thread. Any thread.
    /// </summary>
    public void TellNoMore() => _closing = true;

    /// <summary>Leaves the group. The listener hears nothing of it.</summary>
    public void Close()
    {
        _closing = true;
        if (_consumer is null) return;
        try
        {
            LetGoOfAll();
            _consumer.Close();
        }
        catch (KafkaException fault)
        {
            // Gone from the group already, or failed for good: it only remains to free it.
            CloseFailed(fault, group.Name);
        }
        finally
        {
            _consumer.Dispose();
            _owned.Clear();
            _ownedNow = [];
        }
    }

    /// <summary>
    /// A client that closes while a rebalance waits to be told stays in its group as a ghost, for a session; and where it has two to tell
    /// by then, it ends without answering what the second one's handler asks, which waits for ever (seen with librdkafka 2.15.1;
    /// confluentinc/librdkafka#4884). So it closes once there is nothing left to give back. For a rebalance that waits for other members
    /// it waits a moment only. A static member of a classic group keeps what it has, for it would be taken out of the group otherwise: it
    /// is told of what waits, and closes.
    /// </summary>
    private void LetGoOfAll()
    {
        var keeps = config is { GroupInstanceId: not null, GroupProtocol: not GroupProtocol.Consumer };
        if (!keeps) Try(_consumer!.Unsubscribe);
        var startedAt = time.GetTimestamp();
        do
        {
            _wasTold = false;
            Try(() => Consume(CloseSlice, []));
        }
        while ((_wasTold || (!keeps && _owned.Count > 0)) && time.GetElapsedTime(startedAt) < LetGoBudget);

        // Whatever the client has to say, it is closed next.
        void Try(Action step)
        {
            try
            {
                step();
            }
            catch (KafkaException fault)
            {
                CloseFailed(fault, group.Name);
            }
        }
    }

    private List<LogRecord> Poll(int max, TimeSpan wait, CancellationToken cancel)
    {
        Open();
        var startedAt = time.GetTimestamp();
        var records = TakeHeld(max);
        try
        {
            while (true)
            {
                ThrowIfEnded();
                if (_closing || records.Count >= max) break;
                MakePauses();
                var rest = wait - time.GetElapsedTime(startedAt);
                var slice = records.Count > 0 || rest <= TimeSpan.Zero ? TimeSpan.Zero : rest < Slice ? rest : Slice;
                var result = Consume(slice, records);
                if (_call!.ListenerFault is not null) return [];
                if (result is not null) records.Add(result);
                else if (records.Count > 0 || rest <= TimeSpan.Zero) break;
                else cancel.ThrowIfCancellationRequested();
            }

            if (records.Count == 0) ThrowIfAllDown();
            return records;
        }
        catch
        {
            // What was taken is not lost: the next poll hands it out.
            _held.InsertRange(0, records);
            throw;
        }
    }

    private void Open()
    {
        if (_consumer is not null) return;
        _consumer = KafkaFaults.Make(() => new ConsumerBuilder<byte[], byte[]>(config)
            .SetPartitionsAssignedHandler((_, partitions) => Tell(AssignmentChangeKind.Assigned, partitions))
            .SetPartitionsRevokedHandler((_, positions) => Tell(AssignmentChangeKind.Revoked, positions.Select(p => p.TopicPartition)))
            .SetPartitionsLostHandler((_, positions) => Tell(AssignmentChangeKind.Lost, positions.Select(p => p.TopicPartition)))
            .SetErrorHandler((_, error) => Failed(error))
            .SetLogHandler((_, message) => voice.Hear(message))
            .Build());
        _consumer.Subscribe(group.Topics);
    }

    /// <summary>One record of an owned partition, or null. Rebalance handlers run in here, and take theirs out of what was read.</summary>
    private LogRecord? Consume(TimeSpan wait, List<LogRecord> records)
    {
        ConsumeResult<byte[], byte[]>? result;
        var before = _reading;
        _reading = records;
        try
        {
            result = _consumer!.Consume(wait);
        }
        catch (ConsumeException fault) when (KafkaFaults.IsBenign(fault.Error))
        {
            return null;
        }
        finally
        {
            _reading = before;
            // Once more: the first may have come before the client had resumed what it paused.
            if (_rebalanced) wakes.TryPost(WakeFetchers);
            _rebalanced = false;
        }

        if (result?.Message is null) return null;
        var record = KafkaRecords.FromResult(result);
        return _owned.Contains(record.Source) ? record : null;
    }

    /// <summary>
    /// Around a cooperative rebalance the client pauses what stays, and its threads that fetch do not hear of the resumption before they
    /// wake by themselves, which is once a second when there was nothing else to do. Any request to their broker wakes them; the answer is
    /// of no interest. On a thread of its own, for it blocks. Source: librdkafka 2.15.1, rd_kafka_broker_consumer_serve.
    /// </summary>
    private void WakeFetchers()
    {
        var startedAt = time.GetTimestamp();
        foreach (var source in _ownedNow)
        {
            if (_closing || time.GetElapsedTime(startedAt) >= WakeBudget) return;
            try
            {
                _consumer!.QueryWatermarkOffsets(KafkaRecords.ToKafka(source), WakeAnswerMax);
            }
            catch (KafkaException)
            {
                // A broker that does not answer has nothing to fetch from either.
            }
        }
    }

    // The records of the poll that runs, while it is inside the client.
    private List<LogRecord>? _reading;

    private List<LogRecord> TakeHeld(int max)
    {
        if (_held.Count == 0) return [];
        var taken = _held.Where(record => !_pausesWanted.Contains(record.Source)).Take(max).ToList();
        _held = [.. _held.Except(taken)];
        return taken;
    }

    /// <summary>
    /// Brings the native pauses in line, between two calls of the client: a pause that outlived an ownership ends here, once the partition
    /// has come back, and only pauses made here are ever ended.
    /// </summary>
    private void MakePauses()
    {
        if (_pausesWanted.Count == 0 && _pausesMade.Count == 0) return;
        var pause = _pausesWanted.Where(source => _owned.Contains(source) && !_pausesMade.Contains(source)).ToList();
        var resume = _pausesMade.Where(source => _owned.Contains(source) && !_pausesWanted.Contains(source)).ToList();
        if (pause.Count > 0) _consumer!.Pause(pause.Select(KafkaRecords.ToKafka));
        _pausesMade.UnionWith(pause);
        if (resume.Count > 0) _consumer!.Resume(resume.Select(KafkaRecords.ToKafka));
        _pausesMade.ExceptWith(resume);
    }

    /// <summary>
    /// A rebalance handler. The thread stays inside the client until the listener has been told; nothing may be thrown out of here, or the
    /// client would let go of everything.
    /// </summary>
    private void Tell(AssignmentChangeKind kind, IEnumerable<Confluent.Kafka.TopicPartition> partitions)
    {
        try
        {
            _rebalanced = !_closing;
            _wasTold = true;
            TopicPartition[] sources = [.. partitions.Select(KafkaRecords.FromKafka).Order()];
            if (kind == AssignmentChangeKind.Assigned) Take(sources);
            else sources = [.. sources.Where(_owned.Contains)];
            if (kind == AssignmentChangeKind.Lost) LetGo(sources);
            // A member that is leaving tells nobody, nor does one whose listener has failed.
            if (sources.Length > 0 && !_closing && _call is { ListenerFault: null } call)
            {
                var change = new AssignmentChange(kind, sources);
                call.Changes.Writer.TryWrite(change);
                // Given up meanwhile it does not wait: closed from in here, the client would end under its own handler.
                thread.ServeUntil(() => _closing || call.AnsweredTo == change);
            }

            if (kind == AssignmentChangeKind.Revoked) LetGo(sources);
            if (_rebalanced) wakes.TryPost(WakeFetchers);
        }
        catch (Exception fault)
        {
            _ended ??= new Error(ErrorCode.Local_Application, $"A rebalance handler failed: {fault.Message}");
            HandlerFailed(fault, group.Name);
        }
    }

    private void Take(TopicPartition[] sources)
    {
        _owned.UnionWith(sources);
        _ownedNow = [.. _owned];
    }

    private void LetGo(IReadOnlyCollection<TopicPartition> sources)
    {
        _owned.ExceptWith(sources);
        _ownedNow = [.. _owned];
        _pausesWanted.ExceptWith(sources);
        // The next owner reads these again, for nothing of them was handed out.
        _held.RemoveAll(record => !_owned.Contains(record.Source));
        _reading?.RemoveAll(record => !_owned.Contains(record.Source));
    }

    private void Failed(Error error)
    {
        if (KafkaFaults.EndsConsumer(error)) _ended ??= error;
        else if (error.Code == ErrorCode.Local_AllBrokersDown) _allDown = error;
    }

    private void ThrowIfEnded()
    {
        if (_ended is { } error) throw FaultOf(error, null);
    }

    private void ThrowIfAllDown()
    {
        if (_allDown is not { } error) return;
        _allDown = null;
        throw KafkaFaults.Unavailable($"Group '{group.Name}': polling failed", error, voice);
    }

    private Exception FaultOf(Error error, Exception? inner)
    {
        if (!KafkaFaults.EndsConsumer(error) && error.Code != ErrorCode.Local_Application)
            return KafkaFaults.Unavailable($"Group '{group.Name}': polling failed", error, voice, inner);
        _ended ??= error;
        return new KafkaConsumerEndedException(
            error.Code switch
            {
                ErrorCode.FencedInstanceId =>
                    $"Group '{group.Name}' has another member of the name '{config.GroupInstanceId}', which has taken this one's place " +
                    "and loses it again when this one is made anew: give each instance a Kafka:GroupInstanceId of its own.",
                ErrorCode.UnreleasedInstanceId =>
                    $"Group '{group.Name}' has another member of the name '{config.GroupInstanceId}' already, and this one gets nothing " +
                    "until that has gone: give each instance a Kafka:GroupInstanceId of its own.",
                _ => $"Group '{group.Name}': this consumer cannot go on and must be made anew: {error.Reason} ({error.Code})",
            }, inner);
    }

    private OwnershipLostException NotOwned(string what, string? why = null) => new(
        $"{what} is not owned by this member of group '{group.Name}'; nothing was committed{(why is null ? "" : $" ({why})")}.");

    [LoggerMessage(1331, LogLevel.Error, "Group {Group}: a rebalance handler failed")]
    private partial void HandlerFailed(Exception fault, string group);

    [LoggerMessage(1332, LogLevel.Warning, "Group {Group}: the consumer did not leave in order")]
    private partial void CloseFailed(Exception fault, string group);
}
