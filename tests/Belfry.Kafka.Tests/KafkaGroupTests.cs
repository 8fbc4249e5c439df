using Belfry.Log;
using Belfry.Testing;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Microsoft.Extensions.Logging.Abstractions;
using TopicPartition = Belfry.Log.TopicPartition;

namespace Belfry.Kafka.Tests;

public sealed class KafkaClassicGroupTests() : KafkaGroupTests(KafkaGroupProtocol.Classic);

public sealed class KafkaBrokerGroupTests() : KafkaGroupTests(KafkaGroupProtocol.Consumer);

/// <summary>What only this driver can get wrong, over a real broker.</summary>
public abstract class KafkaGroupTests(KafkaGroupProtocol protocol) : IAsyncLifetime
{
    private static readonly TimeSpan PollWait = TimeSpan.FromMilliseconds(20);

    /// <summary>That of the broker for groups which it shares out. Other brokers than ours have 45 s.</summary>
    private static readonly TimeSpan LongSession = TimeSpan.FromSeconds(30);

    private readonly TimeProvider _time = TimeProvider.System;
    private readonly string _orders = $"t{Guid.NewGuid():N}-orders";
    private readonly List<SpecMember> _members = [];
    private readonly List<KafkaLog> _logs = [];
    private string _bootstrap = "";

    [SkippableFact]
    public async Task A_drain_longer_than_the_session_keeps_the_partition_until_it_has_committed()
    {
        var log = await OpenAsync(TestLog.Options(_bootstrap, protocol) with { SessionTimeout = TimeSpan.FromSeconds(6) });
        await TestLog.FillAsync(log, _orders, 2, 3);
        var one = Join(log);
        await TestLog.UntilAsync(() => one.Received.Count == 6, one);
        one.OnRevoked = async (consumer, partitions) =>
        {
            await Task.Delay(TimeSpan.FromSeconds(10), _time);
            await consumer.CommitAsync([.. partitions.Select(p => new KeyValuePair<TopicPartition, long>(p, 2))], default);
        };
        var two = Join(log);
        await TogetherAsync(() => one.Owned.Count == 1 && two.Received.Count == 1, one, two);
        two.Received.Single().Offset.ShouldBe(2);
        one.EverLost.ShouldBeEmpty();
    }

    /// <summary>Questions too short for a broker that holds a fetch back would make the client hang up on it.</summary>
    [SkippableFact]
    public async Task After_a_rebalance_no_request_is_given_up_and_no_connection_with_it()
    {
        // A machine that stands still makes them late too, but not in each of three rounds.
        for (var round = 1; ; round++)
        {
            var givenUp = await GivenUpAfterRebalanceAsync();
            if (givenUp.Count == 0) return;
            round.ShouldBeLessThan(3, string.Join('\n', givenUp));
        }
    }

    private async Task<List<string>> GivenUpAfterRebalanceAsync()
    {
        var said = new Said();
        var log = KafkaLog.Open(TestLog.Options(_bootstrap, protocol), _time, said, new ProducerRegistry());
        _logs.Add(log);
        await log.DeclareAsync([TestLog.Topic(_orders, 12)], default);
        var one = Join(log);
        await TestLog.UntilAsync(() => one.Owned.Count == 12, one);
        var two = Join(log);
        await TogetherAsync(() => one.Owned.Count == 6 && two.Owned.Count == 6, one, two);
        var startedAt = _time.GetTimestamp();
        await TestLog.UntilAsync(() => _time.GetElapsedTime(startedAt) > TimeSpan.FromSeconds(2), one, two);
        List<string> givenUp = [.. said.Lines.Items.Where(line => line.Contains("REQTMOUT", StringComparison.Ordinal))];
        await LeaveAsync(one);
        await LeaveAsync(two);
        return givenUp;
    }

