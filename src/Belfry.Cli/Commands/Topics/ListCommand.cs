using System.CommandLine;
using System.Globalization;
using Belfry.Kafka;
using Belfry.Log;

namespace Belfry.Cli.Commands;

/// <summary><c>belfry topics list</c>.</summary>
internal static class ListCommand
{
    private static readonly string[] Heads = ["topic", "declared", "real", "replicas", "cleanup", "retention"];

    public static Command Create()
    {
        var config = CommandRun.ConfigOption();
        var command = new Command("list", "Lists the topics with their declared and real partitions, replicas, clean-up and retention.")
        {
            config,
        };
        command.SetAction((parsed, cancel) => RunAsync(parsed.GetValue(config), cancel));
        return command;
    }

    private static async Task<int> RunAsync(FileInfo? config, CancellationToken cancel)
    {
        if (await CommandRun.ReadAsync(config) is not { } options) return CommandRun.Misused;
        var topics = await DeclaredTopics.ReadAsync(options, cancel);
        var rows = topics.Select(topic => Row(topic.Declared, topic.Real)).Prepend(Heads).ToList();
        var widths = Heads.Select((_, column) => rows.Max(row => row[column].Length)).ToList();
        foreach (var row in rows)
            await Console.Out.WriteLineAsync(string.Join("  ", row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd());
        foreach (var (declared, real) in topics)
            if (real is { SettingsAreKnown: false })
                await Console.Error.WriteLineAsync($"{declared.Name}: {DeclaredTopics.SettingsUnknown}");
        return CommandRun.Done;
    }

    private static string[] Row(TopicDeclaration declared, TopicState? real) =>
    [
        declared.Name, Text(declared.Partitions), real is null ? "missing" : Text(real.Partitions), real is null ? "" : Text(real.Replicas),
        real is { SettingsAreKnown: false } ? "?" : real?.Settings.GetValueOrDefault("cleanup.policy") ?? "",
        real?.Settings.GetValueOrDefault(declared.CleanUp == CleanUp.Compact ? "delete.retention.ms" : "retention.ms") is { } ms
            && long.TryParse(ms, CultureInfo.InvariantCulture, out var length) && length >= 0
            ? string.Create(CultureInfo.InvariantCulture, $"{TimeSpan.FromMilliseconds(length).TotalDays:0.##}d")
            : real is { SettingsAreKnown: false } ? "?" : "",
    ];

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
