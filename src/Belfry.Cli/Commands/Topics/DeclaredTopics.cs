using Belfry.Alerting;
using Belfry.Cluster;
using Belfry.Kafka;
using Belfry.Log;
using Belfry.Postgres;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Cli.Commands;

/// <summary>The topics that instances would declare, each with what the brokers have.</summary>
internal static class DeclaredTopics
{
    /// <summary>What to say of a topic whose settings may not be read.</summary>
    public const string SettingsUnknown = "its settings could not be read: this user has no right to DescribeConfigs of the topic.";

    /// <summary>In the order of an event's way; null: it is not there yet.</summary>
    public static async Task<IReadOnlyList<(TopicDeclaration Declared, TopicState? Real)>> ReadAsync(
        ClusterOptions options, CancellationToken cancel)
    {
        await using var database = PostgresDatabase.Open(options.Postgres);
        var topics = new Topics(
            options.Topics.Prefix, options.Topics.Partitions, await new PostgresTaskTopics(database).ListAsync(cancel));
        using var brokers = KafkaInspector.Open(options.Kafka, NullLogger.Instance);
        var names = topics.All.Select(topic => topic.Name).ToList();
        var real = (await brokers.TopicsAsync(names, cancel)).ToDictionary(topic => topic.Name, StringComparer.Ordinal);
        return [.. topics.All.Select(topic => (topic, real.GetValueOrDefault(topic.Name)))];
    }
}
