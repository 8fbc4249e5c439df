using Belfry.Log;
using Belfry.Testing;

namespace Belfry.Kafka.Tests;

/// <summary>Members whose end comes while a poll of theirs is told of a rebalance, and does not come back.</summary>
public sealed class GivenUpMemberTests
{
    private static readonly ConsumerGroup Group = new("g", ["orders"]);

    [SkippableTheory]
    [InlineData(null)]
    [InlineData("one")]
    public async Task It_leaves_although_its_listener_is_still_being_told(string? instanceId)
    {
        using var cluster = new MockCluster();
        cluster.CreateTopic("orders", 2);
        var said = new Said();
        await using var log = KafkaLog.Open(
            TestLog.Options(cluster.Bootstrap) with { GroupInstanceId = instanceId, CloseTimeout = TimeSpan.FromSeconds(20) },
            TimeProvider.System, said, new ProducerRegistry());
        await log.DeclareAsync([TestLog.Topic("orders", 2)], default);
        using var gate = new ManualResetEventSlim();
        var slow = new SlowListener(gate);
        var given = log.OpenConsumer(Group);
        var polling = Task.Run(() => given.PollAsync(slow, 10, TimeSpan.FromSeconds(1), default).AsTask());
        try
        {
            await slow.Told.UntilAsync(told => told.Count == 1);
            await given.DisposeAsync();
            said.Lines.Items.ShouldNotContain(line => line.Contains("takes longer", StringComparison.Ordinal));
            await using var next = new SpecMember(log.OpenConsumer(Group));
            await TestLog.UntilAsync(() => next.Owned.Count == 2, next);
        }
        finally
        {
            gate.Set();
        }

        (await polling).ShouldBeEmpty();
        slow.Told.Items.Count.ShouldBe(1);
    }

    private sealed class SlowListener(ManualResetEventSlim gate) : IAssignmentListener
    {
        public Watched<int> Told { get; } = new();

        public void Assigned(IReadOnlyList<TopicPartition> partitions) => Tell(partitions);

        public ValueTask RevokedAsync(ILogConsumer consumer, IReadOnlyList<TopicPartition> partitions)
        {
            Tell(partitions);
            return ValueTask.CompletedTask;
        }

        public void Lost(IReadOnlyList<TopicPartition> partitions) => Tell(partitions);

        private void Tell(IReadOnlyList<TopicPartition> partitions)
        {
            Told.Add(partitions.Count);
            gate.Wait();
        }
    }
}
