using Belfry.Log;
using Microsoft.Extensions.Logging.Abstractions;
using TopicPartition = Belfry.Log.TopicPartition;

namespace Belfry.Kafka.Tests;

/// <summary>What a group has committed, asked while its coordinator moves.</summary>
public sealed class CommittedOffsetTests
{
    private const int CoordinatorLoading = 14;
    private const int CoordinatorNotAvailable = 15;
    private const int NotCoordinator = 16;
    private static readonly TopicPartition First = new("orders", 0);

    [SkippableFact]
    public async Task A_broker_that_no_longer_coordinates_the_group_ends_no_process()
    {
        using var cluster = new MockCluster();
        cluster.CreateTopic("orders", 1);
        await using var log = TestLog.Open(
            TestLog.Options(cluster.Bootstrap) with { RequestTimeout = TimeSpan.FromSeconds(5) }, new ProducerRegistry());
        await TestLog.EventuallyAsync(async () => await log.DeclareAsync([TestLog.Topic("orders", 1)], default));
        for (var round = 0; round < 3; round++)
        {
            cluster.FailOn(ApiKey.OffsetFetch, NotCoordinator);
            await Should.ThrowAsync<LogUnavailableException>(async () => await log.CommittedAsync("g", First, default));
            cluster.Mend(ApiKey.OffsetFetch);
            await TestLog.EventuallyAsync(async () => (await log.CommittedAsync("g", First, default)).ShouldBeNull());
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
        await Should.ThrowAsync<LogUnavailableException>(async () => await inspector.CommittedAsync("g", default));
        cluster.Mend(ApiKey.OffsetFetch);
        await TestLog.EventuallyAsync(async () => (await inspector.CommittedAsync("g", default)).ShouldBeEmpty());
    }

    [SkippableTheory]
    [InlineData(nameof(ApiKey.OffsetFetch), NotCoordinator)]
    [InlineData(nameof(ApiKey.OffsetFetch), CoordinatorNotAvailable)]
    [InlineData(nameof(ApiKey.OffsetFetch), CoordinatorLoading)]
    [InlineData(nameof(ApiKey.FindCoordinator), CoordinatorNotAvailable)]
    public async Task A_broker_that_does_not_coordinate_the_group_yet_is_asked_again(string request, int error)
    {
        using var cluster = new MockCluster();
        cluster.CreateTopic("orders", 1);
        var options = TestLog.Options(cluster.Bootstrap);
        using var inspector = KafkaInspector.Open(options, NullLogger.Instance);
        await using var log = TestLog.Open(options, new ProducerRegistry());
        await log.DeclareAsync([TestLog.Topic("orders", 1)], default);
        cluster.Fail(Enum.Parse<ApiKey>(request), error);
        (await inspector.CommittedAsync("g", default)).ShouldBeEmpty();
        cluster.Fail(Enum.Parse<ApiKey>(request), error);
        (await log.CommittedAsync("g", First, default)).ShouldBeNull();
    }

    /// <summary>The client goes on looking for the coordinator of a question that it has let time out, and uses it after free.</summary>
    [SkippableFact]
    public async Task A_coordinator_that_comes_back_after_a_question_was_given_up_ends_no_process()
    {
        const int Coordinator = 2;
        using var cluster = new MockCluster(3);
        cluster.CreateTopic("orders", 1, replicas: 3);
        cluster.MoveCoordinator("g", Coordinator);
        var options = TestLog.Options(cluster.Bootstrap) with { RequestTimeout = TimeSpan.FromSeconds(1) };
        using var inspector = KafkaInspector.Open(options, NullLogger.Instance);
        await using var log = TestLog.Open(options, new ProducerRegistry());
        await TestLog.EventuallyAsync(async () => await log.DeclareAsync([TestLog.Topic("orders", 1)], default));
        await TestLog.EventuallyAsync(async () => (await inspector.CommittedAsync("g", default)).ShouldBeEmpty());
        await TestLog.EventuallyAsync(async () => (await log.CommittedAsync("g", First, default)).ShouldBeNull());
        for (var round = 0; round < 3; round++)
        {
            cluster.Down(Coordinator);
            await Task.WhenAll(
                Should.ThrowAsync<LogUnavailableException>(async () => await inspector.CommittedAsync("g", default)),
                Should.ThrowAsync<LogUnavailableException>(async () => await log.CommittedAsync("g", First, default)));
            cluster.Up(Coordinator);
            await TestLog.EventuallyAsync(async () => (await inspector.CommittedAsync("g", default)).ShouldBeEmpty());
            await TestLog.EventuallyAsync(async () => (await log.CommittedAsync("g", First, default)).ShouldBeNull());
        }

        // Asked, and answered too late, by so much that a timer which is late itself is still the first.
        cluster.SetRoundTrip(TimeSpan.FromSeconds(6));
        await Task.WhenAll(
            Should.ThrowAsync<LogUnavailableException>(async () => await inspector.CommittedAsync("g", default)),
            Should.ThrowAsync<LogUnavailableException>(async () => await log.CommittedAsync("g", First, default)));
        cluster.SetRoundTrip(TimeSpan.Zero);
        await TestLog.EventuallyAsync(async () => (await inspector.CommittedAsync("g", default)).ShouldBeEmpty());
        await TestLog.EventuallyAsync(async () => (await log.CommittedAsync("g", First, default)).ShouldBeNull());
    }
}
