using Belfry.Log;
using Microsoft.Extensions.Logging;

namespace Belfry.Alerting.Planning;

/// <summary>
/// The planning hop: assignments, contact rules and timers fired, co-partitioned by user, into notifications, timers and log entries.
/// </summary>
public static class PlanningHop
{
    private static readonly TimeSpan TurnInterval = TimeSpan.FromMilliseconds(10);

    /// <summary>The consumer group to run the owners in.</summary>
    public static ConsumerGroup Group(Topics topics) => new(
        topics.Prefix + "planning", [topics.PlanningAssignments.Name, topics.PlanningContactRules.Name, topics.PlanningFeedback.Name],
        CoPartitioned: true);

    /// <summary>Makes the owners.</summary>
    public static PartitionOwnerFactory Create(IPartitionedLog log, Topics topics, TimeProvider time, ILogger logger)
    {
        var group = Group(topics).Name;
        return (_, sources) => new BatchOwner(
            sources, new PlanningFold(group, sources, log, topics, time), new BatchOwnerOptions { TurnInterval = TurnInterval }, time,
            logger);
    }
}