    [SkippableFact]
    public async Task A_backlog_is_read_without_breaks()
    {
        var log = await OpenAsync(TestLog.Options(_bootstrap, protocol));
        var bytes = new byte[200];
        var random = new Random(1);
        OutgoingRecord Next()
        {
            // Nothing that compresses: several answers of the broker, each of more records than the client reads ahead.
            random.NextBytes(bytes);
            return new OutgoingRecord { Topic = _orders, OrderingKey = "k", Value = bytes.ToArray() };
        }

        for (var n = 0; n < 2; n++) await log.AppendAsync([.. Enumerable.Range(0, 30_000).Select(_ => Next())], default);
        var one = Join(log);
        await TestLog.UntilAsync(() => one.Received.Count > 0, one);
        // A client that waits a second whenever it has read ahead makes six and more of them, a machine that stands still one or two.
        List<int> breaks = [];
        while (one.Received.Count < 60_000 && breaks.Count < 50)
            if ((await one.PollAsync(TimeSpan.FromMilliseconds(400))).Count == 0) breaks.Add(one.Received.Count);
        breaks.Count.ShouldBeLessThan(4, $"after {string.Join(", ", breaks)} records");
    }

    [SkippableFact]
    public async Task Members_that_join_while_another_drains_end_with_each_partition_owned_once()
    {
        var log = await OpenAsync(TestLog.Options(_bootstrap, protocol));
        await TestLog.FillAsync(log, _orders, 2, 1);
        var one = Join(log);
        await TestLog.UntilAsync(() => one.Received.Count == 2, one);
        var (two, three) = (Join(log), Join(log));
        one.OnRevoked = async (_, _) =>
        {
            for (var n = 0; n < 20; n++) await three.PollAsync(PollWait);
        };
        await TestLog.UntilAsync(() => one.EverRevoked.Count > 0, one, two);
        await TestLog.UntilAsync(() => one.Owned.Count + two.Owned.Count + three.Owned.Count == 2, one, two, three);
        foreach (var member in (SpecMember[])[one, two, three]) member.Received.Clear();
        await TestLog.FillAsync(log, _orders, 2, 1);
        await TestLog.UntilAsync(
            () => one.Received.Concat(two.Received).Concat(three.Received).Where(r => r.Offset == 1).DistinctBy(r => r.Source).Count() == 2,
            one, two, three);
    }

    [SkippableFact]
    public async Task A_member_that_polls_too_seldom_ends_and_the_next_one_gets_its_partitions()
    {
        var log = await OpenAsync(TestLog.Options(_bootstrap, protocol) with
        {
            SessionTimeout = TimeSpan.FromSeconds(6),
            PollIntervalMax = TimeSpan.FromSeconds(6),
        });
        var one = Join(log);
        await TestLog.UntilAsync(() => one.Owned.Count == 2, one);
        await Task.Delay(TimeSpan.FromSeconds(10), _time);
        await Should.ThrowAsync<KafkaConsumerEndedException>(async () =>
        {
            for (var n = 0; n < 100; n++) await one.PollAsync(PollWait);
        });
        await Should.ThrowAsync<KafkaConsumerEndedException>(() => one.PollAsync(PollWait));
        await LeaveAsync(one);
        var two = Join(await OpenAsync(TestLog.Options(_bootstrap, protocol)));
        await TestLog.UntilAsync(() => two.Owned.Count == 2, two);
    }

    [SkippableFact]
    public async Task A_static_member_that_comes_back_finds_its_partitions_and_moves_no_others()
    {
        var log = await OpenAsync(TestLog.Options(_bootstrap, protocol) with { GroupInstanceId = "node-1", SessionTimeout = LongSession });
        var other = await OpenAsync(
            TestLog.Options(_bootstrap, protocol) with { GroupInstanceId = "node-2", SessionTimeout = LongSession });
        var (one, two) = (Join(log), Join(other));
        await TestLog.UntilAsync(() => one.Owned.Count == 1 && two.Owned.Count == 1, one, two);
        var had = one.Owned.Single();
        var moved = two.EverRevoked.Count;
        await LeaveAsync(one);
        // Many heartbeats, and well below a session.
        var leftAt = _time.GetTimestamp();
        while (_time.GetElapsedTime(leftAt) < TimeSpan.FromSeconds(3)) await two.PollAsync(PollWait);
        two.Owned.Count.ShouldBe(1, "a static member that left keeps its partitions until its session ends");
        var again = Join(log);
        await TestLog.UntilAsync(() => again.Owned.Count == 1, again, two);
        again.Owned.Single().ShouldBe(had);
        two.EverRevoked.Count.ShouldBe(moved);
    }

