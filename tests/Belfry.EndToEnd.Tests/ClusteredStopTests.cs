using System.Net;
using Belfry.EndToEnd.Tests.Support;

namespace Belfry.EndToEnd.Tests;

/// <summary>An instance of the clustered shape that is told to stop (SIGTERM): with everything there, and with a part frozen.</summary>
public class ClusteredStopTests
{
    private static readonly TimeSpan StopMax = TimeSpan.FromSeconds(10);

    [SkippableFact]
    public async Task Stopped_under_load_an_instance_drains_in_time_and_the_next_one_loses_nothing()
    {
        await using var cluster = await Cluster.StartAsync(brokers: 1, partitions: 4);
        await using var first = await cluster.StartAsync("first", "--demo");
        await using var load = EventLoad.Start(first.Url.Port, first.IntegrationKey, senders: 4);
        await load.AcceptedAsync(100);

        var took = await first.Process.TerminateAsync();
        took.ShouldBeLessThan(StopMax, first.Process.Output);
        first.Process.ExitCode.ShouldBe(0, first.Process.Output);
        first.Process.Output.ShouldNotContain("fail:");
        first.Process.Output.ShouldNotContain("stops before");

        await using var second = await BelfryProgram.StartAsync(cluster.Folder("first"), first.Url.Port, [.. cluster.Shared, "--demo"]);
        await load.AcceptedAsync(load.Accepted.Count + 1);
        await load.StopAsync();
        var titles = await Outcome.IncidentsOfAllAsync(second, load);
        await Outcome.MailsOfAllAsync(second, cluster.Smtp, titles);
        cluster.Smtp.Mails().GroupBy(mail => mail.MessageId).ShouldAllBe(
            copies => copies.Count() == 1, "a stop is no fault: nothing is sent twice");
    }

    [SkippableTheory]
    [InlineData("Kafka")]
    [InlineData("PostgreSQL")]
    [InlineData("Redis")]
    public async Task Stopped_while_a_part_is_frozen_an_instance_ends_in_time_and_nothing_accepted_is_lost(string part)
    {
        await using var cluster = await Cluster.StartAsync(brokers: 1, partitions: 4);
        await using var first = await cluster.StartAsync("first", "--demo");
        (await first.SendEventAsync("trigger", "before", "before")).StatusCode.ShouldBe(HttpStatusCode.Accepted);
        await cluster.Smtp.WaitForAsync("the first page", mail => mail.Subject.Contains("before", StringComparison.Ordinal));
        await using (await FrozenAsync(cluster, part))
        {
            // Log or store is enough to take it, and it stays on its way.
            (await first.SendEventAsync("trigger", "during", "during")).StatusCode.ShouldBe(HttpStatusCode.Accepted, first.Process.Output);
            var took = await first.Process.TerminateAsync();
            took.ShouldBeLessThan(StopMax, first.Process.Output);
            first.Process.ExitCode.ShouldBe(0, first.Process.Output);
        }

        await using var second = await cluster.StartAsync("second", "--demo");
        await cluster.Smtp.WaitForAsync("the second page", mail => mail.Subject.Contains("during", StringComparison.Ordinal));
        (await second.IncidentsAsync()).Select(incident => incident["title"]!.GetValue<string>())
            .ShouldBe(["before", "during"], ignoreOrder: true);
    }

    private static async Task<IAsyncDisposable> FrozenAsync(Cluster cluster, string part)
    {
        switch (part)
        {
            case "Kafka":
                await cluster.Kafka.FreezeAsync(1);
                return new Thaw(() => cluster.Kafka.ThawAsync(1));
            case "PostgreSQL":
                await cluster.Postgres.FreezeAsync();
                return new Thaw(cluster.Postgres.ThawAsync);
            default:
                cluster.Redis.Freeze();
                return new Thaw(() =>
                {
                    cluster.Redis.Thaw();
                    return Task.CompletedTask;
                });
        }
    }

    private sealed class Thaw(Func<Task> thaw) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await thaw();
    }
}
