using System.Net;
using System.Text.Json.Nodes;
using Belfry.Cli.Tests;
using Belfry.EndToEnd.Tests.Support;
using Belfry.Kafka.Tests;
using Belfry.Postgres.Tests;
using Belfry.Redis.Tests;
using Npgsql;

namespace Belfry.EndToEnd.Tests;

/// <summary>
/// Kafka, PostgreSQL and Redis that speak TLS only, with certificates of an authority that the machine does not know, from one
/// configuration file.
/// </summary>
public class ClusteredTlsTests(SecureBroker broker) : IClassFixture<SecureBroker>
{
    [SkippableFact]
    public async Task Over_tls_everywhere_an_event_is_paged_and_acknowledged_and_the_command_line_gets_in_too()
    {
        Part.Redis();
        await broker.NeedAsync();
        using var folder = new TempFolder();
        using var authority = Authority.Root(folder.Sub("authority"), "authority");
        using var between = authority.Delegate("between");
        var postgres = await PostgresAsync(between, authority.CaFile);
        var (redis, redisPort) = await RedisAsync(between);
        await using var _ = redis;
        await using var smtp = await SmtpServer.StartAsync(folder.Sub("mail"));
        var config = Path.Combine(folder.Sub("config"), "belfry.json");
        await File.WriteAllTextAsync(config, Settings(authority.CaFile, postgres, redisPort, Path.Combine(folder.Path, "keys")));

        var (migrated, said) = await BelfryCommand.RunAsync("migrate", "--config", config);
        migrated.ShouldBe(0, said);
        await using (var program = await BelfryProgram.StartAsync(
            folder.Sub("data"), ChildProgram.FreePort(), "--config", config, "--demo", "--smtp", $"127.0.0.1:{smtp.Port}"))
        {
            (await program.SendEventAsync("trigger", "k", "sealed")).StatusCode.ShouldBe(HttpStatusCode.Accepted);
            var mail = await smtp.WaitForAsync("the page", mail => mail.Subject.Contains("sealed", StringComparison.Ordinal));
            using var page = await program.Http.GetAsync(mail.AcknowledgeLink);
            (await AcknowledgePage.PressAsync(program, mail.AcknowledgeLink, page)).StatusCode.ShouldBe(HttpStatusCode.OK);
            (await program.IncidentsAsync()).ShouldHaveSingleItem()["status"]!.GetValue<string>().ShouldBe("acknowledged");

            // All goes on without it: only what it holds tells that it is reached.
            ((long)await redis.RunAsync("DBSIZE")).ShouldBeGreaterThan(0, program.Process.Output);
            program.Process.Output.ShouldNotContain("fail:");
            program.Process.Output.ShouldNotContain("Redis");
        }

        foreach (var words in (string[][])[["topics", "check"], ["migrate"], ["watch", "--once"]])
        {
            var (code, output) = await BelfryCommand.RunAsync([.. words, "--config", config]);
            code.ShouldBe(0, $"{string.Join(' ', words)}: {output}");
        }
    }

    private static async Task<string> PostgresAsync(Authority authority, string caFile)
    {
        var (certificate, key) = authority.Issue("postgres", null, "localhost");
        return new NpgsqlConnectionStringBuilder((await PostgresServer.StartOverTlsAsync(certificate, key)).ConnectionString)
        {
            Host = "localhost", SslMode = SslMode.VerifyFull, RootCertificate = caFile,
        }.ToString();
    }

    /// <summary>Open for the test itself, and encrypted on a port of its own.</summary>
    private static async Task<(RedisServer Server, int Port)> RedisAsync(Authority authority)
    {
        var (certificate, key) = authority.Issue("redis", null, "localhost");
        var port = RedisServer.FreePort();
        return (await RedisServer.StartAsync(
            "--tls-port", $"{port}", "--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", certificate,
            "--tls-auth-clients", "no"), port);
    }

    private string Settings(string caFile, string postgres, int redisPort, string keys) => new JsonObject
    {
        ["Belfry"] = new JsonObject
        {
            ["Shape"] = "clustered",
            ["Keys"] = keys,
            ["Kafka"] = new JsonObject
            {
                ["BootstrapServers"] = broker.SignInOverTls, ["ReplicationFactor"] = 1, ["MinInSyncReplicas"] = 1,
                ["Security"] = new JsonObject
                {
                    ["Tls"] = true, ["CaFile"] = broker.CaFile, ["Login"] = "ScramSha512", ["User"] = SecureBroker.User,
                    ["Password"] = SecureBroker.Password,
                },
            },
            ["Postgres"] = new JsonObject { ["ConnectionString"] = postgres },
            ["Redis"] = new JsonObject { ["Configuration"] = $"localhost:{redisPort}", ["Tls"] = true, ["CaFile"] = caFile },
            ["Topics"] = new JsonObject { ["Prefix"] = $"t{Guid.NewGuid():N}.", ["Partitions"] = 4 },
        },
    }.ToJsonString();
}