    /// <summary>In a classic group the newcomer takes the place, in one that the broker shares out who was there first keeps it.</summary>
    [SkippableFact]
    public async Task Two_members_of_one_name_are_told_so()
    {
        var options = TestLog.Options(_bootstrap, protocol) with { GroupInstanceId = "node-1" };
        var (log, other) = (await OpenAsync(options), await OpenAsync(options));
        var one = Join(log);
        await TestLog.UntilAsync(() => one.Owned.Count == 2, one);
        var two = Join(other);
        var classic = protocol == KafkaGroupProtocol.Classic;
        var (refused, owner) = classic ? (one, two) : (two, one);
        var fault = await Should.ThrowAsync<KafkaConsumerEndedException>(() => TestLog.UntilAsync(() => false, one, two));
        fault.Message.ShouldContain($"Group '{_orders}-g' has another member of the name 'node-1'");
        fault.Message.ShouldContain(classic ? "has taken this one's place" : "this one gets nothing until that has gone");
        fault.Message.ShouldContain("Kafka:GroupInstanceId");
        await Should.ThrowAsync<KafkaConsumerEndedException>(() => refused.PollAsync(PollWait));
        await TestLog.UntilAsync(() => owner.Owned.Count == 2, owner);
        if (classic) return;
        one.EverRevoked.ShouldBeEmpty();
        one.EverLost.ShouldBeEmpty();
        await LeaveAsync(two);
        await LeaveAsync(one);
        var next = Join(other);
        await TestLog.UntilAsync(() => next.Owned.Count == 2, next);
    }

    /// <summary>Left to itself the client stays in the group as a ghost until its session ends, or never ends closing.</summary>
    [SkippableFact]
    public async Task A_member_that_leaves_before_it_was_told_of_a_rebalance_is_gone_before_its_session_ends()
    {
        var log = await OpenAsync(TestLog.Options(_bootstrap, protocol) with { SessionTimeout = LongSession }, 12);
        var stays = Join(log);
        await TestLog.UntilAsync(() => stays.Owned.Count == 12, stays);
        var ghosts = 0;
        for (var round = 0; round < 3; round++)
        {
            var guest = Join(log);
            await TogetherAsync(() => stays.Owned.Count == 6 && guest.Owned.Count == 6, stays, guest);
            var third = Join(log);
            var startedAt = _time.GetTimestamp();
            await TogetherAsync(() => _time.GetElapsedTime(startedAt) > TimeSpan.FromMilliseconds(700), stays, third);
            startedAt = _time.GetTimestamp();
            await LeaveAsync(guest);
            await LeaveAsync(third);
            await TogetherAsync(() => stays.Owned.Count == 12, stays);
            if (_time.GetElapsedTime(startedAt) >= LongSession * 0.8) ghosts++;
        }

        // On a machine that stands still the rebalance may come after the moment that a leave waits for it.
        ghosts.ShouldBeLessThan(2);
    }

    [SkippableFact]
    public async Task Runners_that_come_and_go_hand_every_record_on_and_keep_the_order_of_a_partition()
    {
        var log = await OpenAsync(TestLog.Options(_bootstrap, protocol));
        var handled = new Handled();
        using var stopFirst = new CancellationTokenSource();
        using var stop = new CancellationTokenSource();
        var often = TimeSpan.FromMilliseconds(100);
        var options = new ConsumerOptions { CommitInterval = often, ErrorBackoff = often };
        var group = new ConsumerGroup(_orders + "-g", [_orders]);
        var first = new ConsumerRunner(log, group, handled.Owner, options, _time, NullLogger.Instance).RunAsync(stopFirst.Token);
        await TestLog.FillAsync(log, _orders, 2, 50);
        await handled.UntilAsync(20);
        var second = new ConsumerRunner(log, group, handled.Owner, options, _time, NullLogger.Instance).RunAsync(stop.Token);
        await TestLog.FillAsync(log, _orders, 2, 50);
        await handled.UntilAsync(150);
        await stopFirst.CancelAsync();
        await first;
        await TestLog.FillAsync(log, _orders, 2, 50);
        await handled.UntilAsync(300);
        await stop.CancelAsync();
        await second;
        handled.Distinct.ShouldBe(300);
        for (var n = 0; n < 2; n++) (await log.CommittedAsync(group.Name, new TopicPartition(_orders, n), default)).ShouldBe(150);
    }

