using System.Globalization;
using Belfry.Kafka;
using Belfry.Postgres;
using Belfry.Redis;
using Microsoft.Extensions.Configuration;

namespace Belfry.Cluster;

/// <summary>
/// What the clustered shape runs on: the sections <c>Belfry:Kafka</c>, <c>Belfry:Postgres</c>, <c>Belfry:Redis</c> and <c>Belfry:Topics</c>
/// of the configuration, each with the properties of its options class. docs/configuration.md lists them.
/// </summary>
public sealed record ClusterOptions(
    KafkaLogOptions Kafka, PostgresOptions Postgres, RedisOptions? Redis, TopicOptions Topics)
{
    private const int PartitionsMax = 1_024;
    private static readonly TimeSpan StartWaitDefault = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan StartWaitMax = TimeSpan.FromHours(1);

    /// <summary>How long a start waits for a Kafka or PostgreSQL that does not answer, from zero to an hour. Default 1 min.</summary>
    public TimeSpan StartWait { get; init; } = StartWaitDefault;

    /// <summary>The environment, and below it a JSON file if one is named.</summary>
    /// <param name="file">Null: the environment alone.</param>
    /// <param name="faults">Takes what is wrong with the file, which is then left out.</param>
    public static IConfiguration ConfigurationOf(string? file, List<string> faults)
    {
        var builder = new ConfigurationBuilder();
        try
        {
            if (file is not null) builder.AddJsonFile(Path.GetFullPath(file), optional: false);
            return builder.AddEnvironmentVariables().Build();
        }
        catch (Exception fault) when (fault is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            faults.Add($"--config: {fault.Message}");
            return new ConfigurationBuilder().AddEnvironmentVariables().Build();
        }
    }

    /// <summary>Null when something is wrong; the faults say what.</summary>
    public static ClusterOptions? Read(IConfiguration configuration, List<string> faults)
    {
        var before = faults.Count;
        var kafka = Section<KafkaLogOptions>(configuration, "Kafka", "BootstrapServers", faults);
        var postgres = Section<PostgresOptions>(configuration, "Postgres", "ConnectionString", faults);
        var redis = configuration.GetSection("Belfry:Redis").Exists()
            ? Section<RedisOptions>(configuration, "Redis", "Configuration", faults)
            : null;
        var topics = configuration.GetSection("Belfry:Topics").Exists()
            ? Section<TopicOptions>(configuration, "Topics", null, faults)
            : new TopicOptions();
        if (topics is { Partitions: < 1 or > PartitionsMax })
            faults.Add($"Belfry:Topics:Partitions is {topics.Partitions}, 1 to {PartitionsMax} is needed.");
        var startWait = StartWaitOf(configuration["Belfry:StartWait"], faults);
        return faults.Count > before ? null : new ClusterOptions(kafka!, postgres!, redis, topics!) { StartWait = startWait };
    }

    private static TimeSpan StartWaitOf(string? text, List<string> faults)
    {
        if (text is null) return StartWaitDefault;
        if (TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var wait) && wait >= TimeSpan.Zero && wait <= StartWaitMax)
            return wait;
        faults.Add($"Belfry:StartWait is '{text}', a length of 00:00:00 to {StartWaitMax} is needed.");
        return default;
    }

    private static T? Section<T>(IConfiguration configuration, string name, string? needed, List<string> faults) where T : class
    {
        var section = configuration.GetSection($"Belfry:{name}");
        if (needed is not null && string.IsNullOrWhiteSpace(section[needed]))
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

/// <summary>What Belfry's topics are called, and how many partitions each has.</summary>
public sealed record TopicOptions
{
    /// <summary>Put before the name of every topic and group.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>1 to 1,024. Default 12.</summary>
    public int Partitions { get; init; } = 12;
}
