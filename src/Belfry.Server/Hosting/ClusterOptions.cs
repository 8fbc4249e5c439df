using Belfry.Kafka;
using Belfry.Postgres;
using Belfry.Redis;

namespace Belfry.Server.Hosting;

/// <summary>
/// What the clustered shape runs on: the sections <c>Belfry:Kafka</c>, <c>Belfry:Postgres</c>, <c>Belfry:Redis</c> and <c>Belfry:Topics</c>
/// of the configuration, each with the properties of its options class. docs/configuration.md lists them.
/// </summary>
internal sealed record ClusterOptions(
    KafkaLogOptions Kafka, PostgresOptions Postgres, RedisOptions? Redis, string TopicPrefix, int TopicPartitions)
{
    private const int PartitionsMax = 1_024;

    /// <summary>Null when something is wrong; the faults say what.</summary>
    public static ClusterOptions? Read(IConfiguration configuration, List<string> faults)
    {
        var before = faults.Count;
        var kafka = Section<KafkaLogOptions>(configuration, "Kafka", "BootstrapServers", faults);
        var postgres = Section<PostgresOptions>(configuration, "Postgres", "ConnectionString", faults);
        var redis = configuration.GetSection("Belfry:Redis").Exists()
            ? Section<RedisOptions>(configuration, "Redis", "Configuration", faults)
            : null;
        var partitions = configuration.GetValue("Belfry:Topics:Partitions", 12);
        if (partitions is < 1 or > PartitionsMax)
            faults.Add($"Belfry:Topics:Partitions is {partitions}, 1 to {PartitionsMax} is needed.");
        return faults.Count > before
            ? null
            : new ClusterOptions(kafka!, postgres!, redis, configuration["Belfry:Topics:Prefix"] ?? "", partitions);
    }

    private static T? Section<T>(IConfiguration configuration, string name, string needed, List<string> faults) where T : class
    {
        var section = configuration.GetSection($"Belfry:{name}");
        if (string.IsNullOrWhiteSpace(section[needed]))
        {
            faults.Add($"The clustered shape needs Belfry:{name}:{needed} (in the environment: Belfry__{name}__{needed}=…).");
            return null;
        }

        try
        {
            return section.Get<T>(binder => binder.ErrorOnUnknownConfiguration = true);
        }
        catch (InvalidOperationException fault)
        {
            faults.Add($"Belfry:{name}: {fault.Message}");
            return null;
        }
    }
}
