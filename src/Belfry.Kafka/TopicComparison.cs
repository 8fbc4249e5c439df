using System.Globalization;
using Belfry.Log;
using Confluent.Kafka.Admin;

namespace Belfry.Kafka;

/// <summary>A topic as it is.</summary>
/// <param name="Name">With its prefix.</param>
/// <param name="Partitions">How many.</param>
/// <param name="Replicas">The fewest of any partition.</param>
/// <param name="Settings">By Kafka's names; empty when they may not be read.</param>
public sealed record TopicState(string Name, int Partitions, int Replicas, IReadOnlyDictionary<string, string> Settings)
{
    /// <summary>False: they may not be read, which is a right of its own (DescribeConfigs); what they are is not known.</summary>
    public bool SettingsAreKnown => Settings.Count > 0;

    /// <summary>What is other, or less, than declared, each in words. A setting that could not be read is no difference.</summary>
    public IEnumerable<string> DifferencesFrom(TopicDeclaration declared, KafkaLogOptions options)
    {
        if (Partitions != declared.Partitions) yield return $"{Partitions} partitions, {declared.Partitions} are declared";
        foreach (var (name, wanted) in TopicComparison.Settings(declared, options))
        {
            if (!Settings.TryGetValue(name, out var real)) continue;
            var differs = long.TryParse(wanted, CultureInfo.InvariantCulture, out var least)
                && long.TryParse(real, CultureInfo.InvariantCulture, out var value)
                ? value < least && value >= 0
                : real != wanted;
            if (differs) yield return $"{name} is {real}, {wanted} is declared";
        }

        if (Replicas < options.ReplicationFactor) yield return $"{Replicas} replicas instead of {options.ReplicationFactor}";
    }
}

/// <summary>Declarations in Kafka's words.</summary>
internal static class TopicComparison
{
    /// <summary>What a declared topic is created with.</summary>
    public static Dictionary<string, string> Settings(TopicDeclaration topic, KafkaLogOptions options)
    {
        var settings = new Dictionary<string, string>
        {
            // A record tells when the log took it in, not what its writer's clock said.
            ["message.timestamp.type"] = "LogAppendTime",
            ["max.message.bytes"] = Text(options.RecordBytesMax),
            ["cleanup.policy"] = topic.CleanUp == CleanUp.Compact ? "compact" : "delete",
            [topic.CleanUp == CleanUp.Compact ? "delete.retention.ms" : "retention.ms"] = Text((long)topic.Retention.TotalMilliseconds),
        };
        if (options.MinInSyncReplicas > 0) settings["min.insync.replicas"] = Text(options.MinInSyncReplicas);
        return settings;
    }

    /// <param name="topic">As it was found.</param>
    /// <param name="settings">Null when they may not be read.</param>
    public static TopicState State(KnownTopic topic, Dictionary<string, ConfigEntryResult>? settings) => new(
        topic.Name, topic.Partitions.Count, topic.Partitions.Min(partition => partition.Replicas),
        (settings ?? []).ToDictionary(entry => entry.Key, entry => entry.Value.Value ?? "", StringComparer.Ordinal));

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
