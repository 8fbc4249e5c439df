using Belfry.Log;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Microsoft.Extensions.Logging;

namespace Belfry.Kafka;

/// <summary>Creates declared topics and compares those that are there with their declarations.</summary>
internal sealed partial class KafkaTopics(
    IAdminClient admin, KafkaLogOptions options, TimeProvider time, ILogger logger, ClientVoice voice)
{
    private static readonly TimeSpan LookAgainFirst = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LookAgainMax = TimeSpan.FromSeconds(1);

    /// <summary>Returns once all are there with a leader for each partition.</summary>
    public async Task DeclareAsync(IReadOnlyList<TopicDeclaration> topics, CancellationToken cancel)
    {
        try
        {
            var found = await DescribeAsync(topics, cancel);
            var missing = topics.Where(topic => !found.ContainsKey(topic.Name)).ToList();
            if (missing.Count > 0) await CreateAsync(missing, cancel);
            var (startedAt, wait) = (time.GetTimestamp(), LookAgainFirst);
            for (; !topics.All(topic => IsReady(found, topic)); wait = wait * 2 < LookAgainMax ? wait * 2 : LookAgainMax)
            {
                if (time.GetElapsedTime(startedAt) > options.RequestTimeout)
                    throw new LogUnavailableException(
                        $"No leaders after {options.RequestTimeout} for all partitions of " +
                        $"{string.Join(", ", topics.Where(t => !IsReady(found, t)).Select(t => $"'{t.Name}'"))}.");
                await Task.Delay(wait, time, cancel);
                found = await DescribeAsync(topics, cancel);
            }

            CheckCounts(topics, found);
            await CompareAsync([.. topics.Except(missing)], found, cancel);
        }
        catch (KafkaException fault)
        {
            throw KafkaFaults.Unavailable($"{Declaring} failed", fault, voice);
        }
        catch (TimeoutException fault)
        {
            throw KafkaReaders.Hangs(Declaring, options, voice, fault);
        }
    }

    private string Declaring => $"Kafka at {options.BootstrapServers}: declaring topics";

    private static bool IsReady(Dictionary<string, KnownTopic> found, TopicDeclaration topic) =>
        found.TryGetValue(topic.Name, out var there) && there.IsLed;

    private void CheckCounts(IReadOnlyList<TopicDeclaration> topics, Dictionary<string, KnownTopic> found)
    {
        var wrong = topics.Where(topic => found[topic.Name].Partitions.Count != topic.Partitions).ToList();
        foreach (var topic in wrong) CountDiffers(topic.Name, topic.Partitions, found[topic.Name].Partitions.Count);
        if (wrong.Count > 0)
            throw new TopicMismatchException(wrong[0].Name, wrong[0].Partitions, found[wrong[0].Name].Partitions.Count);
    }

    private async Task<Dictionary<string, KnownTopic>> DescribeAsync(IReadOnlyList<TopicDeclaration> topics, CancellationToken cancel)
    {
        // Waited for to its end, for the client may not end amid it; it blocks its thread for as long as a request may take.
        var metadata = await Task.Run(() => admin.GetMetadata(options.RequestTimeout), CancellationToken.None);
        var found = await TopicLookup.FindAsync(
            [.. topics.Select(topic => topic.Name)], metadata,
            names => AnswerAsync(
                admin.DescribeTopicsAsync(names, new DescribeTopicsOptions { RequestTimeout = options.RequestTimeout }), cancel),
            voice);
        return found.ToDictionary(topic => topic.Name, StringComparer.Ordinal);
    }

    private Task<T> AnswerAsync<T>(Task<T> asked, CancellationToken cancel) =>
        asked.WaitAsync(options.RequestTimeout + KafkaReaders.ClientGrace, time, cancel);

    private async Task CreateAsync(List<TopicDeclaration> topics, CancellationToken cancel)
    {
        try
        {
            await admin.CreateTopicsAsync(
                topics.Select(topic => new TopicSpecification
                {
                    Name = topic.Name,
                    NumPartitions = topic.Partitions,
                    ReplicationFactor = (short)(options.ReplicationFactor == 0 ? -1 : options.ReplicationFactor),
                    Configs = TopicComparison.Settings(topic, options),
                }),
                new CreateTopicsOptions { RequestTimeout = options.RequestTimeout, OperationTimeout = options.RequestTimeout })
                .WaitAsync(options.RequestTimeout + KafkaReaders.ClientGrace, time, cancel);
        }
        catch (CreateTopicsException fault)
        {
            // Another instance may have been first.
            var failed = fault.Results.FirstOrDefault(t => t.Error.IsError && t.Error.Code != ErrorCode.TopicAlreadyExists);
            if (failed is null) return;
            var hint = failed.Error.Code == ErrorCode.InvalidReplicationFactor
                ? $"; ReplicationFactor is {options.ReplicationFactor}, and there are not that many brokers"
                : "";
            throw new LogUnavailableException(
                $"Topic '{failed.Topic}' could not be created: {failed.Error.Reason} ({failed.Error.Code}){hint}", fault);
        }
    }

    /// <summary>Says what of a topic that was there already is less than declared. Only the partition count stops a start.</summary>
    private async Task CompareAsync(List<TopicDeclaration> topics, Dictionary<string, KnownTopic> found, CancellationToken cancel)
    {
        if (topics.Count == 0) return;
        List<DescribeConfigsResult> settings;
        try
        {
            settings = await AnswerAsync(
                admin.DescribeConfigsAsync(
                    topics.Select(topic => new ConfigResource { Type = ResourceType.Topic, Name = topic.Name }),
                    new DescribeConfigsOptions { RequestTimeout = options.RequestTimeout }), cancel);
        }
        catch (KafkaException fault)
        {
            // Reading settings is a right of its own, that a working client need not have.
            NotCompared(fault);
            return;
        }

        foreach (var topic in topics)
        {
            var entries = settings.Single(s => s.ConfigResource.Name == topic.Name).Entries;
            var faults = TopicComparison.State(found[topic.Name], entries).DifferencesFrom(topic, options).ToList();
            if (faults.Count > 0) Differs(topic.Name, string.Join("; ", faults));
        }
    }

    [LoggerMessage(1311, LogLevel.Error, "Topic {Topic} has {Found} partitions but {Declared} are declared")]
    private partial void CountDiffers(string topic, int declared, int found);

    [LoggerMessage(1312, LogLevel.Warning, "Topic {Topic} is not as declared, and is used as it is: {Differences}")]
    private partial void Differs(string topic, string differences);

    [LoggerMessage(1313, LogLevel.Warning, "The topics' settings could not be compared with their declarations")]
    private partial void NotCompared(Exception fault);
}
