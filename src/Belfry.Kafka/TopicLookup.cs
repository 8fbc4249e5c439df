using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace Belfry.Kafka;

/// <summary>A topic as the brokers describe it.</summary>
/// <param name="Name">With its prefix.</param>
/// <param name="Partitions">All of them.</param>
internal sealed record KnownTopic(string Name, IReadOnlyList<KnownPartition> Partitions)
{
    /// <summary>Every partition is led.</summary>
    public bool IsLed => Partitions.All(partition => partition.Leader is not null);
}

/// <summary>A partition as the brokers describe it.</summary>
/// <param name="Number">Within its topic.</param>
/// <param name="Replicas">How many there shall be.</param>
/// <param name="Leader">Where it is led; null while nobody leads it.</param>
internal sealed record KnownPartition(int Number, int Replicas, (string Host, int Port)? Leader);

/// <summary>
/// Looks topics up by the client's metadata, and asks by name for those alone which that does not tell of: they are not there, or may not
/// be described. All by name would be one call, but where no replica of a partition is in step, which brokers since Kafka 4.1 tell while
/// all of them are down, Confluent.Kafka 2.15.1 never answers it, and ends the process with the next question or its own end
/// (<c>AdminClient.extractNodeList</c> copies from null).
/// </summary>
internal static class TopicLookup
{
    /// <summary>Those of these names that are there.</summary>
    /// <param name="names">With their prefix.</param>
    /// <param name="metadata">Of all topics.</param>
    /// <param name="describe">Asks by name.</param>
    /// <param name="voice">Of the client.</param>
    /// <exception cref="Belfry.Log.LogUnavailableException">A topic may not be described.</exception>
    public static async Task<IReadOnlyList<KnownTopic>> FindAsync(
        IReadOnlyCollection<string> names, Metadata metadata, Func<TopicCollection, Task<DescribeTopicsResult>> describe, ClientVoice voice)
    {
        var found = Known(metadata).Where(topic => names.Contains(topic.Name)).ToList();
        var rest = names.Except(found.Select(topic => topic.Name), StringComparer.Ordinal).ToList();
        if (rest.Count == 0) return found;
        List<TopicDescription> described;
        try
        {
            described = (await describe(TopicCollection.OfTopicNames(rest))).TopicDescriptions;
        }
        catch (DescribeTopicsException fault)
        {
            described = fault.Results.TopicDescriptions;
        }

        if (described.Find(topic => topic.Error.IsError && !KafkaFaults.IsAway(topic.Error)) is { } refused)
            throw KafkaFaults.Unavailable($"Asking for topic '{refused.Name}' failed", refused.Error, voice);
        // Made in between.
        return [.. found, .. described.Where(topic => !topic.Error.IsError).Select(Known)];
    }

    private static IEnumerable<KnownTopic> Known(Metadata metadata)
    {
        var brokers = metadata.Brokers.ToDictionary(broker => broker.BrokerId, broker => (broker.Host, broker.Port));
        return metadata.Topics.Where(topic => !topic.Error.IsError).Select(topic => new KnownTopic(topic.Topic,
        [
            .. topic.Partitions.Select(partition => new KnownPartition(
                partition.PartitionId, partition.Replicas.Length,
                brokers.TryGetValue(partition.Leader, out var leader) ? leader : null)),
        ]));
    }

    private static KnownTopic Known(TopicDescription topic) => new(topic.Name,
    [
        .. topic.Partitions.Select(partition => new KnownPartition(
            partition.Partition, partition.Replicas.Count,
            partition.Leader is { Id: >= 0 } leader ? (leader.Host, leader.Port) : null)),
    ]);
}
