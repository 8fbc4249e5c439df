using System.Text.Json.Nodes;
using Belfry.Alerting;
using Belfry.Alerting.Timeline;
using Belfry.EndToEnd.Tests.Support;
using Belfry.Kafka;
using Belfry.Kafka.Tests;
using Belfry.Log;
using Belfry.Postgres.Tests;
using Belfry.Testing;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace Belfry.Cli.Tests;

/// <summary>The real program over a real broker.</summary>
public class WatchCommandTests
{
    private const int StormOf = 300;

    [SkippableFact]
    public async Task A_storm_of_one_shot_producers_raises_the_alarm_within_a_minute()
    {
        await using var cluster = await TestCluster.CreateAsync();
        var topics = await cluster.TopicsAsync();
        var log = await cluster.OpenLogAsync(topics);
        await log.AppendAsync([TestLog.Record(topics.IncidentLog.Name, "one")], default);
        (await BelfryCommand.RunAsync("watch", "--once", "--config", cluster.Config)).Code.ShouldBe(1, "the timeline has one to read");
        await using var watch = BelfryCommand.Start(
            "watch", "--config", cluster.Config, "--interval", "1", "--alone-after", "0", "--producers-least", "50");
        // One line shows that it has looked.
        await Eventually.TrueAsync("the first look", () => Task.FromResult(Lines(watch.Output).Any()), () => watch.Output);

        // The least that may be a storm: from then on it could be seen. How long planting takes is the machine's affair.
        var planted = 0;
        DateTimeOffset? visibleAt = null;
        await Parallel.ForEachAsync(Enumerable.Range(0, StormOf), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (n, cancel) =>
        {
            using var producer = new ProducerBuilder<byte[], byte[]>(new ProducerConfig
            {
                BootstrapServers = cluster.Kafka.BootstrapServers, EnableIdempotence = true, LingerMs = 0,
            }).Build();
            await producer.ProduceAsync(
                new Confluent.Kafka.TopicPartition(topics.IncidentLog.Name, n % 4), new Message<byte[], byte[]> { Value = [1] }, cancel);
            if (Interlocked.Increment(ref planted) == 50) visibleAt = DateTimeOffset.UtcNow;
        });

        var alarm = await Eventually.GetAsync(
            "the alarm", () => Task.FromResult(Of("producer_storm", watch.Output)), () => watch.Output);
        (alarm["at"]!.GetValue<DateTimeOffset>() - visibleAt!.Value).ShouldBeLessThan(TimeSpan.FromSeconds(60));
        alarm["state"]!.GetValue<string>().ShouldBe("open");
        alarm["text"]!.GetValue<string>().ShouldContain("producers");
        await watch.TerminateAsync();
        watch.ExitCode.ShouldBe(0);

        var (code, output) = await BelfryCommand.RunAsync("watch", "--once", "--config", cluster.Config);
        code.ShouldBe(1);
        Of("producer_storm", output)!["text"]!.GetValue<string>().ShouldContain($"{StormOf + 1} producers");
    }

