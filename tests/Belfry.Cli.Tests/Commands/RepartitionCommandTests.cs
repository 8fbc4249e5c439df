using System.Collections.Concurrent;
using Belfry.Alerting;
using Belfry.EndToEnd.Tests.Support;
using Belfry.Kafka;
using Belfry.Log;
using Belfry.Postgres;
using Belfry.Scheduling;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Cli.Tests;

/// <summary>The real program over a real Kafka and PostgreSQL; writers and workers in this process.</summary>
public class RepartitionCommandTests
{
    private const string Kind = "k";

    [SkippableTheory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Whatever_step_it_is_killed_at_no_task_is_lost_or_doubled_and_a_repeat_goes_on(int shards)
    {
        await using var cluster = await TestCluster.CreateAsync(partitions: 4, shards);
        var before = await cluster.TopicsAsync();
        var log = await cluster.OpenLogAsync(before);
        // A writer that never hears of the new topic.
        var writer = new DurableScheduler(log, before.ScheduledTasks.Name);
        var runs = new Runs();
        var ids = new Tasks();
        await writer.ScheduleManyAsync(ids.Due(200), default);
        await writer.ScheduleManyAsync([.. ids.Later("moved", 20), .. ids.Later("cancelled", 20), .. ids.Later("waiting", 20)], default);
        await WorkUntilAsync(cluster, before, log, runs, () => runs.Ran.Count == 200);

        foreach (var step in (string[])["checked", "made", "draining", "drained", "alone", "switched"])
        {
            await writer.ScheduleManyAsync(ids.Due(50), default);
            await using var command = Repartition(cluster, "--halt-after", step);
            await Eventually.TrueAsync(
                step, () => Task.FromResult(command.Output.Split('\n').Contains($"{step}.")), () => command.Output);
            await command.KillAsync();
            (await cluster.TopicsAsync()).ScheduledTasksGeneration.ShouldBe(step == "switched" ? 2 : 1);
        }

        var (code, output) = await BelfryCommand.EndAsync(Repartition(cluster));
        code.ShouldBe(0, output);
        var after = await cluster.TopicsAsync();
        (after.ScheduledTasks.Name, after.ScheduledTasks.Partitions).ShouldBe(($"{cluster.Prefix}scheduled-tasks.g2", 6));

        await writer.ScheduleManyAsync(ids.Due(50), default);
        await writer.CancelAsync(ids.Id("cancelled", 0), 1, default);
        var newLog = await cluster.OpenLogAsync(after);
        var heard = new DurableScheduler(newLog, after.ScheduledTasks.Name);
        for (var n = 0; n < 20; n++) await heard.RescheduleAsync(ids.Id("moved", n), DateTimeOffset.UtcNow, 1, default);
        for (var n = 1; n < 20; n++) await heard.CancelAsync(ids.Id("cancelled", n), 1, default);
        await heard.ScheduleManyAsync(ids.Due(50), default);
        var expected = ids.AllDue.Concat(Enumerable.Range(0, 20).Select(n => ids.Id("moved", n))).ToHashSet();
        await WorkUntilAsync(cluster, after, newLog, runs, () => runs.Ran.Count >= expected.Count);

        runs.Ran.Keys.ShouldBe(expected, ignoreOrder: true);
        runs.Ran.Where(run => run.Value != 1).ShouldBeEmpty("each once");
        (await cluster.Shards.Tasks.ListAsync(TaskState.Waiting, 0, 1_000, default)).Count.ShouldBe(20, "those that wait");
        (await cluster.Shards.Tasks.ListAsync(TaskState.Parked, 0, 1_000, default)).ShouldBeEmpty();
        (await cluster.Shards.Tasks.ListAsync(TaskState.Cancelled, 0, 1_000, default)).Count.ShouldBe(20, "those cancelled");
        (await cluster.AstrayAsync()).ShouldBe(Enumerable.Repeat(0L, shards));
        (await cluster.Schema.ScalarAsync<long>("select count(*) from task_undecodable")).ShouldBe(0);
    }

    [SkippableFact]
    public async Task It_refuses_while_instances_run_tasks_and_changes_nothing()
    {
        await using var cluster = await TestCluster.CreateAsync(partitions: 4);
        var topics = await cluster.TopicsAsync();
        var log = await cluster.OpenLogAsync(topics);
        await new DurableScheduler(log, topics.ScheduledTasks.Name).ScheduleManyAsync(new Tasks().Due(1), default);
        var runs = new Runs();
        await WorkUntilAsync(cluster, topics, log, runs, () => runs.Ran.Count == 1, async () =>
        {
            var (code, output) = await BelfryCommand.EndAsync(Repartition(cluster, "--wait", "1"));
            code.ShouldBe(1);
            output.ShouldContain("has 1 members");
        });
        (await cluster.TopicsAsync()).ScheduledTasksGeneration.ShouldBe(1);
    }

    [SkippableFact]
    public async Task A_worker_that_comes_back_to_the_retired_topic_runs_nothing()
    {
        await using var cluster = await TestCluster.CreateAsync(partitions: 4);
        var before = await cluster.TopicsAsync();
        var log = await cluster.OpenLogAsync(before);
        var ids = new Tasks();
        await new DurableScheduler(log, before.ScheduledTasks.Name).ScheduleManyAsync(ids.Due(40), default);
        (await BelfryCommand.EndAsync(Repartition(cluster))).Code.ShouldBe(0);

        var (old, now) = (new Runs(), new Runs());
        var zombie = Worker(cluster, before, log, old);
        using var stop = new CancellationTokenSource();
        var running = zombie.RunAsync(stop.Token);
        await Eventually.TrueAsync("its partitions", () => Task.FromResult(zombie.Runner.Status.PolledAt is not null));
        var after = await cluster.TopicsAsync();
        await WorkUntilAsync(cluster, after, await cluster.OpenLogAsync(after), now, () => now.Ran.Count == 40);
        await stop.CancelAsync();
        await running;
        old.Ran.ShouldBeEmpty();
        now.Ran.ShouldAllBe(run => run.Value == 1);
    }

    [SkippableFact]
    public async Task Topics_are_listed_and_checked_by_generation()
    {
        await using var cluster = await TestCluster.CreateAsync(partitions: 4);
        (await BelfryCommand.RunAsync("topics", "check", "--config", cluster.Config)).ShouldSatisfyAllConditions(
            run => run.Code.ShouldBe(1), run => run.Output.ShouldContain("incoming-events: missing"));
        await using (var declaring = KafkaLog.Open(
            cluster.Kafka with { ReplicationFactor = 1, MinInSyncReplicas = 1 }, TimeProvider.System, NullLogger.Instance))
            await declaring.DeclareAsync((await cluster.TopicsAsync()).All, default);
        (await BelfryCommand.RunAsync("topics", "check", "--config", cluster.Config)).ShouldSatisfyAllConditions(
            run => run.Output.ShouldBe("All topics are as declared.\n"), run => run.Code.ShouldBe(0));

        (await BelfryCommand.EndAsync(Repartition(cluster))).Code.ShouldBe(0);
        (await BelfryCommand.RunAsync("topics", "check", "--config", cluster.Config)).Code.ShouldBe(0);
        var (code, output) = await BelfryCommand.RunAsync("topics", "list", "--config", cluster.Config);
        code.ShouldBe(0);
        var rows = output.Split('\n').Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).ToList();
        rows.ShouldContain(row => row.SequenceEqual(new[] { $"{cluster.Prefix}scheduled-tasks.g2", "6", "6", "1", "delete", "7d" }));
        rows.ShouldContain(row => row.SequenceEqual(new[] { $"{cluster.Prefix}planning-assignments", "4", "4", "1", "compact", "7d" }));
        await cluster.OpenLogAsync(await cluster.TopicsAsync());
    }

