using System.Globalization;
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

    /// <summary>
    /// How much later than it was told a client may come back, which counts in its own time; past it, it hangs and is left to itself.
    /// </summary>
    internal static readonly TimeSpan ClientGrace = TimeSpan.FromSeconds(5);

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

    /// <summary>
    /// Waits <see cref="KafkaLogOptions.RequestTimeout"/> at most until it knows where the partition begins and ends, then as long for each
    /// record.
    /// </summary>
    public Task<List<LogRecord>> ReadAsync(TopicPartition source, long from, int max, CancellationToken cancel)
    {
        var limit = new Limit(time, options.RequestTimeout);
        return UseAsync(
            reader => Task.FromResult(Read(reader.Consumer, source, from, max, limit, cancel)), $"Reading {source}", limit, cancel);
    }

    /// <summary>Takes <see cref="KafkaLogOptions.RequestTimeout"/> at most.</summary>
    public Task<(long Start, long End)> OffsetsAsync(TopicPartition source, CancellationToken cancel)
    {
        var limit = new Limit(time, options.RequestTimeout);
        return UseAsync(
            reader => Task.FromResult(Marks(reader.Consumer, KafkaRecords.ToKafka(source), limit)), $"Reading {source}", limit, cancel);
    }

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
        var limit = new Limit(time, options.RequestTimeout);
        for (var wait = AskAgainFirst; ; wait *= 2)
        {
            try
            {
                return await UseAsync(reader => AskAsync(reader, what, ask, limit.Left, cancel), what, limit, cancel);
            }
            catch (LogUnavailableException fault) when (fault.InnerException is KafkaException inner
                && KafkaFaults.IsNoCoordinator(KafkaFaults.Cause(inner)) && wait < limit.Left)
            {
                await Task.Delay(wait, time, cancel);
                // The wait took longer than meant: nobody is asked any more, and what was refused tells more than that.
                if (limit.Left == TimeSpan.Zero) throw;
            }
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

        foreach (var reader in idle) ClientEnd.End(reader, voice);
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

    private async Task<T> UseAsync<T>(Func<Reader, Task<T>> use, string what, Limit limit, CancellationToken cancel)
    {
        await TakeSlotAsync(what, limit, cancel);
        return await EndedAsync(Task.Run(() => UseOneAsync(use, what, cancel), CancellationToken.None), what, limit, cancel);
    }

    /// <summary>
    /// Most of the client's calls block; there are never more of them than readers. Whoever gives one up, or finds that it hangs, leaves it
    /// to end by itself: it keeps its slot until then, and its fault is nobody's.
    /// </summary>
    private async Task<T> EndedAsync<T>(Task<T> used, string what, Limit limit, CancellationToken cancel)
    {
        _ = used.ContinueWith(
            static ended => ended.Exception, CancellationToken.None,
            TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        while (true)
        {
            try
            {
                return await used.WaitAsync(limit.Left + ClientGrace, time, cancel);
            }
            catch (TimeoutException fault) when (used.Exception?.InnerException != fault)
            {
                // Where it has got further meanwhile it has its time anew; where it has ended, that tells.
                if (!used.IsCompleted && limit.Left == TimeSpan.Zero) throw Hangs(what, options, voice, fault);
            }
        }
    }

    /// <summary>The client came back neither in its time nor in <see cref="ClientGrace"/>.</summary>
    internal static LogUnavailableException Hangs(string what, KafkaLogOptions options, ClientVoice voice, TimeoutException fault) => new(
        $"{what}: the client has not come back {ClientGrace} after the {options.RequestTimeout} that it was given{voice.Why()}.", fault);

    private async Task TakeSlotAsync(string what, Limit limit, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        if (_slots.Wait(TimeSpan.Zero, CancellationToken.None)) return;
        var startedAt = time.GetTimestamp();
        using var late = new CancellationTokenSource(limit.Left, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancel);
        try
        {
            await _slots.WaitAsync(either.Token);
        }
        catch (OperationCanceledException fault) when (!cancel.IsCancellationRequested)
        {
            var waited = time.GetElapsedTime(startedAt).TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture);
            throw new LogUnavailableException(
                $"{what}: all {ReadersMax} clients that read were taken, or ending, for {waited} s, until the " +
                $"{options.RequestTimeout} of RequestTimeout were over{voice.Why()}.", fault);
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

        _ = EndAsync(reader);
    }

    private async Task EndAsync(Reader reader)
    {
        await ClientEnd.RunAsync(Task.CompletedTask, voice, reader);
        _slots.Release();
    }

    /// <summary>
    /// Asked one by one: the client's call for both forgets that one of the two failed when the answers come together, and a partition then
    /// looks empty.
    /// </summary>
    private (long Start, long End) Marks(IConsumer<byte[], byte[]> reader, Confluent.Kafka.TopicPartition partition, Limit limit) =>
        (Mark(reader, partition, Earliest, limit), Mark(reader, partition, Latest, limit));

    private long Mark(IConsumer<byte[], byte[]> reader, Confluent.Kafka.TopicPartition partition, Timestamp which, Limit limit)
    {
        var left = limit.Left;
        if (left == TimeSpan.Zero)
            throw new LogUnavailableException(
                $"Where {partition} begins and ends was not answered within {options.RequestTimeout}{voice.Why()}.");
        var offset = reader.OffsetsForTimes([new TopicPartitionTimestamp(partition, which)], left).Single().Offset;
        return !offset.IsSpecial
            ? offset.Value
            : throw new LogUnavailableException($"Where {partition} begins and ends is not known: {offset}.");
    }

    private List<LogRecord> Read(
        IConsumer<byte[], byte[]> reader, TopicPartition source, long from, int max, Limit limit, CancellationToken cancel)
    {
        var records = new List<LogRecord>();
        var partition = KafkaRecords.ToKafka(source);
        var (start, end) = Marks(reader, partition, limit);
        from = Math.Max(from, start);
        if (from >= end || max < 1) return records;
        reader.Assign(new TopicPartitionOffset(partition, from));
        try
        {
            // Ends at the end as it was: compaction may have left nothing before it, which only the end's own event tells.
            for (limit.Renew(); records.Count < max;)
            {
                cancel.ThrowIfCancellationRequested();
                var result = reader.Consume(Look);
                // A new leader may not know yet how far its predecessor came: that is not the end.
                if (result is { IsPartitionEOF: true } && result.Offset.Value >= end) break;
                if (result is { IsPartitionEOF: false })
                {
                    limit.Renew();
                    records.Add(KafkaRecords.FromResult(result));
                    if (result.Offset.Value + 1 >= end) break;
                }
                else if (limit.Left == TimeSpan.Zero)
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
            try
            {
                _admin?.Dispose();
            }
            finally
            {
                consumer.Dispose();
            }
        }
    }

    /// <summary>The time of one question, whatever it consists of; begins now. Any thread.</summary>
    private sealed class Limit(TimeProvider time, TimeSpan length)
    {
        private long _startedAt = time.GetTimestamp();

        /// <summary>Never below zero.</summary>
        public TimeSpan Left =>
            length - time.GetElapsedTime(Volatile.Read(ref _startedAt)) is var left && left > TimeSpan.Zero ? left : TimeSpan.Zero;

        /// <summary>It has got further: from now on as long again.</summary>
        public void Renew() => Volatile.Write(ref _startedAt, time.GetTimestamp());
    }
}
