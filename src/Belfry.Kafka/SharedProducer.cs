using Belfry.Log;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using TopicPartition = Confluent.Kafka.TopicPartition;

namespace Belfry.Kafka;

/// <summary>
/// The one producer of a configuration, made when first needed and made anew after a fatal error, once the old one is closed. Any thread.
/// </summary>
internal sealed partial class SharedProducer(
    ProducerRegistry registry, ProducerConfig config, string key, TimeSpan closeTimeout, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(100);
    private readonly ClientVoice _voice = new(
        logger, time, config.SecurityProtocol is SecurityProtocol.Ssl or SecurityProtocol.SaslSsl, config.SaslMechanism is not null);
    private readonly Lock _lock = new();

    // Under the lock.
    private Generation? _current;
    private Task _closing = Task.CompletedTask;
    private bool _closed;

    public string Key => key;

    /// <summary>Logs that use it; under the registry's lock.</summary>
    public int Users { get; set; }

    /// <summary>The live one, if any.</summary>
    internal Generation? Current
    {
        get
        {
            lock (_lock) return _current;
        }
    }

    /// <summary>Hands all records over in order, and completes once each is acknowledged.</summary>
    /// <exception cref="LogUnavailableException">At least one was not acknowledged.</exception>
    /// <exception cref="ArgumentException">A record is too large.</exception>
    public async Task AppendAsync(IReadOnlyList<(TopicPartition Target, Message<byte[], byte[]> Message)> records, CancellationToken cancel)
    {
        var generation = await CurrentAsync(cancel);
        var call = new AppendCall(generation, records.Count, _voice);
        generation.Begin(call);
        try
        {
            foreach (var (target, message) in records) await ProduceAsync(generation, call, target, message, cancel);
            await call.Ended.WaitAsync(cancel);
        }
        finally
        {
            generation.End(call);
        }
    }

    /// <summary>Asks for the topics' leaders ahead of the first append, which would wait for them up to a second.</summary>
    public async Task WarmUpAsync(IEnumerable<string> topics, TimeSpan timeout, CancellationToken cancel)
    {
        var generation = await CurrentAsync(cancel);
        var call = new AppendCall(generation, 1, _voice);
        generation.Begin(call);
        try
        {
            // The client's call blocks.
            await Task.Run(() =>
            {
                using var admin = new DependentAdminClientBuilder(generation.Producer.Handle).Build();
                foreach (var topic in topics) admin.GetMetadata(topic, timeout);
            }, cancel);
        }
        catch (KafkaException fault)
        {
            throw KafkaFaults.Unavailable("The topics' leaders could not be asked for", fault, _voice);
        }
        finally
        {
            generation.End(call);
        }
    }

    /// <summary>Sends what is waiting, within the close timeout.</summary>
    public async Task CloseAsync()
    {
        Task closing;
        lock (_lock)
        {
            _closed = true;
            if (_current is { } last) Retire_NeedsLock(last, "the log was closed");
            closing = _closing;
        }

        await closing;
    }

    private async Task ProduceAsync(
        Generation generation, AppendCall call, TopicPartition target, Message<byte[], byte[]> message, CancellationToken cancel)
    {
        while (true)
        {
            try
            {
                generation.Producer.Produce(target, message, call.Reported);
                return;
            }
            catch (ProduceException<byte[], byte[]> fault) when (fault.Error.Code == ErrorCode.Local_QueueFull)
            {
                // Back-pressure, not a failure. Deliveries make room; the time bounds a signal that came before it was waited for.
                var look = Task.Delay(LookAgain, time, cancel);
                await Task.WhenAny(generation.RoomAsync(), look);
                cancel.ThrowIfCancellationRequested();
                if (generation.Fault is { } why) throw new LogUnavailableException($"The producer ended: {why}");
            }
            catch (ProduceException<byte[], byte[]> fault) when (fault.Error.Code == ErrorCode.MsgSizeTooLarge)
            {
                throw new ArgumentException(
                    $"A record for '{target.Topic}' of {message.Value?.Length ?? 0} bytes, key and headers apart, is above " +
                    $"RecordBytesMax ({config.MessageMaxBytes}); raise it, here and on the topic (max.message.bytes).", fault);
            }
            catch (ProduceException<byte[], byte[]> fault)
            {
                if (fault.Error.IsFatal || fault.Error.Code == ErrorCode.Local_Fatal) Failed(generation, fault.Error);
                throw KafkaFaults.Unavailable($"Appending to {target.Topic}/{target.Partition.Value} failed", fault, _voice);
            }
            catch (ObjectDisposedException fault)
            {
                throw new LogUnavailableException("The producer was closed meanwhile.", fault);
            }
        }
    }

    /// <summary>The live one; waits for one that failed to be closed first, so that there is never a second.</summary>
    private async Task<Generation> CurrentAsync(CancellationToken cancel)
    {
        while (true)
        {
            Task closing;
            lock (_lock)
            {
                ObjectDisposedException.ThrowIf(_closed, this);
                if (_current is not null) return _current;
                closing = _closing;
                if (closing.IsCompleted) return _current = Build_NeedsLock();
            }

            try
            {
                await closing.WaitAsync(closeTimeout, time, cancel);
            }
            catch (TimeoutException fault)
            {
                throw new LogUnavailableException($"The producer that failed is not closed after {closeTimeout}.", fault);
            }
        }
    }

    private Generation Build_NeedsLock()
    {
        var made = new Generation();
        made.Producer = registry.Build(config, error => Failed(made, error), _voice.Hear);
        return made;
    }

    /// <summary>On the client's own thread, which must not close the client: others do.</summary>
    private void Failed(Generation generation, Error error)
    {
        if (!error.IsFatal && error.Code != ErrorCode.Local_Fatal) return;
        lock (_lock)
        {
            if (_current != generation) return;
            ProducerFailed(error.Reason, error.Code);
            Retire_NeedsLock(generation, error.Reason);
        }
    }

    private void Retire_NeedsLock(Generation generation, string why)
    {
        _current = null;
        var flush = _closed;
        _closing = Task.Run(() => CloseAsync(generation, why, flush));
    }

    private async Task CloseAsync(Generation generation, string why, bool flush)
    {
        try
        {
            // What waits in a failed producer is not sent any more: nobody need wait for it.
            if (flush) generation.Producer.Flush(closeTimeout);
            // The native client must not be freed under a call that uses it.
            await generation.FailAllAsync(why);
            generation.Producer.Dispose();
        }
        catch (KafkaException fault)
        {
            CloseFailed(fault);
        }
        finally
        {
            registry.Ended();
        }
    }

    /// <summary>One native producer and the appends that it has not answered.</summary>
    internal sealed class Generation
    {
        private readonly Lock _lock = new();
        private readonly HashSet<AppendCall> _calls = [];
        private readonly TaskCompletionSource _unused = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private volatile TaskCompletionSource? _room;
        private volatile string? _fault;

        public IProducer<byte[], byte[]> Producer { get; set; } = null!;

        /// <summary>Why it has ended, or null.</summary>
        public string? Fault => _fault;

        public void Begin(AppendCall call)
        {
            lock (_lock)
            {
                if (_fault is { } why) throw new LogUnavailableException($"The producer ended: {why}");
                _calls.Add(call);
            }
        }

        public void End(AppendCall call)
        {
            lock (_lock)
            {
                _calls.Remove(call);
                if (_fault is not null && _calls.Count == 0) _unused.TrySetResult();
            }
        }

        /// <summary>Fails what is not answered, and completes once nobody uses the producer any more.</summary>
        public Task FailAllAsync(string why)
        {
            AppendCall[] calls;
            lock (_lock)
            {
                _fault = why;
                calls = [.. _calls];
                if (calls.Length == 0) _unused.TrySetResult();
            }

            foreach (var call in calls) call.Fail(new LogUnavailableException($"The producer ended: {why}"));
            return _unused.Task;
        }

        /// <summary>Completes with the next delivery.</summary>
        public Task RoomAsync()
        {
            lock (_lock) return (_room ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }

        public void Delivered()
        {
            if (_room is null) return;
            lock (_lock)
            {
                _room?.TrySetResult();
                _room = null;
            }
        }
    }

    [LoggerMessage(1301, LogLevel.Error, "The Kafka producer failed for good and is made anew: {Reason} ({Code})")]
    private partial void ProducerFailed(string reason, ErrorCode code);

    [LoggerMessage(1302, LogLevel.Warning, "A Kafka producer could not be closed in order")]
    private partial void CloseFailed(Exception fault);
}

/// <summary>One append, waiting for its records' reports.</summary>
internal sealed class AppendCall
{
    private readonly SharedProducer.Generation _generation;
    private readonly ClientVoice _voice;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Error? _error;
    private string _where = "";
    private int _waiting;

    public AppendCall(SharedProducer.Generation generation, int records, ClientVoice voice)
    {
        (_generation, _voice) = (generation, voice);
        _waiting = records;
        Reported = OnReported;
    }

    /// <summary>One handler for all of its records.</summary>
    public Action<DeliveryReport<byte[], byte[]>> Reported { get; }

    public Task Ended => _ended.Task;

    public void Fail(LogUnavailableException fault) => _ended.TrySetException(fault);

    /// <summary>On the client's thread. Only the last report ends the call, so that a repetition overtakes nothing of this one.</summary>
    private void OnReported(DeliveryReport<byte[], byte[]> report)
    {
        _generation.Delivered();
        if (report.Error.IsError && _error is null)
        {
            _error = report.Error;
            _where = $"{report.Topic}/{report.Partition.Value}";
        }

        if (Interlocked.Decrement(ref _waiting) > 0) return;
        if (_error is null) _ended.TrySetResult();
        else _ended.TrySetException(KafkaFaults.Unavailable($"Appending to {_where} failed", _error, _voice));
    }
}
