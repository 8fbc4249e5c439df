using Belfry.Log;

namespace Belfry.Kafka;

/// <summary>
/// Counts producers by DescribeProducers (API key 61, version 0), which the client has no call for. Source: Apache Kafka,
/// DescribeProducersRequest.json and DescribeProducersResponse.json.
/// </summary>
internal sealed class ProducerCensus
{
    internal const short ApiKey = 61;

    /// <summary>Larger answers are reckoned by their size: at most 16 MiB are read, which hold some 400,000 entries.</summary>
    internal const int AnswerBytesMax = 16 << 20;

    /// <summary>An entry of the answer: id, epoch, sequence, time, coordinator's epoch, transaction's start, no tags.</summary>
    private const int EntryBytes = 8 + 4 + 4 + 8 + 4 + 8 + 1;

    private readonly HashSet<long> _ids = [];
    private long _entries;
    private long _reckoned;

    public ProducerCount Count => new(_ids.Count + _reckoned, _entries + _reckoned, _reckoned == 0);

    /// <summary>Adds what one leader knows of its partitions.</summary>
    /// <exception cref="LogUnavailableException">Not answered within the request timeout, or refused.</exception>
    public async Task AskAsync(
        KafkaLogOptions options, string host, int port, IReadOnlyList<TopicPartition> partitions, CancellationToken cancel)
    {
        await using var connection = await BrokerConnection.OpenAsync(options, host, port, cancel);
        await connection.AskAsync(
            ApiKey, version: 0, Request(partitions), AnswerBytesMax, (answer, bytes) => Add(answer, bytes, $"{host}:{port}"), cancel);
    }

    private bool Add(byte[]? answer, int bytes, string broker)
    {
        if (answer is null) _reckoned += bytes / EntryBytes;
        else Read(new WireReader(answer), broker);
        return true;
    }

    internal static byte[] Request(IReadOnlyList<TopicPartition> partitions)
    {
        var wire = new WireWriter();
        var topics = partitions.GroupBy(p => p.Topic, StringComparer.Ordinal).ToList();
        wire.CompactCount(topics.Count);
        foreach (var topic in topics)
        {
            wire.CompactText(topic.Key);
            wire.CompactCount(topic.Count());
            foreach (var partition in topic) wire.Int32(partition.Partition);
            wire.NoTags();
        }

        wire.NoTags();
        return wire.ToArray();
    }

    /// <summary>Takes a whole answer in, without its header.</summary>
    internal void Read(WireReader wire, string broker)
    {
        wire.Int32();
        for (var topics = wire.CompactCount(); topics > 0; topics--)
        {
            var topic = wire.CompactText();
            for (var partitions = wire.CompactCount(); partitions > 0; partitions--) ReadPartition(wire, topic, broker);
            wire.SkipTags();
        }

        wire.SkipTags();
    }

    private void ReadPartition(WireReader wire, string? topic, string broker)
    {
        var partition = wire.Int32();
        var error = wire.Int16();
        var reason = wire.CompactText();
        // 6: the leader has moved since it was asked for; it is counted next time.
        if (error is not (0 or 6))
            throw new LogUnavailableException(
                $"Broker {broker} does not tell the producers of {topic}/{partition}: {reason ?? "error"} ({error}).");
        for (var producers = wire.CompactCount(); producers > 0; producers--)
        {
            _ids.Add(wire.Int64());
            _entries++;
            wire.Skip(EntryBytes - 8 - 1);
            wire.SkipTags();
        }

        wire.SkipTags();
    }
}
