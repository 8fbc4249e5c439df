using Belfry.Alerting;
using Belfry.EndToEnd.Tests.Support;
using Belfry.Kafka;
using Belfry.Kafka.Tests;
using Belfry.Postgres;
using Belfry.Postgres.Tests;
using Belfry.Scheduling;

namespace Belfry.Cli.Tests;

/// <summary>Topics and a schema of one test's own, on a real Kafka and PostgreSQL, and the configuration that names them.</summary>
internal sealed class TestCluster : IAsyncDisposable
{
    private readonly TempFolder _folder = new();
    private readonly List<KafkaLog> _logs = [];

    private TestCluster(TestSchema schema, KafkaLogOptions kafka, string prefix) => (Schema, Kafka, Prefix) = (schema, kafka, prefix);

    public TestSchema Schema { get; }
    public KafkaLogOptions Kafka { get; }
    public string Prefix { get; }
    public string Config { get; private set; } = "";

    public static async Task<TestCluster> CreateAsync(int partitions = 4)
    {
        var bootstrap = await KafkaBroker.BootstrapAsync();
        var cluster = new TestCluster(await TestSchema.CreateAsync(), TestLog.Options(bootstrap), $"t{Guid.NewGuid():N}.");
        cluster.Config = await BelfryCommand.ConfigureAsync(
            cluster._folder, bootstrap, cluster.Schema.Options.ConnectionString, cluster.Schema.Options.Schema, cluster.Prefix, partitions);
        return cluster;
    }

    /// <summary>As an instance sees them that starts now.</summary>
    public async Task<Topics> TopicsAsync(int partitions = 4) =>
        new(Prefix, partitions, await new PostgresTaskTopics(Schema.Database).ListAsync(default));

    /// <summary>A log with these topics declared; closed with this.</summary>
    public async Task<KafkaLog> OpenLogAsync(Topics topics)
    {
        var log = TestLog.Open(Kafka);
        _logs.Add(log);
        await log.DeclareAsync(topics.All, default);
        return log;
    }

    public async ValueTask DisposeAsync()
    {
        if (_logs.Count > 0) await TestLog.DeleteTopicsAsync(_logs[^1]);
        foreach (var log in _logs) await log.DisposeAsync();
        await Schema.DisposeAsync();
        _folder.Dispose();
    }
}
