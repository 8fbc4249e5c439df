using System.Buffers;
using Belfry.Log;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Partitioner = Belfry.Log.Partitioner;
using TopicPartition = Belfry.Log.TopicPartition;

namespace Belfry.Kafka;

/// <summary>
/// The log on Apache Kafka. Appends are idempotent and acknowledged by all replicas in step; the partition is always chosen here
/// (<see cref="Partitioner"/>). One a process is enough: its producer is shared anyway.
/// </summary>
public sealed class KafkaLog : IPartitionedLog, IAsyncDisposable
{
    private const int TopicCharsMax = 249;

    private static readonly SearchValues<char> TopicChars =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    private readonly KafkaLogOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ClientVoice _voice;
    private readonly ProducerRegistry _registry;
    private readonly SharedProducer _producer;
    private readonly KafkaReaders _readers;
    private readonly GroupInstances _instances;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, TopicDeclaration> _topics = new(StringComparer.Ordinal);
    private bool _closed;

    private KafkaLog(KafkaLogOptions options, TimeProvider time, ILogger logger, ProducerRegistry registry)
    {
        (_options, _time, _logger, _registry) = (options, time, logger, registry);
        _instances = new GroupInstances(options.GroupInstanceId);
        _voice = new ClientVoice(logger, time, options.Security.Tls, options.Security.Login != KafkaLogin.None);
        _readers = new KafkaReaders(options, time, _voice, () => KafkaReaders.Build(options, _voice));
        try
        {
            // Made for its refusals alone, so that they come before anything is asked of it.
            NewAdmin().Dispose();
        }
        catch (LogUnavailableException fault)
        {
            throw new ArgumentException($"KafkaLogOptions: {fault.Message}", fault);
        }

        _producer = registry.Rent(KafkaConfig.Producer(options), options.CloseTimeout, time, logger);
    }

    internal KafkaLogOptions Options => _options;
    internal TimeProvider Time => _time;
    internal ILogger Logger => _logger;
    internal ClientVoice Voice => _voice;
    internal GroupInstances Instances => _instances;
    internal SharedProducer Producer => _producer;

    internal IReadOnlyList<string> Declared
    {
        get
        {
            lock (_lock) return [.. _topics.Keys];
        }
    }

    /// <summary>Opens a log; no broker need answer yet.</summary>
    /// <exception cref="ArgumentException">Options are faulty; names all faults.</exception>
    /// <exception cref="InvalidOperationException">The native client is missing or too old.</exception>
    public static KafkaLog Open(KafkaLogOptions options, TimeProvider time, ILogger logger) =>
        Open(options, time, logger, ProducerRegistry.Shared);

    internal static KafkaLog Open(KafkaLogOptions options, TimeProvider time, ILogger logger, ProducerRegistry registry)
    {
        options.Validate();
        Librdkafka.Check();
        return new KafkaLog(options, time, logger, registry);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A name or a count is out of range.</exception>
    public async ValueTask DeclareAsync(IReadOnlyList<TopicDeclaration> topics, CancellationToken cancel)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        foreach (var topic in topics) Check(topic);
        if (topics.Count == 0) return;
        await DeclareOnBrokersAsync(topics, cancel).WaitAsync(cancel);
        await _producer.WarmUpAsync(topics.Select(topic => topic.Name), _options.RequestTimeout, cancel);
        lock (_lock)
            foreach (var topic in topics) _topics[topic.Name] = topic;
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A record is larger than <see cref="KafkaLogOptions.RecordBytesMax"/>.</exception>
    public async ValueTask AppendAsync(IReadOnlyList<OutgoingRecord> records, CancellationToken cancel)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        if (records.Count == 0) return;
        await _producer.AppendAsync(Route(records), cancel);
    }

