using System.Diagnostics;
using Belfry.Kafka;
using Belfry.Log;
using Belfry.Postgres;
using Belfry.Scheduling;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Bench.Scheduler;

/// <summary>
/// Tasks that are due as soon as they are there: appended by a loader in this process, run by a worker in this process with a handler that
/// does nothing, counted once their end is committed. Kafka and PostgreSQL are real and durable, and on the same cores. First the loader
/// and the worker at once, then the worker alone with what was appended before it started. The rivals put rows of the same kind into the
/// same table without any scheduler, in the same run.
/// </summary>
internal static class SchedulerBench
{
    public const int OrderingIds = 1_000;
    public const int PayloadBytes = 200;
    private const int Partitions = 12;
    private const int WarmUpTasks = 150_000;
    private const int Tasks = 400_000;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    public static async Task RunAsync(CancellationToken cancel)
    {
        await using var postgres = await PostgresParts.StartAsync();
        await using var kafka = await KafkaParts.StartAsync(1);
        var options = new PostgresOptions { ConnectionString = postgres.ConnectionString };
        await PostgresSchema.MigrateAsync(options, cancel);
        await using var database = PostgresDatabase.Open(options);
        var topic = new TopicDeclaration("scheduled-tasks", Partitions, CleanUp.Time, TimeSpan.FromHours(1));
        await using var log = KafkaLog.Open(
            new KafkaLogOptions { BootstrapServers = kafka.Bootstrap, ReplicationFactor = 1, MinInSyncReplicas = 1 }, TimeProvider.System,
            NullLogger.Instance);
        await log.DeclareAsync([topic], cancel);
        var loader = new TaskLoader(new DurableScheduler(log, topic.Name));
        var store = new CountingTaskStore(new PostgresTaskStore(database));

        await DrainAsync(WarmUpTasks, before: false);
        var (statementsBefore, commitsBefore) = await postgres.CountersAsync();
        var run = await DrainAsync(Tasks, before: false);
        var (statements, commits) = await postgres.CountersAsync();
        var drain = await DrainAsync(Tasks, before: true);
        var (upserts, copies) = await BareInserts.RunAsync(postgres, options.Schema, OrderingIds);

        Figure.Print("scheduler.run", run, "tasks/s", ("bare unnest upserts of ended rows, lots of 2,000, one session", upserts));
        Figure.Print("scheduler.drain", drain, "tasks/s", ("bare binary COPY of ended rows, lots of 2,000, one session", copies));
        Figure.PrintSmall("scheduler.statements", (statements - statementsBefore) / (double)Tasks, "statements/task");
        Figure.PrintSmall("scheduler.commits", (commits - commitsBefore) / (double)Tasks, "commits/task");

        // Tasks a second, from the first append (or the worker's start, with all of them there before) to the last durable end.
        async Task<double> DrainAsync(int count, bool before)
        {
            using var stop = new CancellationTokenSource();
            var goal = store.Ended + count;
            var startedAt = Stopwatch.GetTimestamp();
            if (before)
            {
                await loader.AppendAsync(count, cancel);
                startedAt = Stopwatch.GetTimestamp();
            }

            var worker = new SchedulerWorker(
                log, topic, "scheduler", store, [new NoWork()], new SchedulerOptions(), new ConsumerOptions(), TimeProvider.System,
                NullLoggerFactory.Instance).RunAsync(stop.Token);
            if (!before)
            {
                startedAt = Stopwatch.GetTimestamp();
                await loader.AppendAsync(count, cancel);
            }

            await store.WaitForAsync(goal).WaitAsync(Patience, cancel);
            var seconds = Stopwatch.GetElapsedTime(startedAt).TotalSeconds;
            await stop.CancelAsync();
            await worker;
            return count / seconds;
        }
    }

    /// <summary>A handler that is done at once: what is measured is the way to it and from it.</summary>
    private sealed class NoWork : ITaskHandler
    {
        public string Kind => TaskLoader.Kind;

        public ValueTask<TaskOutcome> RunAsync(DueTask due, CancellationToken cancel) => new(TaskOutcome.Success);
    }
}
