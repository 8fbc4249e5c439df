using System.Diagnostics;
using Belfry.Log;
using Belfry.Scheduling;
using Belfry.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Bench.Log;

/// <summary>
/// Lag kept on the brokers: 100,000 tasks that are due in an hour. The scheduler takes them off the topic into its store; a plain consumer
/// that is to run the first one at its time waits with it in hand, and everything behind it stays uncommitted.
/// </summary>
internal static class WaitingTasksRow
{
    private const int Partitions = 4;
    private const int Tasks = 100_000;
    private const int Lot = 1_000;
    private const string Kind = "bench.later";
    private static readonly TimeSpan DueIn = TimeSpan.FromHours(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Looked = TimeSpan.FromSeconds(10);

    public static async Task RunAsync(CancellationToken cancel)
    {
        await using var kafka = await BenchKafka.OpenAsync("waiting", Partitions, cancel);
        var (group, plainGroup) = (kafka.NewGroup(), kafka.NewGroup());
        var store = await SqliteTaskStore.OpenAsync(kafka.File, cancel);
        var soon = new CountingHandler();
        var worker = new SchedulerWorker(
            kafka.Log, kafka.Topic, group, store, [soon], new SchedulerOptions(), new ConsumerOptions(), TimeProvider.System,
            NullLoggerFactory.Instance);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var running = worker.RunAsync(stop.Token);
        var plain = Enumerable.Range(0, Partitions).Select(_ => new PlainMember(
            kafka.Plain(plainGroup), kafka.Topic.Name, (_, ended) => ended.WaitHandle.WaitOne(DueIn))).ToList();
        await ScheduleAsync(new DurableScheduler(kafka.Log, kafka.Topic.Name), cancel);
        var took = await UntilTakenAsync(kafka, group, cancel);
        Figure.Print("log.waiting.taken_after", took.TotalMilliseconds, "ms");
        await Task.Delay(Looked, cancel);
        Figure.Print(
            "log.waiting.lag", await kafka.LagAsync(group, cancel), "records",
            ("plain consumers that wait", await kafka.LagAsync(plainGroup, cancel)));
        if (soon.Count > 0) throw new InvalidOperationException($"{soon.Count} tasks ran before their time.");
        await stop.CancelAsync();
        await running;
        await Task.WhenAll(plain.Select(member => member.StopAsync()));
    }

    private static async Task ScheduleAsync(DurableScheduler scheduler, CancellationToken cancel)
    {
        var dueAt = TimeProvider.System.GetUtcNow() + DueIn;
        for (var from = 0; from < Tasks; from += Lot)
            await scheduler.ScheduleManyAsync(
                [.. Enumerable.Range(from, Lot).Select(n => new ScheduledTask
                {
                    Id = new ScheduledTaskId($"order-{n % 1_000}", Kind, $"{n}"), DueAt = dueAt, Payload = new byte[200],
                })],
                cancel);
    }

    /// <returns>How long after the last task was accepted none was left on the topic.</returns>
    private static async Task<TimeSpan> UntilTakenAsync(BenchKafka kafka, string group, CancellationToken cancel)
    {
        var startedAt = Stopwatch.GetTimestamp();
        while (await kafka.LagAsync(group, cancel) > 0)
        {
            if (Stopwatch.GetElapsedTime(startedAt) > Patience)
                throw new TimeoutException($"The tasks were not taken off the topic within {Patience}.");
            await Task.Delay(50, cancel);
        }

        return Stopwatch.GetElapsedTime(startedAt);
    }

    private sealed class CountingHandler : ITaskHandler
    {
        private int _count;

        public string Kind => WaitingTasksRow.Kind;

        public int Count => Volatile.Read(ref _count);

        public ValueTask<TaskOutcome> RunAsync(DueTask due, CancellationToken cancel)
        {
            Interlocked.Increment(ref _count);
            return ValueTask.FromResult(TaskOutcome.Success);
        }
    }
}