    [SkippableFact]
    public async Task A_group_with_lag_and_no_member_is_found_and_its_end_is_told_and_posted()
    {
        await using var cluster = await TestCluster.CreateAsync();
        var topics = await cluster.TopicsAsync();
        var log = await cluster.OpenLogAsync(topics);
        (await BelfryCommand.RunAsync("watch", "--once", "--config", cluster.Config)).ShouldBe((0, ""), "there is nothing to read");

        var group = TimelineHop.Group(topics);
        await TestLog.FillAsync(log, topics.IncidentLog.Name, 4, each: 3);
        using var sink = new JsonSink();
        await using var watch = BelfryCommand.Start(
            "watch", "--config", cluster.Config, "--interval", "1", "--alone-after", "2", "--webhook", sink.Url);
        var found = await Eventually.GetAsync(
            "the finding", () => Task.FromResult(Of("group_without_members", watch.Output)), () => watch.Output);
        found["subject"]!.GetValue<string>().ShouldBe(group.Name);
        found["text"]!.GetValue<string>().ShouldContain("12 records behind in 4 partitions");

        await using var member = new SpecMember(log.OpenConsumer(group));
        await TestLog.UntilAsync(() => member.Received.Count == 12, member);
        await member.Consumer.CommitAsync([.. member.Received.GroupBy(r => r.Source)
            .Select(r => KeyValuePair.Create(r.Key, r.Max(record => record.Offset) + 1))], default);
        await Eventually.TrueAsync(
            "the end", () => Task.FromResult(Lines(watch.Output).Any(line => line["state"]!.GetValue<string>() == "ended")),
            () => watch.Output);
        var posted = await sink.TakeAsync(2);
        posted.Select(line => (line["state"]!.GetValue<string>(), line["subject"]!.GetValue<string>()))
            .ShouldBe([("open", group.Name), ("ended", group.Name)]);
    }

    [Fact]
    public async Task Brokers_that_cannot_be_reached_are_a_finding()
    {
        Native.Need();
        using var folder = new TempFolder();
        var config = await BelfryCommand.ConfigureAsync(folder, $"127.0.0.1:{ChildProgram.FreePort()}", "Host=127.0.0.1");
        await SetAsync(config, "RequestTimeout", "00:00:02");
        var (code, output) = await BelfryCommand.RunAsync("watch", "--once", "--config", config);
        code.ShouldBe(1);
        Of("unreachable", output).ShouldNotBeNull(output);
    }

    [SkippableFact]
    public async Task A_broker_that_freezes_is_a_finding_that_ends_once_it_is_back()
    {
        Native.Need();
        const int Frozen = 3;
        await using var kafka = await KafkaCluster.StartAsync(Frozen);
        using var folder = new TempFolder();
        var config = await BelfryCommand.ConfigureAsync(folder, kafka.Bootstrap, "Host=127.0.0.1", prefix: "w.");
        await SetAsync(config, "RequestTimeout", "00:00:02");
        // Kept once: what the frozen one leads stays away with it.
        await using (var log = TestLog.Open(TestLog.Options(kafka.Bootstrap) with { ReplicationFactor = 1, MinInSyncReplicas = 1 }))
        {
            var topics = new Topics("w.", 4);
            await log.DeclareAsync(topics.All, default);
            await TestLog.FillAsync(log, topics.IncidentLog.Name, 1, each: 1);
        }

        await using var watch = BelfryCommand.Start("watch", "--config", config, "--interval", "1", "--alone-after", "0");
        // It has looked: the brokers put the frozen one out after some seconds, and its start may take as long.
        await Eventually.TrueAsync(
            "the first look", () => Task.FromResult(Of("group_without_members", watch.Output) is not null), () => watch.Output);
        await kafka.FreezeAsync(Frozen);
        await ToldAsync("open");
        await kafka.ThawAsync(Frozen);
        await ToldAsync("ended");
        watch.HasExited.ShouldBeFalse(watch.Output);

        Task ToldAsync(string state) => Eventually.TrueAsync(
            state,
            () => Task.FromResult(watch.HasExited || Lines(watch.Output).Any(line =>
                (line["kind"]!.GetValue<string>(), line["state"]!.GetValue<string>()) == ("unreachable", state))),
            () => watch.Output);
    }

