using System.CommandLine;
using Belfry.Kafka;

namespace Belfry.Cli.Commands;

/// <summary><c>belfry topics check</c>.</summary>
internal static class CheckCommand
{
    public static Command Create()
    {
        var config = CommandRun.ConfigOption();
        var command = new Command(
            "check",
            "Compares the topics with their declarations: one line a difference, and 1 if there is any. A missing topic is made by the " +
            "first instance that starts; another partition count stops every start.")
        {
            config,
        };
        command.SetAction((parsed, cancel) => RunAsync(parsed.GetValue(config), cancel));
        return command;
    }

    private static async Task<int> RunAsync(FileInfo? config, CancellationToken cancel)
    {
        if (await CommandRun.ReadAsync(config) is not { } options) return CommandRun.Misused;
        var (found, unknown) = (0, 0);
        foreach (var (declared, real) in await DeclaredTopics.ReadAsync(options, cancel))
        {
            string[] differences = real is null ? ["missing"] : [.. real.DifferencesFrom(declared, options.Kafka)];
            found += differences.Length;
            foreach (var difference in differences) await Console.Out.WriteLineAsync($"{declared.Name}: {difference}");
            if (real is not { SettingsAreKnown: false }) continue;
            unknown++;
            await Console.Error.WriteLineAsync($"{declared.Name}: {DeclaredTopics.SettingsUnknown}");
        }

        if (found == 0)
            await Console.Out.WriteLineAsync(
                unknown == 0
                    ? "All topics are as declared."
                    : $"All topics are as declared, but for the settings of {unknown} that are not known.");
        return found == 0 ? CommandRun.Done : CommandRun.Failed;
    }
}
