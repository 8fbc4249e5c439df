using Belfry.Log;
using Confluent.Kafka;
using Microsoft.Extensions.Logging.Abstractions;
using TopicPartition = Belfry.Log.TopicPartition;

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
            await Task.WhenAll(inspectors.Select(
                pair => TestLog.EventuallyAsync(() => Questions[pair.Key](pair.Value, default))));
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

    /// <summary>Confluent.Kafka frees an error twice when groups are not listed, and tells offsets as it could not learn them.</summary>
    [SkippableFact]
    public async Task Questions_that_the_brokers_leave_open_fail_end_no_process_and_may_be_asked_again()
    {
        await using var cluster = await KafkaCluster.StartAsync(1);
        var options = TestLog.Options(cluster.Bootstrap);
        await using (var log = TestLog.Open(options)) await log.DeclareAsync([TestLog.Topic(Source.Topic, 1)], default);
        using var inspector = KafkaInspector.Open(
            options with { RequestTimeout = TimeSpan.FromSeconds(2) }, NullLogger.Instance);
        await Task.WhenAll(Questions.Values.Select(ask => TestLog.EventuallyAsync(() => ask(inspector, default))));
        await cluster.FreezeAsync(1);
        foreach (var (question, ask) in Questions)
            await Should.ThrowAsync<LogUnavailableException>(() => ask(inspector, default), question);
        await cluster.ThawAsync(1);
        await Task.WhenAll(Questions.Values.Select(ask => TestLog.EventuallyAsync(() => ask(inspector, default))));
    }

    /// <summary>Asked for such a topic by name Confluent.Kafka never answers, and what it is asked next ends the process.</summary>
    [SkippableFact]
    public async Task A_topic_with_a_partition_that_has_no_replica_in_step_is_told_like_any_other()
    {
        const int Killed = 3;
        await using var cluster = await KafkaCluster.StartAsync(Killed);
        var options = TestLog.Options(cluster.Bootstrap) with
        {
            ReplicationFactor = 1, MinInSyncReplicas = 1, RequestTimeout = TimeSpan.FromSeconds(3),
        };
        var topic = TestLog.Topic(Source.Topic, 6);
        using var inspector = KafkaInspector.Open(options, NullLogger.Instance);
        await using var log = TestLog.Open(options);
        await TestLog.EventuallyAsync(() => log.DeclareAsync([topic], default).AsTask());
        await cluster.KillAsync(Killed);
        await WithoutReplicaAsync(options.BootstrapServers);
        for (var round = 0; round < 2; round++)
        {
            await TestLog.EventuallyAsync(async () => (await inspector.PartitionsAsync([topic.Name, "nosuch"], default))
                .ShouldBe(new Dictionary<string, int> { [topic.Name] = 6 }));
            await TestLog.EventuallyAsync(async () => (await inspector.TopicsAsync([topic.Name], default)).Single().Replicas.ShouldBe(1));
            await Should.ThrowAsync<LogUnavailableException>(
                () => inspector.OffsetsAsync([.. Enumerable.Range(0, 6).Select(n => new TopicPartition(topic.Name, n))], default));
            await Should.ThrowAsync<LogUnavailableException>(() => log.DeclareAsync([topic], default).AsTask());
        }

        await cluster.StartAgainAsync(Killed);
        await TestLog.EventuallyAsync(() => log.DeclareAsync([topic], default).AsTask());
    }

    [SkippableFact]
    public async Task Its_end_waits_for_clients_that_do_not_end_no_longer_than_it_may()
    {
        Native.Need();
        await using var clients = new HeldClients();
        var said = new Said();
        var inspector = KafkaInspector.Open(Closing(TimeSpan.FromSeconds(0.2)), said, Clients(clients), TimeProvider.System);
        clients.HoldEnds();
        var startedAt = TimeProvider.System.GetTimestamp();
        inspector.Dispose();
        TimeProvider.System.GetElapsedTime(startedAt).ShouldBeLessThan(AtOnce);
        said.Lines.Items.ShouldContain("Ending Kafka clients takes longer than 00:00:00.2000000; it goes on in the background");
        clients.Ended.Items.ShouldBeEmpty();
        clients.LetEnd();
        await clients.Ended.UntilAsync(ended => ended.Count == 1);
        clients.Ended.Items.ShouldBe([false], "of the pool's threads none may be held");
    }

    [SkippableFact]
    public async Task A_question_that_the_client_leaves_open_is_given_up_after_its_grace_and_one_thread_at_a_time_waits_for_topics()
    {
        Native.Need();
        var time = new ToldTime();
        await using var clients = new HeldClients();
        var options = Closing(AtOnce) with { RequestTimeout = AtOnce };
        using var inspector = KafkaInspector.Open(options, new Said(), Clients(clients), time);
        var questions = new[] { inspector.TopicNamesAsync(default), inspector.TopicNamesAsync(default) };
        await time.Armed.UntilAsync(armed => armed.Count(wait => wait == AtOnce + KafkaReaders.ClientGrace) == 2);
        inspector.Questions.ShouldBe(1);
        time.Advance(15);
        foreach (var question in questions)
            (await Should.ThrowAsync<LogUnavailableException>(() => question)).Message.ShouldStartWith(
                "Kafka at 127.0.0.1:1: asking for the topics: the client has not come back 00:00:05 after the 00:00:10 that it was given");
    }

    [SkippableFact]
    public async Task A_client_that_does_not_end_in_order_is_told_of_and_the_others_end()
    {
        Native.Need();
        await using var clients = new HeldClients { EndFault = new InvalidOperationException("planted") };
        var said = new Said();
        var options = Closing(AtOnce) with { RequestTimeout = TimeSpan.FromSeconds(30) };
        var inspector = KafkaInspector.Open(options, said, Clients(clients), TimeProvider.System);
        // The second client is in use: once it comes back, it finds all closed.
        using var giveUp = new CancellationTokenSource();
        var question = inspector.CommittedAsync("g", giveUp.Token);
        await clients.Made.UntilAsync(made => made.Count == 2);
        inspector.Dispose();
        await giveUp.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => question);
        await clients.Ended.UntilAsync(ended => ended.Count == 2);
        await said.Lines.UntilAsync(lines => lines.Count(line => line.EndsWith("in order: planted", StringComparison.Ordinal)) == 2);
    }

    private static async Task WithoutReplicaAsync(string bootstrap)
    {
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = bootstrap }).Build();
        await TestLog.UntilAsync(() => admin.GetMetadata(TimeSpan.FromSeconds(20)).Topics.Single(t => t.Topic == Source.Topic)
            .Partitions.Exists(partition => partition.InSyncReplicas.Length == 0));
    }

    private static KafkaLogOptions Closing(TimeSpan timeout) => TestLog.Options("127.0.0.1:1") with { CloseTimeout = timeout };

    private static Func<ClientVoice, IConsumer<byte[], byte[]>> Clients(HeldClients clients) =>
        voice => clients.Make(TestLog.Options("127.0.0.1:1"), voice);
}
