using Belfry.Drill.Topology;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Npgsql;

namespace Belfry.Drill.Reading;

/// <summary>
/// What the pipeline has yet to do, asked of brokers and store: records that a group has not committed, messages in the outbox, parked
/// records. That nothing moves is not enough: an owner that has lost its partitions stands still, too. One caller at a time.
/// </summary>
internal sealed class WorkLeft : IDisposable
{
    private static readonly TimeSpan AnswerMax = TimeSpan.FromSeconds(4);

    private static readonly (string Group, string[] Topics)[] Reads =
    [
        ("incidents", ["incoming-events", "incident-commands"]),
        ("planning", ["planning-assignments", "planning-contact-rules", "planning-feedback"]),
        ("scheduler", ["scheduled-tasks"]),
        ("dispatch-webhook", ["notifications"]),
        ("dispatch-email", ["notifications"]),
        ("timeline", ["incident-log"]),
    ];

    private readonly string _store;
    private readonly IAdminClient _admin;
    private readonly CoordinatorClient _coordinators;

    public WorkLeft(Cluster cluster)
    {
        _store = cluster.Postgres.ConnectionString + ";Timeout=2;Command Timeout=4";
        _admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = cluster.Kafka.Bootstrap, SocketTimeoutMs = 4_000 })
            .SetLogHandler((_, _) => { }).Build();
        _coordinators = new CoordinatorClient(cluster.Kafka.Bootstrap, AnswerMax);
    }

    /// <returns>A line each of what is left, with how much; empty: nothing. One line of why when brokers or store gave no answer.</returns>
    public async Task<IReadOnlyList<string>> AskAsync(CancellationToken cancel)
    {
        try
        {
            // Committed before ends: in the other order a group that keeps up would look as if it were ahead.
            var committed = new Dictionary<(string Group, TopicPartition Place), long>();
            foreach (var (group, _) in Reads)
                foreach (var place in await CommittedAsync(group, cancel))
                    committed[(group, place.TopicPartition)] = place.Offset.Value;
            var ends = await EndsAsync(cancel);
            return [.. RecordsLeft(committed, ends), .. await RowsAsync(cancel)];
        }
        catch (Exception fault) when (fault is KafkaException or NpgsqlException or InvalidOperationException or TimeoutException)
        {
            return [$"what is left is not known: {fault.Message}"];
        }
    }

    public void Dispose()
    {
        _admin.Dispose();
        _coordinators.Dispose();
    }

    /// <summary>
    /// A line for each partition that a group reads and has not committed to its end; what it never committed it has yet to do.
    /// </summary>
    internal static IEnumerable<string> RecordsLeft(
        IReadOnlyDictionary<(string Group, TopicPartition Place), long> committed, IReadOnlyDictionary<TopicPartition, long> ends)
    {
        foreach (var (group, topics) in Reads)
            foreach (var (place, end) in ends.Where(end => topics.Contains(end.Key.Topic[Cluster.Prefix.Length..])))
                if (end - committed.GetValueOrDefault((group, place)) is > 0 and var count)
                    yield return $"group {group} has {count} records of {place.Topic}/{place.Partition.Value} to do";
    }

    private async Task<IEnumerable<TopicPartitionOffset>> CommittedAsync(string group, CancellationToken cancel)
    {
        var options = new ListConsumerGroupOffsetsOptions
        {
            RequestTimeout = CoordinatorClient.NoLimitOfTheClient, RequireStableOffsets = false,
        };
        var answer = await _coordinators.AskAsync(
            admin => admin.ListConsumerGroupOffsetsAsync([new ConsumerGroupTopicPartitions(Cluster.Prefix + group, null)], options),
            cancel);
        return answer.Single().Partitions.Where(place => !place.Offset.IsSpecial).Select(place => place.TopicPartitionOffset);
    }

    private async Task<Dictionary<TopicPartition, long>> EndsAsync(CancellationToken cancel)
    {
        var read = Reads.SelectMany(one => one.Topics).Select(topic => Cluster.Prefix + topic).ToHashSet(StringComparer.Ordinal);
        var metadata = await Task.Run(() => _admin.GetMetadata(AnswerMax), cancel);
        var ends = await _admin.ListOffsetsAsync(
            metadata.Topics.Where(topic => read.Contains(topic.Topic)).SelectMany(topic => topic.Partitions.Select(
                partition => new TopicPartitionOffsetSpec
                {
                    TopicPartition = new TopicPartition(topic.Topic, partition.PartitionId), OffsetSpec = OffsetSpec.Latest(),
                })),
            new ListOffsetsOptions { RequestTimeout = AnswerMax }).WaitAsync(cancel);
        return ends.ResultInfos.ToDictionary(
            info => info.TopicPartitionOffsetError.TopicPartition, info => info.TopicPartitionOffsetError.Offset.Value);
    }

    private async Task<IReadOnlyList<string>> RowsAsync(CancellationToken cancel)
    {
        const string Sql = """
            select (select count(*) from belfry.outbox_message), (select count(*) from belfry.parked_record)
            """;
        await using var connection = new NpgsqlConnection(_store);
        await connection.OpenAsync(cancel);
        await using var command = new NpgsqlCommand(Sql, connection);
        await using var rows = await command.ExecuteReaderAsync(cancel);
        await rows.ReadAsync(cancel);
        (string What, long Count)[] counts = [("messages wait in the outbox", rows.GetInt64(0)), ("records are parked", rows.GetInt64(1))];
        return [.. counts.Where(count => count.Count > 0).Select(count => $"{count.Count} {count.What}")];
    }
}