    /// <summary>The rights that the guide names, and what is said where one is missing.</summary>
    [SkippableFact]
    public async Task Reading_topics_and_describing_groups_is_right_enough_and_what_is_refused_is_named()
    {
        Native.Need();
        await using var broker = await StrictBroker.StartAsync();
        await using var schema = await TestSchema.CreateAsync();
        using var folder = new TempFolder();
        var topics = new Topics("w.", 4);
        await using (var log = TestLog.Open(TestLog.Options(broker.Open)))
        {
            await log.DeclareAsync(topics.All, default);
            var group = TimelineHop.Group(topics);
            await using var member = new SpecMember(log.OpenConsumer(group));
            await TestLog.FillAsync(log, topics.IncidentLog.Name, 1, each: 1);
            await TestLog.UntilAsync(() => member.Received.Count == 1, member);
            await member.Consumer.CommitAsync([new(member.Received[0].Source, member.Received[0].Offset + 1)], default);
        }

        var config = await BelfryCommand.ConfigureAsync(
            folder, broker.SignIn, schema.Options.ConnectionString, schema.Options.Schema, topics.Prefix);
        await SetAsync(config, "Security", new JsonObject
        {
            ["Login"] = nameof(KafkaLogin.ScramSha256), ["User"] = StrictBroker.User, ["Password"] = StrictBroker.Password,
        });

        var (code, output) = await BelfryCommand.RunAsync("watch", "--once", "--config", config);
        code.ShouldBe(1, output);
        Of("unreachable", output)!["text"]!.GetValue<string>().ShouldContain("topic 'w.");
        Of("unreachable", output)!["text"]!.GetValue<string>().ShouldContain(nameof(ErrorCode.TopicAuthorizationFailed));

        await broker.AllowAsync(ResourceType.Topic, topics.Prefix, AclOperation.Read);
        (code, output) = await BelfryCommand.RunAsync("watch", "--once", "--config", config);
        code.ShouldBe(1, output);
        Of("unreachable", output)!["text"]!.GetValue<string>().ShouldContain("group 'w.");
        Of("unreachable", output)!["text"]!.GetValue<string>().ShouldContain(nameof(ErrorCode.GroupAuthorizationFailed));

        await broker.AllowAsync(ResourceType.Group, topics.Prefix, AclOperation.Describe);
        (await BelfryCommand.RunAsync("watch", "--once", "--config", config)).ShouldBe((0, ""));

        (code, output) = await BelfryCommand.RunAsync("topics", "list", "--config", config);
        code.ShouldBe(0, output);
        output.ShouldContain("?", Case.Sensitive, output);
        output.ShouldContain($"{topics.IncidentLog.Name}: its settings could not be read");
        (code, output) = await BelfryCommand.RunAsync("topics", "check", "--config", config);
        output.ShouldContain($"{topics.IncidentLog.Name}: its settings could not be read");
        output.ShouldNotContain("All topics are as declared.");
        await broker.AllowAsync(ResourceType.Topic, topics.IncidentLog.Name, AclOperation.DescribeConfigs);
        (code, output) = await BelfryCommand.RunAsync("topics", "list", "--config", config);
        code.ShouldBe(0, output);
        output.ShouldNotContain($"{topics.IncidentLog.Name}: its");
        output.ShouldContain($"{topics.IncidentCommands.Name}: its settings could not be read");

        // Describing is enough for groups and offsets; producers are told to readers only.
        await broker.ForbidAsync(ResourceType.Topic, topics.Prefix, AclOperation.Read);
        await broker.AllowAsync(ResourceType.Topic, topics.Prefix, AclOperation.Describe);
        (code, output) = await BelfryCommand.RunAsync("watch", "--once", "--config", config);
        code.ShouldBe(0, output);
        output.ShouldContain("does not tell the producers of w.");
        output.ShouldContain("uthorization");
    }

    /// <summary>Of Kafka's settings one more.</summary>
    private static async Task SetAsync(string config, string setting, JsonNode value)
    {
        var settings = JsonNode.Parse(await File.ReadAllTextAsync(config))!;
        settings["Belfry"]!["Kafka"]![setting] = value;
        await File.WriteAllTextAsync(config, settings.ToJsonString());
    }

    private static JsonNode? Of(string kind, string output) =>
        Lines(output).FirstOrDefault(line => line["kind"]!.GetValue<string>() == kind);

    private static IEnumerable<JsonNode> Lines(string output) => output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
        .Where(line => line.StartsWith('{')).Select(line => JsonNode.Parse(line)!);
}