    [SkippableFact]
    public async Task Topics_are_created_as_declared_and_an_empty_value_is_a_tombstone_only_where_compacted()
    {
        var log = await OpenAsync(TestLog.Options(_bootstrap, protocol));
        var rules = _orders + "-rules";
        await log.DeclareAsync([TestLog.Topic(rules, 1, CleanUp.Compact)], default);
        using var admin = new AdminClientBuilder(KafkaConfig.Admin(log.Options)).Build();
        var real = (await admin.DescribeConfigsAsync([new ConfigResource { Type = ResourceType.Topic, Name = rules }])).Single().Entries;
        real["cleanup.policy"].Value.ShouldBe("compact");
        real["delete.retention.ms"].Value.ShouldBe("3600000");
        real["message.timestamp.type"].Value.ShouldBe("LogAppendTime");
        real["max.message.bytes"].Value.ShouldBe("2097152");
        foreach (var topic in (string[])[rules, _orders])
        {
            await log.AppendAsync([TestLog.Record(topic, "")], default);
            using var raw = new ConsumerBuilder<byte[], byte[]>(KafkaConfig.Reader(log.Options)).Build();
            raw.Assign(new TopicPartitionOffset(topic, Log.Partitioner.PartitionOf("k", topic == rules ? 1 : 2), 0));
            var message = raw.Consume(TimeSpan.FromSeconds(20)).Message;
            (message.Value is null).ShouldBe(topic == rules);
        }
    }

    [SkippableFact]
    public async Task A_topic_that_cannot_be_replicated_so_often_names_the_setting()
    {
        var log = TestLog.Open(TestLog.Options(_bootstrap, protocol) with { ReplicationFactor = 999, MinInSyncReplicas = 2 }, Registry);
        _logs.Add(log);
        var fault = await Should.ThrowAsync<LogUnavailableException>(
            async () => await log.DeclareAsync([TestLog.Topic(_orders, 2)], default));
        fault.Message.ShouldContain("ReplicationFactor is 999");
    }

    public async Task InitializeAsync() => _bootstrap = await KafkaBroker.BootstrapAsync();

    public async Task DisposeAsync()
    {
        foreach (var member in _members) await member.DisposeAsync();
        if (KafkaBroker.IsExternal && _logs.Count > 0) await TestLog.DeleteTopicsAsync(_logs[0]);
        foreach (var log in _logs) await log.DisposeAsync();
    }

    private static ProducerRegistry Registry => ProducerRegistry.Shared;

    private async Task<KafkaLog> OpenAsync(KafkaLogOptions options, int partitions = 2)
    {
        var log = TestLog.Open(options, Registry);
        _logs.Add(log);
        await log.DeclareAsync([TestLog.Topic(_orders, partitions)], default);
        return log;
    }

    private SpecMember Join(KafkaLog log)
    {
        var member = new SpecMember(log.OpenConsumer(new ConsumerGroup(_orders + "-g", [_orders])));
        _members.Add(member);
        return member;
    }

    private async Task LeaveAsync(SpecMember member)
    {
        _members.Remove(member);
        await member.DisposeAsync();
    }

    /// <summary>Polls all at once, each in a loop of its own, for one of them may be in a revocation for long.</summary>
    private static async Task TogetherAsync(Func<bool> reached, params SpecMember[] members) =>
        await Task.WhenAll(members.Select(member => TestLog.UntilAsync(reached, member)));
}
