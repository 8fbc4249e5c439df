using System.CommandLine;
using System.CommandLine.Help;
using System.Data.Common;
using Belfry.Cluster;
using Belfry.Log;
using Belfry.Outbox;
using Belfry.Postgres;

namespace Belfry.Cli;

/// <summary>What all commands share: the configuration, and how they end.</summary>
internal static class CommandRun
{
    public const int Done = 0;
    public const int Failed = 1;
    public const int Misused = 2;

    private static readonly TimeSpan StopMax = TimeSpan.FromSeconds(10);

    /// <summary>The server's own configuration file; the environment (<c>Belfry__Kafka__…</c>) goes before it.</summary>
    public static Option<FileInfo?> ConfigOption() => new("--config", "-c")
    {
        Description = "the server's JSON file of settings; the environment (Belfry__Postgres__ConnectionString=…) goes before it",
        HelpName = "FILE",
    };

    /// <summary>Runs the command that the arguments name. Faults that their own text is enough to mend are told without a trace.</summary>
    public static async Task<int> RunAsync(RootCommand root, string[] args)
    {
        var parsed = root.Parse(args);
        if (parsed.Errors.Count > 0 && parsed.Action is not HelpAction)
        {
            foreach (var error in parsed.Errors) await Console.Error.WriteLineAsync(error.Message);
            await Console.Error.WriteLineAsync($"belfry {string.Join(' ', NamesOf(parsed.CommandResult))}--help lists what there is.");
            return Misused;
        }

        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = StopMax,
            });
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync("Interrupted.");
            return Failed;
        }
        catch (Exception fault) when (fault is InvalidOperationException or LogUnavailableException or StoreUnavailableException
            or PostgresSchemaException or ShardLayoutException or TopicMismatchException or OwnershipLostException or DbException
            or ArgumentException or IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync(fault.Message);
            return Failed;
        }
    }

    /// <summary>The settings of the clustered shape, or null after all faults were told: the command was <see cref="Misused"/>.</summary>
    public static async Task<ClusterOptions?> ReadAsync(FileInfo? file)
    {
        var faults = new List<string>();
        var configuration = ClusterOptions.ConfigurationOf(file?.FullName, faults);
        if (configuration["Belfry:Shape"] is { } shape && shape != "clustered")
            faults.Add($"Belfry:Shape is '{shape}': this is for the clustered shape; the embedded one looks after itself.");
        var options = ClusterOptions.Read(configuration, faults);
        foreach (var fault in faults) await Console.Error.WriteLineAsync(fault);
        return faults.Count == 0 ? options : null;
    }

    private static IEnumerable<string> NamesOf(System.CommandLine.Parsing.CommandResult? command)
    {
        var names = new Stack<string>();
        for (; command?.Parent is System.CommandLine.Parsing.CommandResult parent; command = parent) names.Push(command.Command.Name);
        return names.Append("");
    }
}
