using Belfry.Alerting;
using Belfry.Cluster;
using Belfry.Kafka;
using Belfry.Log;
using Belfry.Postgres;
using Belfry.Scheduling;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Cli.Commands;

/// <summary>
/// Moves the scheduler to a new topic of another partition count. Each step may be the last one of this process: a repetition goes on, for
/// all but the switch changes nothing that counts, and the switch is one transaction. Decision: one topic after another.
/// </summary>
/// <param name="options">Of the clustered shape.</param>
/// <param name="reached">Told of each step that is done.</param>
internal sealed class TaskRepartition(ClusterOptions options, Func<string, CancellationToken, Task> reached)
{
    private const int GenerationsMax = 1_000;
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan StandstillMax = TimeSpan.FromSeconds(60);
    private static readonly TimeProvider Time = TimeProvider.System;

    // The command is a member of its own, not one that an instance left behind.
    private readonly KafkaLogOptions _kafka = options.Kafka with { GroupInstanceId = null };

    /// <summary>Returns the topic that is current then.</summary>
    /// <param name="partitions">Of the new topic.</param>
    /// <param name="wait">How long the group may still have members.</param>
    /// <param name="cancel">Stops between steps, and while draining.</param>
    /// <exception cref="InvalidOperationException">Instances still run tasks, or the topic does not drain.</exception>
    public async Task<TaskTopic> RunAsync(int partitions, TimeSpan wait, CancellationToken cancel)
    {
        await using var shards = await PostgresShards.OpenAsync(options.Postgres, cancel);
        await using var log = KafkaLog.Open(_kafka, Time, NullLogger.Instance);
        using var brokers = KafkaInspector.Open(_kafka, NullLogger.Instance);
        var store = new PostgresTaskTopics(shards.Home);
        while (true)
        {
            var generations = await store.ListAsync(cancel);
            var topics = new Topics(options.Topics.Prefix, options.Topics.Partitions, generations);
            var current = new TaskTopic(topics.ScheduledTasksGeneration, topics.ScheduledTasks.Name, topics.ScheduledTasks.Partitions);
            if (current.Partitions == partitions) return current;
            var group = topics.SchedulerGroup(current.Generation);
            await WaitUntilEmptyAsync(brokers, group, wait, cancel);
            await reached("checked", cancel);

            var next = await NextAsync(brokers, topics, current, partitions, cancel);
            await log.DeclareAsync(
                [topics.ScheduledTasks, topics.ScheduledTasks with { Name = next.Name, Partitions = next.Partitions }], cancel);
            await shards.PrepareTasksAsync(next.Partitions, cancel);
            await reached("made", cancel);

            await DrainAsync(brokers, shards.Tasks, log, topics, group, cancel);
            await reached("drained", cancel);

            // In this order: whoever joins after the look takes over after the epochs were read, and the switch sees that.
            var epochs = await store.EpochsAsync(current.Name, cancel);
            await WaitUntilEmptyAsync(brokers, group, wait, cancel);
            await reached("alone", cancel);
            if (!await store.SwitchAsync(current, next, epochs, Time.GetUtcNow(), cancel)) continue;
            await reached("switched", cancel);
            return next;
        }
    }

    /// <summary>A static member that stopped is one until its session ends.</summary>
    private static async Task WaitUntilEmptyAsync(KafkaInspector brokers, string group, TimeSpan wait, CancellationToken cancel)
    {
        for (var startedAt = Time.GetTimestamp(); ;)
        {
            var members = (await brokers.GroupsAsync([group], cancel)).Single().Members;
            if (members == 0) return;
            if (Time.GetElapsedTime(startedAt) >= wait)
                throw new InvalidOperationException(
                    $"Group '{group}' has {members} members: stop the instances that run tasks, or raise --wait " +
                    $"({wait.TotalSeconds:0} s).");
            await Task.Delay(LookAgain, Time, cancel);
        }
    }

    /// <summary>The next generation whose topic is not there, or is there as it shall be: left behind by a run that was cut off.</summary>
    private static async Task<TaskTopic> NextAsync(
        KafkaInspector brokers, Topics topics, TaskTopic current, int partitions, CancellationToken cancel)
    {
        for (var generation = current.Generation + 1; generation < current.Generation + GenerationsMax; generation++)
        {
            var name = TaskTopic.NameOf(topics.Prefix + "scheduled-tasks", generation);
            var there = await brokers.PartitionsAsync([name], cancel);
            if (there.GetValueOrDefault(name, partitions) == partitions) return new TaskTopic(generation, name, partitions);
        }

        throw new InvalidOperationException(
            $"{GenerationsMax} topics '{topics.Prefix}scheduled-tasks.g…' are there: delete the unused ones.");
    }

    /// <summary>
    /// A worker that knows no kind of task stores all and runs none. It has done its work once the group has committed what was there when
    /// it began: an offset is committed only once everything below it is in the store.
    /// </summary>
    private async Task DrainAsync(
        KafkaInspector brokers, ITaskStore store, KafkaLog log, Topics topics, string group, CancellationToken cancel)
    {
        var topic = topics.ScheduledTasks;
        var offsets = await brokers.OffsetsAsync(
            [.. Enumerable.Range(0, topic.Partitions).Select(n => new TopicPartition(topic.Name, n))], cancel);
        var left = await LeftAsync(brokers, group, offsets, cancel);
        if (left == 0) return;
        var worker = new SchedulerWorker(
            log, topic, group, store, [], new SchedulerOptions { ShortWay = TimeSpan.Zero }, new ConsumerOptions(), Time,
            NullLoggerFactory.Instance, topics.ScheduledTasksGeneration);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var running = worker.RunAsync(stop.Token);
        try
        {
            await reached("draining", cancel);
            for (var movedAt = Time.GetTimestamp(); left > 0;)
            {
                await Task.Delay(LookAgain, Time, cancel);
                var now = await LeftAsync(brokers, group, offsets, cancel);
                if (now < left) movedAt = Time.GetTimestamp();
                left = now;
                if (Time.GetElapsedTime(movedAt) > StandstillMax)
                    throw new InvalidOperationException(
                        $"{left} records of '{topic.Name}' are not in the store, and nothing has moved for {StandstillMax}: is an " +
                        "instance running that takes its partitions?");
            }
        }
        finally
        {
            await stop.CancelAsync();
            await running;
        }
    }

    private static async Task<long> LeftAsync(
        KafkaInspector brokers, string group, IReadOnlyDictionary<TopicPartition, (long Start, long End)> offsets, CancellationToken cancel)
    {
        var committed = (await brokers.GroupsAsync([group], cancel)).Single().Committed;
        return offsets.Sum(pair => Math.Max(0, pair.Value.End - Math.Max(pair.Value.Start, committed.GetValueOrDefault(pair.Key))));
    }
}
