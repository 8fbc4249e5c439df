using System.Text.Json.Nodes;
using Belfry.EndToEnd.Tests.Support;
using Belfry.Kafka.Tests;
using Belfry.Postgres.Tests;
using Npgsql;

namespace Belfry.EndToEnd.Tests;

/// <summary>A clustered instance whose parts come up after it.</summary>
public sealed class StartTests
{
    [SkippableFact]
    public async Task An_instance_that_starts_before_its_parts_waits_for_them_and_says_so()
    {
        var kafka = await KafkaBroker.BootstrapAsync();
        var postgres = new NpgsqlConnectionStringBuilder(await (await PostgresServer.GetAsync()).NewDatabaseAsync());
        await using var toKafka = new Forwarder();
        await using var toPostgres = new Forwarder();
        using var folder = new TempFolder();
        var away = new NpgsqlConnectionStringBuilder(postgres.ToString()) { Host = "127.0.0.1", Port = toPostgres.Port };
        var config = Path.Combine(folder.Sub("config"), "belfry.json");
        await File.WriteAllTextAsync(config, Settings($"127.0.0.1:{toKafka.Port}", away.ToString(), "00:02:00"));
        var ready = Path.Combine(folder.Sub("ready"), "ready.json");
        await using var program = BelfryProgram.Launch(
            folder.Sub("data"), ChildProgram.FreePort(), "--config", config, "--keys", folder.Sub("keys"), "--ready-file", ready);

        await SaysAsync(program, "waits for PostgreSQL");
        toPostgres.Open(postgres.Host!, postgres.Port);
        await SaysAsync(program, "waits for Kafka");
        File.Exists(ready).ShouldBeFalse();
        var (host, port) = (kafka.Split(',')[0].Split(':')[0], int.Parse(kafka.Split(',')[0].Split(':')[1]));
        toKafka.Open(host, port);
        await Eventually.TrueAsync("it serves", () => Task.FromResult(program.HasExited || File.Exists(ready)), () => program.Output);
        program.HasExited.ShouldBeFalse(program.Output);
    }

    [SkippableFact]
    public async Task An_instance_whose_parts_stay_away_ends_with_the_reason_once_its_patience_is_over()
    {
        Native.Need();
        using var folder = new TempFolder();
        var config = Path.Combine(folder.Sub("config"), "belfry.json");
        var nowhere = ChildProgram.FreePort();
        await File.WriteAllTextAsync(config, Settings($"127.0.0.1:{nowhere}", $"Host=127.0.0.1;Port={nowhere};Username=x", "00:00:01"));
        await using var program = BelfryProgram.Launch(
            folder.Sub("data"), ChildProgram.FreePort(), "--config", config, "--keys", folder.Sub("keys"));
        await Eventually.TrueAsync("it ends", () => Task.FromResult(program.HasExited), () => program.Output);
        program.ExitCode.ShouldBe(1);
        program.Output.ShouldContain($"127.0.0.1:{nowhere}");
    }

    private static Task SaysAsync(ChildProgram program, string what) => Eventually.TrueAsync(
        $"it says '{what}'",
        () => Task.FromResult(program.HasExited || program.Output.Contains(what, StringComparison.Ordinal)), () => program.Output);

    private static string Settings(string kafka, string postgres, string startWait) => new JsonObject
    {
        ["Belfry"] = new JsonObject
        {
            ["Shape"] = "clustered",
            ["StartWait"] = startWait,
            ["Kafka"] = new JsonObject
            {
                ["BootstrapServers"] = kafka, ["ReplicationFactor"] = 1, ["MinInSyncReplicas"] = 1, ["RequestTimeout"] = "00:00:02",
            },
            ["Postgres"] = new JsonObject { ["ConnectionString"] = postgres },
            ["Topics"] = new JsonObject { ["Prefix"] = $"t{Guid.NewGuid():N}.", ["Partitions"] = 2 },
        },
    }.ToJsonString();
}
