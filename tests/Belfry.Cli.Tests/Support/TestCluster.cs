using Belfry.Alerting;
using Belfry.EndToEnd.Tests.Support;
using Belfry.Kafka;
using Belfry.Kafka.Tests;
using Belfry.Postgres;
using Belfry.Postgres.Tests;
using Belfry.Scheduling;
using Npgsql;

namespace Belfry.Cli.Tests;

/// <summary>
/// Topics of one test's own, a schema, and where asked for further databases, on a real Kafka and PostgreSQL, and the configuration that
/// names them.
/// </summary>
internal sealed class TestCluster : IAsyncDisposable
{
    private readonly TempFolder _folder = new();
    private readonly List<KafkaLog> _logs = [];
    private readonly List<string> _further = [];

    private TestCluster(TestSchema schema, PostgresShards shards, KafkaLogOptions kafka, string prefix) =>
        (Schema, Shards, Kafka, Prefix) = (schema, shards, kafka, prefix);

    /// <summary>In the first database.</summary>
    public TestSchema Schema { get; }

    /// <summary>As an instance opens them.</summary>
    public PostgresShards Shards { get; }
    public KafkaLogOptions Kafka { get; }
    public string Prefix { get; }
    public string Config { get; private set; } = "";

    /// <param name="partitions">Of every topic.</param>
    /// <param name="shards">Databases in all.</param>
    public static async Task<TestCluster> CreateAsync(int partitions = 4, int shards = 1)
    {
        var bootstrap = await KafkaBroker.BootstrapAsync();
        var further = new List<string>();
        while (further.Count < shards - 1) further.Add(await (await PostgresServer.GetAsync()).NewDatabaseAsync());
        var schema = await TestSchema.CreateAsync();
        var options = schema.Options with { Shards = further };
        var cluster = new TestCluster(
            schema, await PostgresShards.OpenAsync(options, default), TestLog.Options(bootstrap), $"t{Guid.NewGuid():N}.");
        cluster._further.AddRange(further);
        cluster.Config = await BelfryCommand.ConfigureAsync(
            cluster._folder, bootstrap, options.ConnectionString, options.Schema, cluster.Prefix, partitions, further);
        return cluster;
    }

    /// <summary>How many tasks lie in each database that belong into another.</summary>
    public async Task<IReadOnlyList<long>> AstrayAsync()
    {
        var astray = new List<long>();
        foreach (var database in _further.Prepend(Schema.Options.ConnectionString))
            astray.Add(await RunAsync(database, $"""
                select count(*) from {Schema.Options.Schema}.task where hash % 4096 * {_further.Count + 1} / 4096 <> {astray.Count}
                """));
        return astray;
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
        await Shards.DisposeAsync();
        await Schema.DisposeAsync();
        foreach (var database in _further) await DropAsync(database);
        _folder.Dispose();
    }

    public static async Task DropAsync(string database) => await RunAsync(
        (await PostgresServer.GetAsync()).ConnectionString,
        $"drop database {new NpgsqlConnectionStringBuilder(database).Database} with (force)");

    /// <summary>What a statement answers, if it does.</summary>
    public static async Task<long> RunAsync(string database, string sql)
    {
        await using var connection = new NpgsqlConnection($"{database};Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync() is long count ? count : 0;
    }
}
