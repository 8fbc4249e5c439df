using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Belfry.EndToEnd.Tests.Support;
using Confluent.Kafka;

namespace Belfry.EndToEnd.Tests;

/// <summary>What another program wrote where it does not belong, on a real Kafka: put aside, shown, replayed.</summary>
public class FailedEventTests
{
    private const int Partitions = 4;

    [SkippableFact]
    public async Task A_failed_event_that_is_replayed_pages_once_and_one_that_cannot_be_read_fails_again_under_its_id()
    {
        await using var cluster = await Cluster.StartAsync(brokers: 1, Partitions);
        await using var program = await cluster.StartAsync("only", "--demo");
        (await program.SendEventAsync("trigger", "sound", "sound")).StatusCode.ShouldBe(HttpStatusCode.Accepted);
        await PagedAsync(cluster, "sound");

        // The bytes of an event, in a partition that its service does not belong to, and bytes that are nothing at all.
        var events = $"{cluster.Prefix}incoming-events";
        var sound = Read(cluster, events);
        var (id, stray) = AnotherEvent(sound, "stray");
        var place = await WriteAsync(cluster, new(events, (sound.Partition.Value + 1) % Partitions), sound.Message.Key, stray);
        var strayed = (await FailedAsync(program, count: 1)).Single();
        Text(strayed, "event_id").ShouldBe(id);
        Text(strayed, "reason").ShouldContain($"belongs to partition {sound.Partition.Value}, not {place.Partition.Value}");
        Text(strayed, "source").ShouldBe($"{events}/{place.Partition.Value}@{place.Offset.Value}");
        Text(strayed, "status").ShouldBe("failed");
        foreach (var (topic, kind) in new[] { (events, "event"), ($"{cluster.Prefix}incident-commands", "command") })
            await UnreadableAsync(cluster, program, new TopicPartition(topic, sound.Partition), sound.Message.Key, kind);

        // Replayed twice, for the first answer may have been lost.
        for (var time = 0; time < 2; time++)
            Text((await ReplayAsync(program, strayed))["failed_event"]!, "event_id").ShouldBe(id);
        await PagedAsync(cluster, "stray");
        await Eventually.TrueAsync("the event's state", async () =>
            Text((await program.GetAsync($"/api/events/{id}"))["event"]!, "status") == "processed");

        // Behind all of the above in the same partition.
        (await program.SendEventAsync("trigger", "after", "after")).StatusCode.ShouldBe(HttpStatusCode.Accepted);
        await PagedAsync(cluster, "after");
        (await program.IncidentsAsync()).Select(incident => Text(incident, "title"))
            .ShouldBe(["sound", "stray", "after"], ignoreOrder: true);
        cluster.Smtp.Mails().Count(mail => mail.Subject.Contains("stray", StringComparison.Ordinal)).ShouldBe(1);
        await NoneAsync(program, "/api/failed_events/0/999/replay");
        await NoneAsync(program, $"/api/failed_events/{Partitions}/0/replay");
    }

    private static Task PagedAsync(Cluster cluster, string title) =>
        cluster.Smtp.WaitForAsync($"the page of {title}", mail => mail.Subject.Contains(title, StringComparison.Ordinal));

    /// <summary>It fails, and replayed it fails again, and is one event all the same.</summary>
    private static async Task UnreadableAsync(Cluster cluster, BelfryProgram program, TopicPartition to, string key, string kind)
    {
        var before = await FailedAsync(program, count: 1);
        var place = await WriteAsync(cluster, to, key, "{\"id\":"u8.ToArray());
        var unread = (await FailedAsync(program, before.Count + 1))[0];
        Text(unread, "reason").ShouldContain("not readable");
        Text(unread, "source").ShouldBe($"{place.Topic}/{place.Partition.Value}@{place.Offset.Value}");
        Text(unread, "record").ShouldBe(kind);
        await ReplayAsync(program, unread);
        var again = (await FailedAsync(program, before.Count + 2))[0];
        (Text(again, "event_id"), Text(again, "record")).ShouldBe((Text(unread, "event_id"), kind));
    }

    /// <summary>The newest first.</summary>
    private static async Task<List<JsonNode>> FailedAsync(BelfryProgram program, int count) =>
        await Eventually.GetAsync($"{count} failed events", async () =>
        {
            var all = (await program.GetAsync("/api/failed_events"))["failed_events"]!.AsArray().Select(one => one!).ToList();
            return all.Count >= count && all.TrueForAll(one => one["status"] is not null) ? all : null;
        }, () => program.Process.Output);

    private static async Task<JsonNode> ReplayAsync(BelfryProgram program, JsonNode failed)
    {
        using var answer = await program.Api.PostAsync($"/api/failed_events/{failed["partition"]}/{failed["offset"]}/replay", null);
        var body = await answer.Content.ReadAsStringAsync();
        answer.StatusCode.ShouldBe(HttpStatusCode.Accepted, body);
        return JsonNode.Parse(body)!;
    }

    private static async Task NoneAsync(BelfryProgram program, string path)
    {
        using var answer = await program.Api.PostAsync(path, null);
        answer.StatusCode.ShouldBe(HttpStatusCode.NotFound, path);
    }

    private static string Text(JsonNode node, string name) => node[name]!.GetValue<string>();

    private static (string Id, byte[] Value) AnotherEvent(ConsumeResult<string, byte[]> record, string title)
    {
        var copy = JsonNode.Parse(record.Message.Value)!;
        var id = Guid.CreateVersion7().ToString("N");
        (copy["id"], copy["dedup_key"], copy["summary"]) = (id, title, title);
        return (id, Encoding.UTF8.GetBytes(copy.ToJsonString()));
    }

    /// <summary>The only record of the topic.</summary>
    private static ConsumeResult<string, byte[]> Read(Cluster cluster, string topic)
    {
        using var consumer = new ConsumerBuilder<string, byte[]>(
            new ConsumerConfig { BootstrapServers = cluster.Kafka.Bootstrap, GroupId = "none", EnableAutoCommit = false }).Build();
        consumer.Assign(Enumerable.Range(0, Partitions).Select(n => new TopicPartitionOffset(topic, n, Offset.Beginning)));
        return consumer.Consume(TimeSpan.FromMinutes(1)).ShouldNotBeNull();
    }

    private static async Task<TopicPartitionOffset> WriteAsync(Cluster cluster, TopicPartition to, string key, byte[] value)
    {
        using var producer = new ProducerBuilder<string, byte[]>(new ProducerConfig { BootstrapServers = cluster.Kafka.Bootstrap }).Build();
        return (await producer.ProduceAsync(to, new Message<string, byte[]> { Key = key, Value = value })).TopicPartitionOffset;
    }
}
