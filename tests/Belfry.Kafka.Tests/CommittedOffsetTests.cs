using Belfry.Log;
using Confluent.Kafka;
using Microsoft.Extensions.Logging.Abstractions;
using TopicPartition = Belfry.Log.TopicPartition;

namespace Belfry.Kafka.Tests;

/// <summary>What a group has committed, asked while its coordinator moves.</summary>
public sealed class CommittedOffsetTests
{
    private const int NotCoordinator = 16;
    private static readonly TopicPartition First = new("orders", 0);

    [SkippableFact]
    public async Task A_broker_that_no_longer_coordinates_the_group_ends_no_process()
    {
        using var cluster = new MockCluster();
        cluster.CreateTopic("orders", 1);
        await using var log = TestLog.Open(
            TestLog.Options(cluster.Bootstrap) with { RequestTimeout = TimeSpan.FromSeconds(5) }, new ProducerRegistry());
        await log.DeclareAsync([TestLog.Topic("orders", 1)], default);
        for (var round = 0; round < 3; round++)
        {
            cluster.FailOn(ApiKey.OffsetFetch, NotCoordinator);
            await Should.ThrowAsync<LogUnavailableException>(async () => await log.CommittedAsync("g", First, default));
            cluster.Mend(ApiKey.OffsetFetch);
            (await log.CommittedAsync("g", First, default)).ShouldBeNull();
        }
    }

    [SkippableFact]
    public async Task Nor_does_it_end_a_watcher()
    {
        using var cluster = new MockCluster();
        cluster.CreateTopic("orders", 1);
        using var inspector = KafkaInspector.Open(
            TestLog.Options(cluster.Bootstrap) with { RequestTimeout = TimeSpan.FromSeconds(5) }, NullLogger.Instance);
        cluster.FailOn(ApiKey.OffsetFetch, NotCoordinator);
        await Should.ThrowAsync<KafkaException>(async () => await inspector.CommittedAsync("g", default));
        cluster.Mend(ApiKey.OffsetFetch);
        (await inspector.CommittedAsync("g", default)).ShouldBeEmpty();
    }
}
