using Belfry.Alerting;
using Belfry.Alerting.Storage;
using Belfry.Deliveries;
using Belfry.Log;
using Belfry.Sqlite;

namespace Belfry.Server.Hosting;

/// <summary>
/// The embedded shape: log and stores in two SQLite files, one process. Each file has a writer of its own, so that accepting an event
/// never waits for a transaction of the stores.
/// </summary>
internal sealed class EmbeddedPorts : ShapePorts
{
    private const int LogCheckpointPages = 500;

    /// <summary>The stores.</summary>
    public required SqliteFile File { get; init; }

    /// <summary>The log. It is never behind: what a store has taken from it was durable before.</summary>
    public required SqliteFile LogFile { get; init; }

    public override bool AreShared => false;

    /// <summary>Four batches: more would only grow old in memory where a fold is behind, and the log's file is as near.</summary>
    public override ConsumerOptions Folds { get; } = new() { HeldMax = 2_000 };

    public override Func<Task> LogQuestion(TopicDeclaration topic) => () => FileProbe.AskAsync(LogFile);

    /// <exception cref="SqliteFileInUseException">Another process serves this folder.</exception>
    /// <exception cref="InvalidOperationException">The two files are not of one time.</exception>
    public static async Task<EmbeddedPorts> OpenAsync(
        ServerOptions options, TimeProvider time, ILoggerFactory loggers, CancellationToken cancel)
    {
        var fileOptions = new SqliteFileOptions { Logger = loggers.CreateLogger<SqliteFile>() };
        var file = SqliteFile.Open(Path.Combine(options.DataDir, "belfry.db"), fileOptions with { WritesCanWait = true });
        SqliteFile? logFile = null;
        try
        {
            // Senders wait for commits of the log, and its pages do not change again: nothing is saved by bringing many over at once.
            logFile = SqliteFile.Open(
                Path.Combine(options.DataDir, "belfry-log.db"), fileOptions with { CheckpointPages = LogCheckpointPages });
            await FilesOfOneTime.CheckStartsAsync(file, logFile, cancel);
            var log = await SqliteLog.OpenAsync(logFile, time, cancel: cancel);
            var cleaner = new LogCleaner(log, new LogCleanerOptions(), loggers.CreateLogger<LogCleaner>());
            return new EmbeddedPorts
            {
                File = file,
                LogFile = logFile,
                LogName = $"'{logFile.Path}'",
                StoreName = $"'{file.Path}'",
                Log = log,
                Store = await SqliteOutboxStore.OpenAsync(file, cancel),
                Dialect = SqlDialect.Sqlite,
                Tasks = await SqliteTaskStore.OpenAsync(file, cancel),
                Deliveries = await SqliteDeliveryStore.OpenAsync(file, cancel),
                Parked = await SqliteParkedRecordStore.OpenAsync(file, cancel),
                Claims = new MemoryFastClaims(new MemoryFastClaimsOptions(), time),
                Hints = new MemoryHintStore(new MemoryHintStoreOptions(), time),
                Housekeeping = [new Hop("log-cleaner", cleaner.RunAsync) { Roles = [] }],
            };
        }
        catch
        {
            await using (file) await using (logFile) throw;
        }
    }

    public override async ValueTask DisposeAsync()
    {
        await using (File) await LogFile.DisposeAsync();
    }
}
