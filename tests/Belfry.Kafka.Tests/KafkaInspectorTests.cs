using Belfry.Log;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Kafka.Tests;

/// <summary>The end of a watcher, whose client must not end before the questions that nobody waits for any more.</summary>
public sealed class KafkaInspectorTests
{
    // Well below what the questions are given.
    private static readonly TimeSpan AtOnce = TimeSpan.FromSeconds(10);
    private static readonly TopicPartition Source = new("orders", 0);

    private static readonly Dictionary<string, Func<KafkaInspector, CancellationToken, Task>> Questions = new()
    {
        ["groups"] = (inspector, cancel) => inspector.GroupNamesAsync(cancel),
        ["members"] = (inspector, cancel) => inspector.GroupsAsync(["g", "h", "i"], cancel),
        ["committed"] = (inspector, cancel) => inspector.CommittedAsync("g", cancel),
        ["offsets"] = (inspector, cancel) => inspector.OffsetsAsync([Source], cancel),
        ["names"] = (inspector, cancel) => inspector.TopicNamesAsync(cancel),
        ["partitions"] = (inspector, cancel) => inspector.PartitionsAsync([Source.Topic], cancel),
        ["topics"] = (inspector, cancel) => inspector.TopicsAsync([Source.Topic], cancel),
    };

    [SkippableFact]
    public async Task It_may_be_closed_while_questions_that_were_given_up_are_not_answered()
    {
        await using var cluster = await KafkaCluster.StartAsync(1);
        var options = TestLog.Options(cluster.Bootstrap) with { RequestTimeout = AtOnce * 3 };
        await using (var log = TestLog.Open(options)) await log.DeclareAsync([TestLog.Topic(Source.Topic, 1)], default);
        for (var round = 0; round < 2; round++)
        {
            using var giveUp = new CancellationTokenSource();
            var inspectors = Questions.ToDictionary(pair => pair.Key, _ => KafkaInspector.Open(options, NullLogger.Instance));
            await Task.WhenAll(inspectors.Select(pair => Questions[pair.Key](pair.Value, default)));
            await cluster.FreezeAsync(1);
            var asked = inspectors.Select(pair => (pair.Value, Question: Questions[pair.Key](pair.Value, giveUp.Token))).ToList();
            var startedAt = TimeProvider.System.GetTimestamp();
            await giveUp.CancelAsync();
            foreach (var (inspector, question) in asked)
            {
                await Should.ThrowAsync<OperationCanceledException>(() => question);
                inspector.Dispose();
            }

            TimeProvider.System.GetElapsedTime(startedAt).ShouldBeLessThan(AtOnce);
            await cluster.ThawAsync(1);
        }
    }
}
