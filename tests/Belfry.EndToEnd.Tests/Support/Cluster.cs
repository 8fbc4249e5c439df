using System.Text.Json.Nodes;
using Belfry.Kafka.Tests;
using Belfry.Postgres.Tests;
using Belfry.Redis.Tests;

namespace Belfry.EndToEnd.Tests.Support;

/// <summary>
/// What instances of the real program share: a real Kafka of its own, a database of the tests' PostgreSQL, a Redis, a mail server, keys and
/// the configuration that names them.
/// </summary>
internal sealed class Cluster : IAsyncDisposable
{
    private readonly TempFolder _folder = new();

    private Cluster(KafkaCluster kafka, PostgresServer postgres, RedisServer redis) => (Kafka, Postgres, Redis) = (kafka, postgres, redis);

    public KafkaCluster Kafka { get; }
    public PostgresServer Postgres { get; }
    public RedisServer Redis { get; }
    public SmtpServer Smtp { get; private set; } = null!;

    /// <summary>The configuration's file.</summary>
    public string Config { get; private set; } = "";

    /// <summary>Put before its topics and groups.</summary>
    public string Prefix { get; } = $"t{Guid.NewGuid():N}.";

    /// <param name="brokers">1 or 3.</param>
    /// <param name="partitions">Of every topic.</param>
    /// <param name="slowMail">As <see cref="SmtpServer.StartAsync"/> has it.</param>
    /// <param name="more">Adds to the configuration, of which it is given the section of Belfry.</param>
    public static async Task<Cluster> StartAsync(
        int brokers, int partitions, bool slowMail = false, Action<JsonObject>? more = null)
    {
        Part.Redis();
        var starting = KafkaCluster.StartAsync(brokers);
        var postgres = await PostgresServer.GetAsync();
        var cluster = new Cluster(await starting, postgres, await RedisServer.StartAsync());
        try
        {
            cluster.Smtp = await SmtpServer.StartAsync(cluster.Folder("mail"), slowMail);
            var settings = await cluster.SettingsAsync(brokers, partitions);
            more?.Invoke(settings);
            cluster.Config = await cluster.WriteAsync("belfry", settings);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>A folder that is gone at the end.</summary>
    public string Folder(string name) => _folder.Sub(name);

    /// <summary>A file with the configuration, changed.</summary>
    public async Task<string> ConfigureAsync(string name, Action<JsonObject> change)
    {
        var settings = JsonNode.Parse(await File.ReadAllTextAsync(Config))!["Belfry"]!.DeepClone().AsObject();
        change(settings);
        return await WriteAsync(name, settings);
    }

    /// <summary>Options that all instances have, on top of where each listens and keeps its files.</summary>
    public string[] Shared => ["--config", Config, "--keys", Folder("keys"), "--smtp", $"127.0.0.1:{Smtp.Port}"];

    /// <summary>An instance, serving. The first is to be given <c>--demo</c>.</summary>
    public Task<BelfryProgram> StartAsync(string name, params string[] more) =>
        BelfryProgram.StartAsync(Folder(name), ChildProgram.FreePort(), [.. Shared, .. more]);

    /// <summary>How many mails have the title.</summary>
    public int Pages(string title) => Smtp.Mails().Count(mail => mail.Subject.Contains(title, StringComparison.Ordinal));

    /// <summary>Waits until there are so many for each.</summary>
    public async Task PagesAsync(IEnumerable<string> titles, int least = 1)
    {
        foreach (var title in titles)
            await Eventually.TrueAsync($"{least} pages of {title}", () => Task.FromResult(Pages(title) >= least));
    }

    /// <summary>Waits until the instance has been given partitions of each of the groups.</summary>
    public async Task OwnsAsync(BelfryProgram instance, params string[] groups)
    {
        foreach (var group in groups)
        {
            var line = $"Group {Prefix}{group}: assigned {Prefix}";
            await Eventually.TrueAsync(
                $"partitions of {group} for {instance.Url}",
                () => Task.FromResult(instance.Process.Output.Contains(line, StringComparison.Ordinal)), () => instance.Process.Output);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Smtp is not null) await Smtp.DisposeAsync();
        await Redis.DisposeAsync();
        await Kafka.DisposeAsync();
        _folder.Dispose();
    }

    private async Task<string> WriteAsync(string name, JsonObject settings)
    {
        var file = Path.Combine(Folder("config"), name + ".json");
        await File.WriteAllTextAsync(file, new JsonObject { ["Belfry"] = settings }.ToJsonString());
        return file;
    }

    private async Task<JsonObject> SettingsAsync(int brokers, int partitions) => new()
    {
        ["Shape"] = "clustered",
        [nameof(Kafka)] = new JsonObject
        {
            ["BootstrapServers"] = Kafka.Bootstrap, ["ReplicationFactor"] = brokers, ["MinInSyncReplicas"] = brokers == 1 ? 1 : 2,
        },
        [nameof(Postgres)] = new JsonObject { ["ConnectionString"] = await Postgres.NewDatabaseAsync() },
        [nameof(Redis)] = new JsonObject { ["Configuration"] = Redis.Configuration },
        ["Topics"] = new JsonObject { [nameof(Prefix)] = Prefix, ["Partitions"] = partitions },
    };
}
