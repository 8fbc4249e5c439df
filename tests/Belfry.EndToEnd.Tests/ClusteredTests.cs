using System.Net;
using System.Text.Json.Nodes;
using Belfry.EndToEnd.Tests.Support;
using Belfry.Kafka.Tests;
using Belfry.Postgres.Tests;
using Belfry.Redis.Tests;
using Npgsql;

namespace Belfry.EndToEnd.Tests;

/// <summary>The clustered shape: instances of the real program that share a real Kafka, PostgreSQL and Redis.</summary>
public class ClusteredTests
{
    [SkippableFact]
    public async Task What_one_instance_takes_another_pages_and_the_death_of_one_loses_nothing()
    {
        var kafka = await KafkaBroker.BootstrapAsync();
        var postgres = await DatabaseAsync();
        Part.Redis();
        await using var redis = await RedisServer.StartAsync();
        using var folder = new TempFolder();
        await using var smtp = await SmtpServer.StartAsync(folder.Sub("mail"));
        var config = Path.Combine(folder.Sub("config"), "belfry.json");
        await File.WriteAllTextAsync(config, Settings(kafka, postgres, redis.Configuration));
        string[] shared = ["--config", config, "--keys", folder.Sub("keys"), "--smtp", $"127.0.0.1:{smtp.Port}"];
        await using var first = await BelfryProgram.StartAsync(folder.Sub("first"), ChildProgram.FreePort(), [.. shared, "--demo"]);
        await using var second = await BelfryProgram.StartAsync(folder.Sub("second"), ChildProgram.FreePort(), shared);
        second.Api.DefaultRequestHeaders.Authorization = first.Api.DefaultRequestHeaders.Authorization;

        (await SendAsync(second, first.IntegrationKey, "before")).ShouldBe(HttpStatusCode.Accepted);
        await smtp.WaitForAsync("the page", mail => mail.Subject.Contains("before", StringComparison.Ordinal));
        foreach (var instance in (BelfryProgram[])[first, second])
            (await instance.IncidentsAsync()).ShouldHaveSingleItem()["title"]!.GetValue<string>().ShouldBe("before");

        // Half while both are there, by turns to either, half after one is gone without a word.
        var titles = Enumerable.Range(1, 10).Select(n => $"event-{n}-").ToList();
        for (var n = 0; n < titles.Count; n++)
        {
            if (n == titles.Count / 2) await first.Process.KillAsync();
            var taker = n < titles.Count / 2 && n % 2 == 0 ? first : second;
            (await SendAsync(taker, first.IntegrationKey, titles[n])).ShouldBe(HttpStatusCode.Accepted);
        }

        foreach (var title in titles)
            await smtp.WaitForAsync($"the page of {title}", mail => mail.Subject.Contains(title, StringComparison.Ordinal));
        foreach (var title in titles)
            smtp.Mails().Count(mail => mail.Subject.Contains(title, StringComparison.Ordinal))
                .ShouldBeLessThanOrEqualTo(2, "once, and once a kill");
        (await second.IncidentsAsync()).Select(incident => incident["title"]!.GetValue<string>())
            .ShouldBe(titles.Append("before"), ignoreOrder: true);
    }

    private static async Task<HttpStatusCode> SendAsync(BelfryProgram instance, string key, string title)
    {
        using var answer = await instance.Http.PostAsync("/v2/enqueue", new StringContent(new JsonObject
        {
            ["routing_key"] = key,
            ["event_action"] = "trigger",
            ["dedup_key"] = title,
            ["payload"] = new JsonObject { ["summary"] = title, ["source"] = "db-1", ["severity"] = "critical" },
        }.ToJsonString()));
        return answer.StatusCode;
    }

    /// <summary>A database of this test's own.</summary>
    internal static async Task<string> DatabaseAsync()
    {
        var server = await PostgresServer.GetAsync();
        var name = $"belfry_{Guid.NewGuid():N}";
        await using var connection = new NpgsqlConnection(server.ConnectionString);
        await connection.OpenAsync();
        await using var create = new NpgsqlCommand($"create database {name}", connection);
        await create.ExecuteNonQueryAsync();
        return new NpgsqlConnectionStringBuilder(server.ConnectionString) { Database = name }.ToString();
    }

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
