using System.CommandLine;
using Belfry.Cluster;

namespace Belfry.Cli.Commands;

/// <summary><c>belfry migrate</c>: all tables, before instances of a new version start.</summary>
internal static class MigrateCommand
{
    public static Command Create()
    {
        var config = CommandRun.ConfigOption();
        var command = new Command(
            "migrate", "Brings PostgreSQL's tables up to date. Safe to repeat, and beside instances that run or start.")
        {
            config,
        };
        command.SetAction((parsed, cancel) => RunAsync(parsed.GetValue(config), cancel));
        return command;
    }

    private static async Task<int> RunAsync(FileInfo? config, CancellationToken cancel)
    {
        if (await CommandRun.ReadAsync(config) is not { } options) return CommandRun.Misused;
        var applied = await ClusterTables.MigrateAsync(options, cancel);
        await Console.Out.WriteLineAsync($"Schema '{options.Postgres.Schema}' is up to date; {applied} migrations were applied.");
        return CommandRun.Done;
    }
}
