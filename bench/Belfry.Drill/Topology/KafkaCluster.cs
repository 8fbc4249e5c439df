using Confluent.Kafka;

namespace Belfry.Drill.Topology;

/// <summary>
/// Three brokers on loopback, by <c>shared/kafka/kafka</c> (or that of the folder BELFRY_SHARED), with the settings that the reliability
/// reference names for fast failover.
/// </summary>
internal sealed class KafkaCluster
{
    public const int Brokers = 3;

    private static readonly string[] Settings =
        ["broker.session.timeout.ms=2000", "broker.heartbeat.interval.ms=500", "group.min.session.timeout.ms=1000"];

    // Brokers of minutes start sooner when their code is not compiled twice.
    private static readonly Dictionary<string, string> Sizes = new() { ["KAFKA_HEAP"] = "320m", ["KAFKA_TIER"] = "1" };

    private readonly string _script;
    private readonly string _folder;

    private KafkaCluster(string script, string folder, string bootstrap) => (_script, _folder, Bootstrap) = (script, folder, bootstrap);

    public string Bootstrap { get; }

    /// <exception cref="DrillSetupException">There is no script, or no Java.</exception>
    public static async Task<KafkaCluster> StartAsync(string home, int port)
    {
        if ((Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').All(folder => !File.Exists(Path.Combine(folder, "java"))))
            throw new DrillSetupException("no Java: apt-get install openjdk-17-jre-headless");
        try
        {
            _ = Library.VersionString;
        }
        catch (Exception fault) when (fault is DllNotFoundException or InvalidOperationException)
        {
            throw new DrillSetupException($"Kafka's native client is missing; './dev test Kafka' builds it ({fault.Message})");
        }

        var script = Script() ?? throw new DrillSetupException("no Kafka: set BELFRY_SHARED to the folder that holds kafka/kafka");
        var words = new List<string> { script, "start", home, "--brokers", $"{Brokers}", "--port", $"{port}" };
        foreach (var setting in Settings) words.AddRange(["--set", setting]);
        return new KafkaCluster(script, home, (await Children.RunAsync("/", Sizes, [.. words])).Trim());
    }

    public Task KillAsync(int broker) => DoAsync("kill", broker);

    public Task FreezeAsync(int broker) => DoAsync("pause", broker);

    public Task ThawAsync(int broker) => DoAsync("resume", broker);

    /// <summary>Clean: it hands over what it leads.</summary>
    public Task StopAsync(int broker) => DoAsync("down", broker);

    /// <summary>Returns once it serves.</summary>
    public Task UpAsync(int broker) => DoAsync("up", broker);

    /// <summary>The broker that leads most partitions of the topics with this prefix.</summary>
    public int Leader(string prefix) => Topics(prefix).SelectMany(topic => topic.Partitions).GroupBy(partition => partition.Leader)
        .OrderByDescending(led => led.Count()).First().Key;

    /// <summary>Every replica of every partition is in step.</summary>
    public bool IsWhole(string prefix) =>
        Topics(prefix).All(topic => topic.Partitions.All(partition => partition.InSyncReplicas.Length == partition.Replicas.Length));

    private List<TopicMetadata> Topics(string prefix)
    {
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Bootstrap, SocketTimeoutMs = 4_000 })
            .SetLogHandler((_, _) => { }).Build();
        return [.. admin.GetMetadata(TimeSpan.FromSeconds(10)).Topics.Where(t => t.Topic.StartsWith(prefix, StringComparison.Ordinal))];
    }

    private Task<string> DoAsync(string verb, int broker) => Children.RunAsync("/", Sizes, _script, verb, _folder, $"{broker}");

    private static string? Script()
    {
        var places = new List<string>();
        if (Environment.GetEnvironmentVariable("BELFRY_SHARED") is { Length: > 0 } shared) places.Add(shared);
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            places.Add(Path.Combine(folder.FullName, "shared"));
        return places.Select(place => Path.Combine(place, "kafka", "kafka")).FirstOrDefault(File.Exists);
    }
}
