using System.Diagnostics;
using System.Globalization;
using System.Text;
using Belfry.Kafka;
using Belfry.Log;
using Belfry.Postgres;
using Belfry.Scheduling;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Bench.Scheduler;

/// <summary>
/// A scheduler worker in a process of its own, to be killed. It writes each start and end of a handler to a file at once, by the clock that
/// all processes of a machine share, so that a kill loses none of it.
/// </summary>
internal sealed class WorkerProcess : IAsyncDisposable
{
    public const string Verb = "scheduler-worker";
    public const string Topic = "scheduled-tasks";
    public const int Partitions = 12;
    public static readonly TimeSpan HandlerLength = TimeSpan.FromMilliseconds(5);

    private readonly Process _process;

    private WorkerProcess(Process process, string runsFile) => (_process, RunsFile) = (process, runsFile);

    public string RunsFile { get; }

    /// <summary>When it was killed, by the clock of the runs; null while it lives.</summary>
    public long? KilledAt { get; private set; }

    public static TopicDeclaration Declaration => new(Topic, Partitions, CleanUp.Time, TimeSpan.FromHours(1));

    /// <summary>Starts one; it has joined its group once its tasks run.</summary>
    public static WorkerProcess Start(string bootstrap, string postgres, string group, TimeSpan session, string runsFile) => new(
        Process.Start(new ProcessStartInfo(
            "dotnet",
            [
                Path.Combine(AppContext.BaseDirectory, "Belfry.Bench.dll"), Verb, bootstrap, postgres, group,
                session.ToString("c", CultureInfo.InvariantCulture), runsFile,
            ]) { RedirectStandardInput = true })!,
        runsFile);

    /// <summary>As the machine's end would: no drain, no last commit, no word to the group.</summary>
    public void Kill()
    {
        KilledAt = Stopwatch.GetTimestamp();
        _process.Kill();
        _process.WaitForExit();
    }

    public async ValueTask DisposeAsync()
    {
        // The end of its input asks it to drain and leave.
        if (!_process.HasExited) _process.StandardInput.Close();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    /// <summary>The process itself.</summary>
    public static async Task<int> RunAsync(string[] words)
    {
        var (bootstrap, postgres, group, session) = (words[0], words[1], words[2], TimeSpan.Parse(words[3], CultureInfo.InvariantCulture));
        await using var database = PostgresDatabase.Open(new PostgresOptions { ConnectionString = postgres });
        await using var log = KafkaLog.Open(
            new KafkaLogOptions
            {
                BootstrapServers = bootstrap, ReplicationFactor = 1, MinInSyncReplicas = 1, SessionTimeout = session,
                HeartbeatInterval = session / 4,
            },
            TimeProvider.System, NullLogger.Instance);
        await log.DeclareAsync([Declaration], CancellationToken.None);
        await using var runs = new FileStream(words[4], FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0);
        using var stop = new CancellationTokenSource();
        var worker = new SchedulerWorker(
            log, Declaration, group, new PostgresTaskStore(database), [new Recorder(runs)], new SchedulerOptions(), new ConsumerOptions(),
            TimeProvider.System, NullLoggerFactory.Instance).RunAsync(stop.Token);
        await Console.OpenStandardInput().CopyToAsync(Stream.Null);
        await stop.CancelAsync();
        await worker;
        return 0;
    }

    private sealed class Recorder(FileStream runs) : ITaskHandler
    {
        private readonly Lock _lock = new();

        public string Kind => TaskLoader.Kind;

        public async ValueTask<TaskOutcome> RunAsync(DueTask due, CancellationToken cancel)
        {
            Write('S', due);
            await Task.Delay(HandlerLength, cancel);
            Write('E', due);
            return TaskOutcome.Success;
        }

        private void Write(char what, DueTask due)
        {
            var line = string.Create(
                CultureInfo.InvariantCulture, $"{what} {Stopwatch.GetTimestamp()} {due.Task.Id.OrderingId} {due.Task.Id.UniqueKey}\n");
            lock (_lock) runs.Write(Encoding.UTF8.GetBytes(line));
        }
    }
}
