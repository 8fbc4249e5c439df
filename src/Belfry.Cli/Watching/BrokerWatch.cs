using Belfry.Alerting;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.Planning;
using Belfry.Alerting.Timeline;
using Belfry.Kafka;
using Belfry.Log;
using Belfry.Scheduling;

namespace Belfry.Cli.Watching;

/// <summary>Takes snapshots of the brokers: Belfry's topics, and every group that reads them or should.</summary>
internal sealed class BrokerWatch(KafkaInspector brokers, Topics topics, TimeProvider time)
{
    /// <summary>Groups that are there as soon as any instance ran, and what they read.</summary>
    private readonly ConsumerGroup[] _known =
    [
        IncidentHop.Group(topics), PlanningHop.Group(topics), TimelineHop.Group(topics),
    ];

    /// <exception cref="LogUnavailableException">Groups or offsets could not be read.</exception>
    public async Task<WatchSnapshot> TakeAsync(Action<string> warn, CancellationToken cancel)
    {
        var found = await brokers.PartitionsAsync(await NamesAsync(cancel), cancel);
        var partitions = found.SelectMany(topic => Enumerable.Range(0, topic.Value).Select(n => new TopicPartition(topic.Key, n)));
        // Committed before ends: in the other order a group that keeps up would look as if it were ahead.
        var listed = (await brokers.GroupNamesAsync(cancel)).Where(name => name.StartsWith(topics.Prefix, StringComparison.Ordinal));
        var groups = await brokers.GroupsAsync(
            [.. listed.Union(_known.Select(group => group.Name)).Order(StringComparer.Ordinal)], cancel);
        var offsets = await brokers.OffsetsAsync([.. partitions], cancel);
        return new WatchSnapshot(
            time.GetUtcNow(), [.. groups.Select(group => Watched(group, offsets)).Where(group => group.Next.Count > 0)], offsets,
            await ProducersAsync([.. found.Keys], warn, cancel));
    }

    /// <summary>
    /// As declared, and the generations of the tasks' topic that there may be: the store that knows them is not asked. Those declared also
    /// where they are not listed, for a topic that may not be described is left out there, and refused when it is asked for by name.
    /// </summary>
    private async Task<IReadOnlyList<string>> NamesAsync(CancellationToken cancel)
    {
        var generations = TaskTopic.NameOf(topics.ScheduledTasks.Name, generation: 2)[..^1];
        return [.. (await brokers.TopicNamesAsync(cancel)).Where(name => name.StartsWith(generations, StringComparison.Ordinal))
            .Union(topics.All.Select(topic => topic.Name))];
    }

    /// <summary>A topic of which a group has committed anything, or that it is known for, is read whole.</summary>
    private WatchedGroup Watched(GroupState group, IReadOnlyDictionary<TopicPartition, (long Start, long End)> offsets)
    {
        var read = group.Committed.Keys.Select(source => source.Topic)
            .Concat(_known.Where(known => known.Name == group.Name).SelectMany(known => known.Topics)).ToHashSet(StringComparer.Ordinal);
        return new WatchedGroup(
            group.Name, group.Members,
            offsets.Where(pair => read.Contains(pair.Key.Topic)).ToDictionary(
                pair => pair.Key,
                pair => Math.Max(pair.Value.Start, group.Committed.GetValueOrDefault(pair.Key, pair.Value.Start))));
    }

    private async Task<ProducerCount?> ProducersAsync(IReadOnlyList<string> names, Action<string> warn, CancellationToken cancel)
    {
        try
        {
            return await brokers.ProducersAsync(names, cancel);
        }
        catch (LogUnavailableException fault)
        {
            // The groups count even where a broker will not tell this.
            warn(fault.Message);
            return null;
        }
    }
}
