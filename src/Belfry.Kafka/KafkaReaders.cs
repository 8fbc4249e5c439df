using Belfry.Log;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using TopicPartition = Belfry.Log.TopicPartition;

namespace Belfry.Kafka;

/// <summary>A few consumers outside any group, lent to one read or question at a time. Any thread.</summary>
/// <param name="options">Of the log.</param>
/// <param name="time">Of limits.</param>
/// <param name="voice">Of the clients.</param>
/// <param name="build">Makes a client, as <see cref="Build"/> does.</param>
internal sealed class KafkaReaders(
    KafkaLogOptions options, TimeProvider time, ClientVoice voice, Func<IConsumer<byte[], byte[]>> build) : IDisposable
{
    internal const int ReadersMax = 4;
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan AskAgainFirst = TimeSpan.FromMilliseconds(100);

    // By Kafka's protocol (ListOffsets) these times stand for a partition's two ends.
    private static readonly Timestamp Earliest = new(-2, TimestampType.NotAvailable);
    private static readonly Timestamp Latest = new(-1, TimestampType.NotAvailable);

    /// <summary>For questions to a group's coordinator: the longest that the client takes.</summary>
    public static readonly TimeSpan NoLimitOfTheClient = TimeSpan.FromHours(1);

    // A slot a client, until that has ended.
    private readonly SemaphoreSlim _slots = new(ReadersMax);
    private readonly Lock _lock = new();

    // Under the lock.
    private readonly Stack<Reader> _idle = new();
    private bool _closed;

    public Task<List<LogRecord>> ReadAsync(TopicPartition source, long from, int max, CancellationToken cancel) => UseAsync(
        reader => Task.FromResult(Read(reader.Consumer, source, from, max, cancel)), $"Reading {source}", options.RequestTimeout, cancel);

    public Task<(long Start, long End)> OffsetsAsync(TopicPartition source, CancellationToken cancel) => UseAsync(
        reader => Task.FromResult(Marks(reader.Consumer, KafkaRecords.ToKafka(source))), $"Reading {source}", options.RequestTimeout,
        cancel);

    /// <summary>What a group has committed; null for nothing.</summary>
    public Task<long?> CommittedAsync(string group, TopicPartition source, CancellationToken cancel) => AskCoordinatorAsync<long?>(
        $"Asking what '{group}' has committed of {source}", async admin =>
        {
            try
            {
                var answers = await admin.ListConsumerGroupOffsetsAsync(
                    [new ConsumerGroupTopicPartitions(group, [KafkaRecords.ToKafka(source)])],
                    new ListConsumerGroupOffsetsOptions { RequestTimeout = NoLimitOfTheClient });
                var answer = answers.Single().Partitions.Single();
                if (answer.Error.IsError) throw new KafkaException(answer.Error);
                return answer.Offset.IsSpecial ? null : answer.Offset.Value;
            }
            catch (ListConsumerGroupOffsetsException fault) when (KafkaFaults.IsNoGroup(fault))
            {
                return null;
            }
        }, cancel);

    /// <summary>
    /// Asks a group's coordinator. By a reader's client and not by that of the administration: told that a broker is not the group's
    /// coordinator (any more), librdkafka 2.15.1 tells its own group to look for it, and a client that has none ends the process
    /// (<c>rd_kafka_handle_OffsetFetch</c>). And without a limit of the client's: it goes on looking for the coordinator of a question that
    /// has reached its limit, uses what it has freed once that is there, and the process ends (<c>rd_kafka_admin_coord_request</c>). So the
    /// limit is kept here, and the client is given up with the question. A broker that is not the coordinator, or not yet, as in the moment
    /// in which the first group of all is asked for, is passed over by asking anew, by another client: one goes on asking the broker that
    /// it has been told of, for only transactions make it forget that (<c>rd_kafka_coord_cache_evict</c>). All of it takes
    /// <see cref="KafkaLogOptions.RequestTimeout"/> at most.
    /// </summary>
    /// <param name="what">Begins the sentence of a failure.</param>
    /// <param name="ask">With <see cref="NoLimitOfTheClient"/> as the request's limit.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="LogUnavailableException">Not answered, or refused for now.</exception>
    public async Task<T> AskCoordinatorAsync<T>(string what, Func<IAdminClient, Task<T>> ask, CancellationToken cancel)
    {
        var startedAt = time.GetTimestamp();
        for (var wait = AskAgainFirst; ; wait *= 2)
        {
            try
            {
                return await UseAsync(reader => AskAsync(reader, what, ask, Left(), cancel), what, Left(), cancel);
            }
            catch (LogUnavailableException fault) when (fault.InnerException is KafkaException inner
                && KafkaFaults.IsNoCoordinator(KafkaFaults.Cause(inner)) && wait < Left())
            {
                await Task.Delay(wait, time, cancel);
            }
        }

        TimeSpan Left()
        {
            var left = options.RequestTimeout - time.GetElapsedTime(startedAt);
            return left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
    }

    /// <summary>A client that subscribes to nothing, and so joins no group.</summary>
    /// <exception cref="LogUnavailableException">The client refuses its settings.</exception>
    public static IConsumer<byte[], byte[]> Build(KafkaLogOptions options, ClientVoice voice) =>
        KafkaFaults.Make(() => new ConsumerBuilder<byte[], byte[]>(KafkaConfig.Reader(options))
            .SetErrorHandler(static (_, _) => { }).SetLogHandler((_, message) => voice.Hear(message)).Build());

    /// <summary>Ends the clients that are idle; those in use end once they are given back.</summary>
    public void Dispose()
    {
        Reader[] idle;
        lock (_lock)
        {
            _closed = true;
            idle = [.. _idle];
            _idle.Clear();
        }

        foreach (var reader in idle) reader.Dispose();
    }

    private async Task<T> AskAsync<T>(
        Reader reader, string what, Func<IAdminClient, Task<T>> ask, TimeSpan limit, CancellationToken cancel)
    {
        try
        {
            return await ask(reader.Admin).WaitAsync(limit, time, cancel);
        }
        catch (TimeoutException fault)
        {
            throw new LogUnavailableException($"{what} was not answered within {options.RequestTimeout}{voice.Why()}.", fault);
        }
    }

    private async Task<T> UseAsync<T>(Func<Reader, Task<T>> use, string what, TimeSpan limit, CancellationToken cancel)
    {
        await TakeSlotAsync(what, limit, cancel);
        // Most of the client's calls block; there are never more of them than readers. Not cancelled, or nobody would free the slot.
        return await Task.Run(() => UseOneAsync(use, what, cancel), CancellationToken.None);
    }

    private async Task TakeSlotAsync(string what, TimeSpan limit, CancellationToken cancel)
    {
        using var late = new CancellationTokenSource(limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancel);
        try
        {
            await _slots.WaitAsync(either.Token);
        }
        catch (OperationCanceledException fault) when (!cancel.IsCancellationRequested)
        {
            throw new LogUnavailableException(
                $"{what}: all {ReadersMax} clients that read were taken, or ending, for the {options.RequestTimeout} of RequestTimeout" +
                $"{voice.Why()}.", fault);
        }
    }

    private async Task<T> UseOneAsync<T>(Func<Reader, Task<T>> use, string what, CancellationToken cancel)
    {
        Reader? reader = null;
        var sound = false;
        try
        {
            cancel.ThrowIfCancellationRequested();
            reader = TakeIdle() ?? new Reader(build());
            var result = await use(reader);
            sound = true;
            return result;
        }
        catch (KafkaException fault)
        {
            // What a broker has refused is answered, and the client as good as before.
            sound = KafkaFaults.Cause(fault) is { IsBrokerError: true } error && !KafkaFaults.IsNoCoordinator(error);
            throw KafkaFaults.Unavailable($"{what} failed", fault, voice);
        }
        finally
        {
            if (reader is null) _slots.Release();
            else GiveBack(reader, sound);
        }
    }

    private Reader? TakeIdle()
    {
        lock (_lock) return _idle.TryPop(out var reader) ? reader : null;
    }

    /// <summary>
    /// The end of a client may take as long as a name takes to be looked up, or for ever: whoever asked does not wait for it, and it keeps
    /// its slot, so that there are never more clients than slots.
    /// </summary>
    private void GiveBack(Reader reader, bool sound)
    {
        lock (_lock)
        {
            if (sound && !_closed)
            {
                _idle.Push(reader);
                _slots.Release();
                return;
            }
        }

        _ = Task.Run(() =>
        {
            try
            {
                reader.Dispose();
            }
            finally
            {
                _slots.Release();
            }
        });
    }

    /// <summary>
    /// Asked one by one: the client's call for both forgets that one of the two failed when the answers come together, and a partition then
    /// looks empty.
    /// </summary>
    private (long Start, long End) Marks(IConsumer<byte[], byte[]> reader, Confluent.Kafka.TopicPartition partition) =>
        (Mark(reader, partition, Earliest), Mark(reader, partition, Latest));

    private long Mark(IConsumer<byte[], byte[]> reader, Confluent.Kafka.TopicPartition partition, Timestamp which)
    {
        var offset = reader.OffsetsForTimes([new TopicPartitionTimestamp(partition, which)], options.RequestTimeout).Single().Offset;
        return !offset.IsSpecial
            ? offset.Value
            : throw new LogUnavailableException($"Where {partition} begins and ends is not known: {offset}.");
    }

    private List<LogRecord> Read(IConsumer<byte[], byte[]> reader, TopicPartition source, long from, int max, CancellationToken cancel)
    {
        var records = new List<LogRecord>();
        var partition = KafkaRecords.ToKafka(source);
        var (start, end) = Marks(reader, partition);
        from = Math.Max(from, start);
        if (from >= end || max < 1) return records;
        reader.Assign(new TopicPartitionOffset(partition, from));
        try
        {
            // Ends at the end as it was: compaction may have left nothing before it, which only the end's own event tells.
            for (var cameAt = time.GetTimestamp(); records.Count < max;)
            {
                cancel.ThrowIfCancellationRequested();
                var result = reader.Consume(Look);
                // A new leader may not know yet how far its predecessor came: that is not the end.
                if (result is { IsPartitionEOF: true } && result.Offset.Value >= end) break;
                if (result is { IsPartitionEOF: false })
                {
                    cameAt = time.GetTimestamp();
                    records.Add(KafkaRecords.FromResult(result));
                    if (result.Offset.Value + 1 >= end) break;
                }
                else if (time.GetElapsedTime(cameAt) > options.RequestTimeout)
                {
                    throw new LogUnavailableException(
                        $"Reading {source} from {from} brought {records.Count} records, and no more for {options.RequestTimeout}.");
                }
            }
        }
        finally
        {
            reader.Unassign();
        }

        return records;
    }

    /// <summary>A client, and what asks through it: made with the first question, for its end takes a moment, and ended together.</summary>
    private sealed class Reader(IConsumer<byte[], byte[]> consumer) : IDisposable
    {
        private IAdminClient? _admin;

        public IConsumer<byte[], byte[]> Consumer => consumer;

        /// <summary>One caller at a time.</summary>
        public IAdminClient Admin => _admin ??= new DependentAdminClientBuilder(consumer.Handle).Build();

        public void Dispose()
        {
            _admin?.Dispose();
            consumer.Dispose();
        }
    }
}