    private static ChildProgram Repartition(TestCluster cluster, params string[] more) => BelfryCommand.Start(
        ["topics", "repartition", "scheduled-tasks", "--partitions", "6", "--config", cluster.Config, .. more]);

    /// <summary>As an instance does with these topics: the worker, and the carriers of what is retired.</summary>
    private static async Task WorkUntilAsync(
        TestCluster cluster, Topics topics, KafkaLog log, Runs runs, Func<bool> reached, Func<Task>? meanwhile = null)
    {
        using var stop = new CancellationTokenSource();
        var consumer = new ConsumerOptions();
        var running = topics.RetiredScheduledTasks
            .Select(retired => new RetiredTopicCarrier(
                log, retired.Topic.Name, topics.SchedulerGroup(retired.Generation), topics.ScheduledTasks.Name, consumer,
                TimeProvider.System, NullLoggerFactory.Instance).RunAsync(stop.Token))
            .Append(Worker(cluster, topics, log, runs).RunAsync(stop.Token)).ToList();
        try
        {
            await Eventually.TrueAsync("the runs", () => Task.FromResult(reached()), () => $"{runs.Ran.Count} tasks ran");
            if (meanwhile is not null) await meanwhile();
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll(running);
        }
    }

    private static SchedulerWorker Worker(TestCluster cluster, Topics topics, KafkaLog log, Runs runs) => new(
        log, topics.ScheduledTasks, topics.SchedulerGroup(topics.ScheduledTasksGeneration), cluster.Shards.Tasks,
        [runs], new SchedulerOptions(), new ConsumerOptions(), TimeProvider.System, NullLoggerFactory.Instance,
        topics.ScheduledTasksGeneration);

    /// <summary>Counts the runs of each task.</summary>
    private sealed class Runs : ITaskHandler
    {
        public ConcurrentDictionary<ScheduledTaskId, int> Ran { get; } = new();

        public string Kind => RepartitionCommandTests.Kind;

        public ValueTask<TaskOutcome> RunAsync(DueTask due, CancellationToken cancel)
        {
            Ran.AddOrUpdate(due.Task.Id, 1, (_, n) => n + 1);
            return ValueTask.FromResult(TaskOutcome.Success);
        }
    }

    /// <summary>Tasks over many ordering ids.</summary>
    private sealed class Tasks
    {
        public List<ScheduledTaskId> AllDue { get; } = [];

        public ScheduledTaskId Id(string name, int n) => new($"order-{n % 37}", Kind, $"{name}-{n}");

        public IReadOnlyList<ScheduledTask> Due(int count)
        {
            var ids = Enumerable.Range(AllDue.Count, count).Select(n => Id("due", n)).ToList();
            AllDue.AddRange(ids);
            return [.. ids.Select(id => Make(id, TimeSpan.Zero))];
        }

        public IEnumerable<ScheduledTask> Later(string name, int count) =>
            Enumerable.Range(0, count).Select(n => Make(Id(name, n), TimeSpan.FromHours(2)));

        private static ScheduledTask Make(ScheduledTaskId id, TimeSpan later) =>
            new() { Id = id, DueAt = DateTimeOffset.UtcNow + later, Payload = new byte[50], Generation = 1 };
    }
}
