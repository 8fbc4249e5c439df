using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Belfry.Drill.Check;
using Belfry.Drill.Topology;
using Confluent.Kafka;

namespace Belfry.Drill.Reading;

/// <summary>Where the topics that a drill reads ended at a time.</summary>
internal sealed record TopicMarks(IReadOnlyList<TopicPartitionOffset> Ends);

/// <summary>What the topics hold since.</summary>
/// <param name="Log">Of <c>incident-log</c>.</param>
/// <param name="AtMs">When each entry was made, by its id.</param>
/// <param name="Notifications">Of <c>notifications</c>.</param>
/// <param name="DeadLetters">Of <c>notifications-dlq</c>.</param>
internal sealed record TopicContents(
    IReadOnlyList<LoggedEntry> Log, IReadOnlyDictionary<string, long> AtMs, IReadOnlyList<Notice> Notifications,
    IReadOnlyList<Notice> DeadLetters);

/// <summary>Reads topics as any other program could, with the client alone. Blocks its thread.</summary>
internal static class TopicReader
{
    private const string Log = Cluster.Prefix + "incident-log";
    private const string Notifications = Cluster.Prefix + "notifications";
    private const string DeadLetters = Cluster.Prefix + "notifications-dlq";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public static TopicMarks Marks(string bootstrap)
    {
        using var consumer = Open(bootstrap);
        return new TopicMarks([.. Ends(bootstrap, consumer)]);
    }

    /// <exception cref="TimeoutException">The brokers did not give all of it within 30 s.</exception>
    public static TopicContents Read(string bootstrap, TopicMarks from)
    {
        using var consumer = Open(bootstrap);
        var ends = Ends(bootstrap, consumer).ToDictionary(end => end.TopicPartition, end => end.Offset.Value);
        consumer.Assign(from.Ends);
        var left = from.Ends.Where(mark => mark.Offset.Value < ends[mark.TopicPartition]).Select(mark => mark.TopicPartition).ToHashSet();
        var (log, atMs) = (new List<LoggedEntry>(), new Dictionary<string, long>(StringComparer.Ordinal));
        var (notifications, dead) = (new List<Notice>(), new List<Notice>());
        for (var since = System.Diagnostics.Stopwatch.StartNew(); left.Count > 0;)
        {
            if (since.Elapsed > Patience)
                throw new TimeoutException($"Not read to their ends within {Patience}: {string.Join(", ", left)}.");
            if (consumer.Consume(TimeSpan.FromSeconds(1)) is not { } record) continue;
            if (record.Offset.Value + 1 >= ends[record.TopicPartition]) left.Remove(record.TopicPartition);
            using var value = JsonDocument.Parse(record.Message.Value);
            if (record.Topic == Log) Take(record, value.RootElement, log, atMs);
            else (record.Topic == Notifications ? notifications : dead).Add(NoticeOf(record, value.RootElement));
        }

        return new TopicContents(log, atMs, notifications, dead);
    }

    private static void Take(
        ConsumeResult<byte[], byte[]> record, JsonElement value, List<LoggedEntry> log, Dictionary<string, long> atMs)
    {
        var id = value.GetProperty("id").GetString()!;
        log.Add(new LoggedEntry(record.Partition.Value, record.Offset.Value, id, value.GetProperty("incident_id").GetString()!));
        atMs.TryAdd(id, value.GetProperty("at").GetDateTimeOffset().ToUnixTimeMilliseconds());
    }

    private static Notice NoticeOf(ConsumeResult<byte[], byte[]> record, JsonElement value)
    {
        string? Header(string name) =>
            record.Message.Headers.TryGetLastBytes(name, out var bytes) ? Encoding.UTF8.GetString(bytes) : null;
        string Text(string name) => value.GetProperty(name).GetString()!;
        return new Notice(
            Text("id"), Text("incident_id"), Text("user_id"), Text("channel"),
            Convert.ToHexStringLower(SHA256.HashData(record.Message.Value)), Header("reason"),
            int.TryParse(Header("attempts"), out var attempts) ? attempts : 0);
    }

    private static IConsumer<byte[], byte[]> Open(string bootstrap) => new ConsumerBuilder<byte[], byte[]>(new ConsumerConfig
    {
        BootstrapServers = bootstrap, GroupId = "drill-reader", EnableAutoCommit = false, AutoOffsetReset = AutoOffsetReset.Earliest,
        SocketTimeoutMs = 4_000,
    }).SetLogHandler((_, _) => { }).Build();

    private static IEnumerable<TopicPartitionOffset> Ends(string bootstrap, IConsumer<byte[], byte[]> consumer)
    {
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = bootstrap, SocketTimeoutMs = 4_000 })
            .SetLogHandler((_, _) => { }).Build();
        foreach (var topic in admin.GetMetadata(Patience).Topics.Where(topic => topic.Topic is Log or Notifications or DeadLetters))
            foreach (var partition in topic.Partitions)
            {
                var place = new TopicPartition(topic.Topic, partition.PartitionId);
                yield return new TopicPartitionOffset(place, consumer.QueryWatermarkOffsets(place, Patience).High);
            }
    }
}
