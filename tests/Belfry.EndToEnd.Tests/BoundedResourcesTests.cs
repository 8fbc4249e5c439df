using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Belfry.EndToEnd.Tests.Support;
using Belfry.Kafka.Tests;
using Belfry.Postgres.Tests;
using Belfry.Redis.Tests;
using Npgsql;
using Xunit.Abstractions;

namespace Belfry.EndToEnd.Tests;

/// <summary>
/// What a hundred thousand requests leave behind in the real program in the clustered shape: nothing. A producer a request is what took
/// PagerDuty's ingestion down on 28 August 2025.
/// </summary>
public sealed class BoundedResourcesTests(ITestOutputHelper output)
{
    private const int Requests = 100_000;
    private const int WarmUp = 20_000;
    private const int Senders = 8;
    private const int Keys = 200;
    private const int FewMore = 12;

    [SkippableFact]
    public async Task A_hundred_thousand_requests_leave_one_producer_and_sockets_descriptors_threads_and_memory_as_they_were()
    {
        var kafka = await KafkaBroker.BootstrapAsync();
        var postgres = await (await PostgresServer.GetAsync()).NewDatabaseAsync();
        Part.Redis();
        await using var redis = await RedisServer.StartAsync();
        using var folder = new TempFolder();
        var config = Path.Combine(folder.Sub("config"), "belfry.json");
        await File.WriteAllTextAsync(config, Settings(kafka, postgres, redis.Configuration));
        await using var program = await BelfryProgram.StartAsync(
            folder.Sub("data"), ChildProgram.FreePort(), "--config", config, "--keys", folder.Sub("keys"), "--demo");
        var key = await InletAsync(program);

        await SendAsync(program, key, WarmUp, []);
        await QuietAsync(program);
        var before = ProcessSize.Of(program.Process.Id);
        output.WriteLine($"after {WarmUp} requests: {before}");
        var started = Stopwatch.GetTimestamp();
        var broken = new ConcurrentQueue<string>();
        var answers = await SendAsync(program, key, Requests, broken);
        var took = Stopwatch.GetElapsedTime(started);
        await QuietAsync(program);
        var after = ProcessSize.Of(program.Process.Id);
        var producers = (await DetailsAsync(program))["producers"]!;
        output.WriteLine($"after {Requests} more in {took.TotalSeconds:f0} s: {after}");
        output.WriteLine($"producers {producers.ToJsonString()}");
        output.WriteLine($"answers {string.Join(", ", answers.Select(answer => $"{(int)answer.Key}: {answer.Value}"))}");

        broken.ShouldBeEmpty();
        answers[HttpStatusCode.Accepted].ShouldBeGreaterThan(Requests / 2);
        producers["created"]!.GetValue<long>().ShouldBe(1);
        after.Descriptors.ShouldBeLessThanOrEqualTo(before.Descriptors + FewMore);
        after.Sockets.ShouldBeLessThanOrEqualTo(before.Sockets + FewMore);
        after.Threads.ShouldBeLessThanOrEqualTo(before.Threads + FewMore);
        after.ResidentMiB.ShouldBeLessThanOrEqualTo((before.ResidentMiB * 5 / 4) + 32);
    }

    /// <summary>Of ten requests six are events, one is none, and three read: the API, as far as its limit lets, and pages.</summary>
    private static async Task<IReadOnlyDictionary<HttpStatusCode, int>> SendAsync(
        BelfryProgram program, string key, int count, ConcurrentQueue<string> broken)
    {
        var answers = new ConcurrentDictionary<HttpStatusCode, int>();
        var next = 0;
        await Task.WhenAll(Enumerable.Range(0, Senders).Select(async _ =>
        {
            for (var number = Interlocked.Increment(ref next); number <= count; number = Interlocked.Increment(ref next))
            {
                var sent = (number % 10) switch
                {
                    0 => program.Http.PostAsync("/v2/enqueue", new StringContent("{}")),
                    1 => program.Api.GetAsync("/api/incidents?limit=10"),
                    2 => program.Http.GetAsync("/login"),
                    3 => program.Http.GetAsync("/health/ready"),
                    _ => program.Http.PostAsync("/v2/enqueue", new StringContent(Event(key, number))),
                };
                using var answer = await sent;
                answers.AddOrUpdate(answer.StatusCode, 1, (_, before) => before + 1);
                if ((int)answer.StatusCode >= 500)
                    broken.Enqueue($"{answer.RequestMessage!.RequestUri} {answer.StatusCode}: {await answer.Content.ReadAsStringAsync()}");
            }
        }));
        return answers;
    }

    private static string Event(string key, int number) => new JsonObject
    {
        ["routing_key"] = key,
        ["event_action"] = number / Keys % 100 == 99 ? "resolve" : "trigger",
        ["dedup_key"] = $"key-{number % Keys}",
        ["payload"] = new JsonObject { ["summary"] = $"Load {number % Keys}", ["source"] = "load", ["severity"] = "warning" },
    }.ToJsonString();

    /// <summary>An integration of the demo's service without a limit that matters here.</summary>
    private static async Task<string> InletAsync(BelfryProgram program)
    {
        var service = (await program.GetAsync("/api/services"))["services"]![0]!["id"]!.GetValue<string>();
        using var answer = await program.Api.PostAsJsonAsync(
            $"/api/services/{service}/integrations",
            new JsonObject { ["integration"] = new JsonObject { ["events_per_minute"] = 1_000_000 } });
        answer.EnsureSuccessStatusCode();
        return JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["integration"]!["integration_key"]!.GetValue<string>();
    }

    /// <summary>Everything that was taken is done, by two looks one after the other.</summary>
    private static async Task QuietAsync(BelfryProgram program)
    {
        for (var look = 0; look < 2; look++)
            await Eventually.TrueAsync("every group at the end of its topics", async () =>
            {
                var consumers = (await DetailsAsync(program))["consumers"]!.AsArray();
                var partitions = consumers.SelectMany(consumer => consumer!["partitions"]!.AsArray()).ToList();
                return partitions.Count > 0 && partitions.All(partition => partition!["lag_records"]?.GetValue<long>() == 0);
            }, () => program.Process.Output, more: TimeSpan.FromMinutes(4));
    }

    private static async Task<JsonNode> DetailsAsync(BelfryProgram program) => await program.GetAsync("/health/consumers");

    private static string Settings(string kafka, string postgres, string redis) => new JsonObject
    {
        ["Belfry"] = new JsonObject
        {
            ["Shape"] = "clustered",
            ["Kafka"] = new JsonObject { ["BootstrapServers"] = kafka, ["ReplicationFactor"] = 1, ["MinInSyncReplicas"] = 1 },
            ["Postgres"] = new JsonObject { ["ConnectionString"] = postgres },
            ["Redis"] = new JsonObject { ["Configuration"] = redis },
            ["Topics"] = new JsonObject { ["Prefix"] = $"t{Guid.NewGuid():N}.", ["Partitions"] = 4 },
        },
    }.ToJsonString();
}
