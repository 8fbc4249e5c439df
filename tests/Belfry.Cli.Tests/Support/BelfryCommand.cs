using System.Text.Json.Nodes;
using Belfry.EndToEnd.Tests.Support;

namespace Belfry.Cli.Tests;

/// <summary>The real program.</summary>
internal static class BelfryCommand
{
    private static string Dll
    {
        get
        {
            var release = Path.GetFileName(AppContext.BaseDirectory.TrimEnd('/'));
            return Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", "Belfry.Cli", release, "belfry.dll"));
        }
    }

    /// <summary>Starts it and does not wait for anything.</summary>
    public static ChildProgram Start(params string[] arguments) => new("dotnet", [Dll, .. arguments]);

    /// <summary>Runs it to its end.</summary>
    public static async Task<(int Code, string Output)> RunAsync(params string[] arguments)
    {
        await using var child = Start(arguments);
        return await EndAsync(child);
    }

    /// <summary>Waits for its end.</summary>
    public static async Task<(int Code, string Output)> EndAsync(ChildProgram child)
    {
        await Eventually.TrueAsync("the program's end", () => Task.FromResult(child.HasExited), () => child.Output);
        // Waits for the rest of its output.
        await child.TerminateAsync();
        return (child.ExitCode, child.Output);
    }

    /// <summary>A configuration file in a folder.</summary>
    public static async Task<string> ConfigureAsync(
        TempFolder folder, string kafka, string postgres, string schema = "belfry", string prefix = "", int partitions = 4,
        IReadOnlyList<string>? shards = null)
    {
        var file = Path.Combine(folder.Path, $"{Guid.NewGuid():N}.json");
        await File.WriteAllTextAsync(file, new JsonObject
        {
            ["Belfry"] = new JsonObject
            {
                ["Shape"] = "clustered",
                ["Kafka"] = new JsonObject
                {
                    ["BootstrapServers"] = kafka, ["ReplicationFactor"] = 1, ["MinInSyncReplicas"] = 1,
                    ["SessionTimeout"] = "00:00:01", ["HeartbeatInterval"] = "00:00:00.200",
                },
                ["Postgres"] = new JsonObject
                {
                    ["ConnectionString"] = postgres, ["Schema"] = schema, ["WaitMax"] = "00:00:05",
                    ["Shards"] = new JsonArray([.. (shards ?? []).Select(shard => JsonValue.Create(shard))]),
                },
                ["Topics"] = new JsonObject { ["Prefix"] = prefix, ["Partitions"] = partitions },
            },
        }.ToJsonString());
        return file;
    }
}