    public ILogConsumer OpenConsumer(ConsumerGroup group)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        var counts = group.Topics.Select(topic => Topic(topic).Partitions).ToList();
        if (group.CoPartitioned && counts.Distinct().Count() > 1)
            throw new ArgumentException(
                $"Group '{group.Name}' is co-partitioned, but its topics have {string.Join(", ", counts)} partitions.");
        return new KafkaLogConsumer(this, group);
    }

    public async ValueTask<IReadOnlyList<LogRecord>> ReadAsync(TopicPartition source, long fromOffset, int max, CancellationToken cancel)
    {
        Check(source);
        return await _readers.ReadAsync(source, Math.Max(0, fromOffset), max, cancel);
    }

    public async ValueTask<(long Start, long End)> OffsetsAsync(TopicPartition source, CancellationToken cancel)
    {
        Check(source);
        return await _readers.OffsetsAsync(source, cancel);
    }

    public async ValueTask<long?> CommittedAsync(string group, TopicPartition source, CancellationToken cancel)
    {
        Check(source);
        return await _readers.CommittedAsync(group, source, cancel);
    }

    /// <summary>Closes what it opened; consumers are their users' to dispose of first.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_closed) return;
        _closed = true;
        await _registry.ReturnAsync(_producer);
        try
        {
            await ClientEnd.RunAsync(Task.CompletedTask, _voice, _readers).WaitAsync(_options.CloseTimeout, _time);
        }
        catch (TimeoutException)
        {
            // Nobody reads with them any more: they hold up nothing but themselves.
            _voice.EndsLate(_options.CloseTimeout);
        }
    }

    /// <summary>
    /// By a client of this call alone: one whose brokers had all died was seen to let later requests time out for minutes after they were
    /// back. It is freed once its last request has ended, however early the caller left.
    /// </summary>
    private async Task DeclareOnBrokersAsync(IReadOnlyList<TopicDeclaration> topics, CancellationToken cancel)
    {
        using var admin = NewAdmin();
        await new KafkaTopics(admin, _options, _time, _logger, _voice).DeclareAsync(topics, cancel);
    }

    private IAdminClient NewAdmin() => KafkaFaults.Make(() => new AdminClientBuilder(KafkaConfig.Admin(_options))
        .SetErrorHandler(static (_, _) => { }).SetLogHandler((_, message) => _voice.Hear(message)).Build());

    private static void Check(TopicDeclaration topic)
    {
        if (topic.Name.Length is 0 or > TopicCharsMax || topic.Name.AsSpan().ContainsAnyExcept(TopicChars))
            throw new ArgumentException($"Topic name '{topic.Name}' is not 1 to {TopicCharsMax} of a-z, A-Z, 0-9, '.', '_' and '-'.");
        if (topic.Partitions < 1)
            throw new ArgumentException($"Topic '{topic.Name}' declares {topic.Partitions} partitions; at least 1 is needed.");
    }

    private void Check(TopicPartition source)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        var count = Topic(source.Topic).Partitions;
        if ((uint)source.Partition >= (uint)count)
            throw new ArgumentOutOfRangeException(
                nameof(source), $"Topic '{source.Topic}' has {count} partitions, so there is no {source}.");
    }

    private (Confluent.Kafka.TopicPartition, Message<byte[], byte[]>)[] Route(IReadOnlyList<OutgoingRecord> records)
    {
        var routed = new (Confluent.Kafka.TopicPartition, Message<byte[], byte[]>)[records.Count];
        TopicDeclaration? topic = null;
        Confluent.Kafka.TopicPartition?[] targets = [];
        for (var at = 0; at < routed.Length; at++)
        {
            var record = records[at];
            if (topic?.Name != record.Topic)
            {
                topic = Topic(record.Topic);
                targets = new Confluent.Kafka.TopicPartition?[topic.Partitions];
            }

            var partition = Partitioner.PartitionOf(record.OrderingKey, topic.Partitions);
            routed[at] = (targets[partition] ??= new Confluent.Kafka.TopicPartition(topic.Name, partition),
                KafkaRecords.ToMessage(record, topic.CleanUp == CleanUp.Compact));
        }

        return routed;
    }

    private TopicDeclaration Topic(string name)
    {
        lock (_lock)
            return _topics.GetValueOrDefault(name)
                ?? throw new InvalidOperationException($"Topic '{name}' is not declared; pass it to {nameof(DeclareAsync)} first.");
    }
}
