using System.Diagnostics;
using Belfry.Kafka;
using Belfry.Postgres;
using Belfry.Scheduling;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Bench.Scheduler;

/// <summary>
/// Two worker processes share the partitions of a real Kafka under a steady load of tasks due now; one is killed with SIGKILL, and what it
/// owned must run on the other. Several times with the settings that brokers come with, and several with shorter sessions allowed.
/// </summary>
internal static class TakeoverBench
{
    private const int Kills = 3;
    private const int TasksPerSecond = 400;
    private static readonly double TicksPerMs = Stopwatch.Frequency / 1_000.0;
    private static readonly TimeSpan TickEvery = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public static async Task RunAsync(CancellationToken cancel)
    {
        await using var postgres = await PostgresParts.StartAsync();
        await PostgresSchema.MigrateAsync(new PostgresOptions { ConnectionString = postgres.ConnectionString }, cancel);
        await using (var kafka = await KafkaParts.StartAsync(1)) await MeasureAsync("takeover", kafka, TimeSpan.FromSeconds(6));
        await using (var kafka = await KafkaParts.StartAsync(1, "group.min.session.timeout.ms=1000"))
            await MeasureAsync("takeover.short", kafka, TimeSpan.FromSeconds(2));

        async Task MeasureAsync(string name, KafkaParts kafka, TimeSpan session)
        {
            // Another cluster has other offsets: the positions of the last one are not its.
            await postgres.RunAsync("truncate belfry.task_owner, belfry.task");
            var folder = Directory.CreateTempSubdirectory("belfry-bench-runs-").FullName;
            try
            {
                await RunAsync(name, kafka.Bootstrap, postgres.ConnectionString, session, folder, cancel);
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }

    private static async Task RunAsync(
        string name, string bootstrap, string postgres, TimeSpan session, string folder, CancellationToken cancel)
    {
        await using var log = KafkaLog.Open(
            new KafkaLogOptions { BootstrapServers = bootstrap, ReplicationFactor = 1, MinInSyncReplicas = 1 }, TimeProvider.System,
            NullLogger.Instance);
        await log.DeclareAsync([WorkerProcess.Declaration], cancel);
        var loader = new TaskLoader(new DurableScheduler(log, WorkerProcess.Topic));
        var dueAt = new List<long>();
        using var loading = new CancellationTokenSource();
        var workers = new List<WorkerProcess>();
        var takeovers = new List<double>();
        try
        {
            StartWorker();
            StartWorker();
            var load = LoadAsync(loader, dueAt, loading.Token);
            for (var kill = 0; kill < Kills; kill++)
            {
                // Both have work before one dies, and the survivor all of it before another is started.
                await UntilAsync(() => workers[^2].KilledAt is null && BothRun(workers[^2], workers[^1]));
                var victim = workers[^2];
                victim.Kill();
                var takeover = double.PositiveInfinity;
                await UntilAsync(() => (takeover = Takeover(victim)) < double.PositiveInfinity);
                takeovers.Add(takeover);
                if (kill < Kills - 1) StartWorker();
            }

            await loading.CancelAsync();
            await load;
            RunHistory history = null!;
            try
            {
                await UntilAsync(() => (history = RunHistory.Check(workers, dueAt, TicksPerMs)).Lost == 0);
            }
            catch (TimeoutException)
            {
                // What is missing still is a figure.
            }

            Figure.Print($"{name}.worst", takeovers.Max(), "ms");
            Figure.Print($"{name}.median", Figure.Percentile(takeovers, 50), "ms");
            Figure.Print($"{name}.wait.p50", Figure.Percentile(history.WaitsMs, 50), "ms");
            Figure.Print($"{name}.wait.max", history.WaitsMs.Max(), "ms");
            Figure.Print($"{name}.tasks", dueAt.Count, "tasks");
            Figure.Print($"{name}.lost", history.Lost, "tasks");
            Figure.Print($"{name}.misorders", history.Misorders, "starts");
            Figure.Print($"{name}.overlaps", history.Overlaps, "starts");
            Figure.Print($"{name}.repeats", history.Repeats, "runs");
        }
        finally
        {
            foreach (var worker in workers) await worker.DisposeAsync();
        }

        void StartWorker() => workers.Add(
            WorkerProcess.Start(bootstrap, postgres, "scheduler", session, Path.Combine(folder, $"{workers.Count}.txt")));

        double Takeover(WorkerProcess victim) => RunHistory.TakeoverMs(workers, victim, WorkerProcess.Partitions, TicksPerMs);
    }

    /// <summary>Both have run tasks within the last second, of half of the partitions each.</summary>
    private static bool BothRun(WorkerProcess one, WorkerProcess other)
    {
        var (left, right) = (RunHistory.PartitionsSince(one, Now(-1_000), WorkerProcess.Partitions),
            RunHistory.PartitionsSince(other, Now(-1_000), WorkerProcess.Partitions));
        return left.Count == WorkerProcess.Partitions / 2 && right.Count == WorkerProcess.Partitions / 2 && !left.Overlaps(right);
    }

    private static long Now(double plusMs) => Stopwatch.GetTimestamp() + (long)(plusMs * TicksPerMs);

    private static async Task LoadAsync(TaskLoader loader, List<long> dueAt, CancellationToken stop)
    {
        var startedAt = Stopwatch.GetTimestamp();
        while (!stop.IsCancellationRequested)
        {
            var owed = (int)(Stopwatch.GetElapsedTime(startedAt).TotalSeconds * TasksPerSecond) - dueAt.Count;
            if (owed > 0)
            {
                dueAt.AddRange(Enumerable.Repeat(Stopwatch.GetTimestamp(), owed));
                await loader.AppendAsync(owed, CancellationToken.None);
            }

            await Task.Delay(TickEvery, CancellationToken.None);
        }
    }

    private static async Task UntilAsync(Func<bool> reached)
    {
        var startedAt = Stopwatch.GetTimestamp();
        while (!reached())
        {
            if (Stopwatch.GetElapsedTime(startedAt) > Patience) throw new TimeoutException($"Not reached within {Patience}.");
            await Task.Delay(250);
        }
    }
}
