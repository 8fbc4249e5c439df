using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace Belfry.Drill.Topology;

/// <summary>Asks the brokers who is in the groups of the pipeline.</summary>
internal static class GroupMembers
{
    private static readonly string[] Groups =
        [Cluster.Prefix + "incidents", Cluster.Prefix + "scheduler", Cluster.Prefix + "dispatch-webhook"];

    /// <summary>The instance owns partitions in every one of them.</summary>
    /// <param name="cluster">Whose brokers.</param>
    /// <param name="client">The instance's client id.</param>
    public static async Task<bool> HasAllAsync(Cluster cluster, string client)
    {
        using var coordinators = new CoordinatorClient(cluster.Kafka.Bootstrap, TimeSpan.FromSeconds(5));
        try
        {
            var groups = await coordinators.AskAsync(
                admin => admin.DescribeConsumerGroupsAsync(
                    Groups, new DescribeConsumerGroupsOptions { RequestTimeout = CoordinatorClient.NoLimitOfTheClient }),
                CancellationToken.None);
            return groups.ConsumerGroupDescriptions.All(group => group.State == ConsumerGroupState.Stable && group.Members.Any(
                member => member.ClientId == client && member.Assignment.TopicPartitions.Count > 0));
        }
        catch (Exception fault) when (fault is KafkaException or TimeoutException)
        {
            return false;
        }
    }
}
