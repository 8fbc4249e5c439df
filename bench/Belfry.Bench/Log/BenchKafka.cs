using Belfry.Kafka;
using Belfry.Kafka.Tests;
using Belfry.Log;
using Belfry.Sqlite;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Microsoft.Extensions.Logging.Abstractions;
using Partitioner = Belfry.Log.Partitioner;

namespace Belfry.Bench.Log;

/// <summary>
/// The broker that BELFRY_TEST_KAFKA names, else one of this process's own on its default settings; a topic, and a log over it. Plain
/// clients get the client's own defaults but for what is said.
/// </summary>
internal sealed class BenchKafka : IAsyncDisposable
{
    private static readonly Lazy<string> Broker = new(() => KafkaProcess.External
        ?? (KafkaProcess.WhyNone() is { } reason
            ? throw new InvalidOperationException(reason)
            : KafkaProcess.Start([], compiledTwice: true)));

    private readonly string _folder = Directory.CreateTempSubdirectory("belfry-bench-").FullName;
    private readonly SqliteFile _file;
    private int _groups;

    private BenchKafka(string bootstrap, TopicDeclaration topic, KafkaLogOptions options)
    {
        (Bootstrap, Topic) = (bootstrap, topic);
        Log = KafkaLog.Open(options, TimeProvider.System, NullLogger.Instance);
        _file = SqliteFile.Open(Path.Combine(_folder, "parked.db"));
    }

    public string Bootstrap { get; }
    public TopicDeclaration Topic { get; }
    public KafkaLog Log { get; }
    public SqliteParkedRecordStore Parked { get; private set; } = null!;

    /// <summary>Stores of the process, in one durable file.</summary>
    public SqliteFile File => _file;

    public static async Task<BenchKafka> OpenAsync(
        string what, int partitions, CancellationToken cancel, Func<KafkaLogOptions, KafkaLogOptions>? with = null)
    {
        var topic = new TopicDeclaration($"bench-{what}-{Guid.NewGuid():n}", partitions, CleanUp.Time, TimeSpan.FromHours(1));
        var options = new KafkaLogOptions { BootstrapServers = Broker.Value, ReplicationFactor = 0, MinInSyncReplicas = 0 };
        var kafka = new BenchKafka(Broker.Value, topic, with?.Invoke(options) ?? options);
        await kafka.Log.DeclareAsync([topic], cancel);
        kafka.Parked = await SqliteParkedRecordStore.OpenAsync(kafka._file, cancel);
        return kafka;
    }

    public string NewGroup() => $"{Topic.Name}-{Interlocked.Increment(ref _groups)}";

    /// <summary>A member that runs the handler in lanes of the record's key. Nothing is dead-lettered unless a writer is given.</summary>
    public ConsumerRunner Lanes(
        string group, Func<int, RecordHandler> handlerOf, LaneOptions? lanes = null, ConsumerOptions? consumer = null,
        DeadLetterWriter? deadLetters = null) => new(
        Log, new ConsumerGroup(group, [Topic.Name]),
        (partition, sources) => new LaneOwner(
            group, sources[0], handlerOf(partition), record => record.Key, deadLetters ?? NoDeadLetters, Parked, lanes ?? new LaneOptions(),
            new Random(partition), TimeProvider.System, NullLogger.Instance),
        consumer ?? new ConsumerOptions(), TimeProvider.System, NullLogger.Instance);

    /// <summary>What plain users set: committed in the background, from the start of the topic.</summary>
    public ConsumerConfig Plain(string group) =>
        new() { BootstrapServers = Bootstrap, GroupId = group, AutoOffsetReset = AutoOffsetReset.Earliest };

    /// <summary>Appends through a plain producer; record n has key n % <paramref name="keys"/> and a value of that many bytes.</summary>
    /// <returns>How many records each partition holds.</returns>
    public int[] Fill(int records, int keys, int valueBytes)
    {
        var counts = new int[Topic.Partitions];
        using var producer = new BareProducer(Bootstrap);
        var payloads = Payloads.Of(keys, valueBytes);
        for (var n = 0; n < records; n++)
        {
            var payload = payloads[n % keys];
            var partition = Partitioner.PartitionOf(payload.Key, Topic.Partitions);
            producer.Produce(Topic.Name, partition, payload.KeyBytes, payload.Value);
            counts[partition]++;
        }

        producer.AwaitAll();
        return counts;
    }

    /// <summary>Appends one record through a plain producer, and returns once it is acknowledged.</summary>
    public void Append(string key, byte[] value)
    {
        using var producer = new BareProducer(Bootstrap);
        producer.Produce(Topic.Name, Partitioner.PartitionOf(key, Topic.Partitions), System.Text.Encoding.UTF8.GetBytes(key), value);
        producer.AwaitAll();
    }

    /// <summary>Records of the topic that the group has not committed.</summary>
    public async Task<long> LagAsync(string group, CancellationToken cancel)
    {
        var lag = 0L;
        for (var partition = 0; partition < Topic.Partitions; partition++)
        {
            var source = new Belfry.Log.TopicPartition(Topic.Name, partition);
            lag += (await Log.OffsetsAsync(source, cancel)).End - (await Log.CommittedAsync(group, source, cancel) ?? 0);
        }

        return lag;
    }

    public async ValueTask DisposeAsync()
    {
        using (var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Bootstrap }).Build())
            await admin.DeleteTopicsAsync([Topic.Name]);
        await Log.DisposeAsync();
        await _file.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private static ValueTask NoDeadLetters(LogRecord record, string reason, int attempts, CancellationToken cancel) =>
        throw new InvalidOperationException($"{record} was not to be dead-lettered: {reason}");
}

/// <summary>A key and a value of bytes that do not compress.</summary>
internal sealed record Payload(string Key, byte[] KeyBytes, byte[] Value);

internal static class Payloads
{
    public static Payload[] Of(int keys, int valueBytes)
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, keys).Select(n =>
        {
            var value = new byte[valueBytes];
            random.NextBytes(value);
            return new Payload($"key-{n}", System.Text.Encoding.UTF8.GetBytes($"key-{n}"), value);
        })];
    }
}
