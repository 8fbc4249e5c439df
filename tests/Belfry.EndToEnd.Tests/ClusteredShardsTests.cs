using System.Text.Json.Nodes;
using Belfry.EndToEnd.Tests.Support;
using Belfry.Postgres.Tests;
using Npgsql;

namespace Belfry.EndToEnd.Tests;

/// <summary>Tasks and deliveries over two databases (<c>Postgres:Shards</c>), of two instances, one of them killed on the way.</summary>
public class ClusteredShardsTests
{
    private const int Teams = 30;
    private const int Snoozed = 10;

    // Long enough for the death of an instance to fall into it, not for its heir to have begun.
    private const int SnoozeSeconds = 8;

    // At first, and when the snooze ends; then who had snoozed it hears of it too.
    private const int Woken = 3;

    [SkippableFact]
    public async Task Over_two_databases_every_event_is_paged_and_every_snooze_ends_though_an_instance_is_killed()
    {
        var further = await (await PostgresServer.GetAsync()).NewDatabaseAsync();
        await using var cluster = await Cluster.StartAsync(
            brokers: 1, partitions: 6, more: belfry => belfry["Postgres"]!["Shards"] = new JsonArray(further));
        var home = JsonNode.Parse(await File.ReadAllTextAsync(cluster.Config))!["Belfry"]!["Postgres"]!["ConnectionString"]!.ToString();
        await using var first = await cluster.StartAsync("first", "--demo");
        await using var second = await cluster.StartAsync("second");
        second.SignInAs(first);

        var teams = new List<Team>();
        while (teams.Count < Teams) teams.Add(await Team.MakeAsync(first, teams.Count));
        var before = new List<string>();
        foreach (var team in teams) before.Add(await team.TriggerAsync(team.Number % 2 == 0 ? first : second, "before"));
        await cluster.PagesAsync(before);
        var snoozed = before.Take(Snoozed).ToList();
        foreach (var title in snoozed) await second.SnoozeAsync(title, SnoozeSeconds);

        var after = new List<string>();
        foreach (var team in teams) after.Add(await team.TriggerAsync(second, "during"));
        await second.Process.KillAsync();
        foreach (var team in teams) after.Add(await team.TriggerAsync(first, "after"));

        await cluster.PagesAsync(after);
        await cluster.PagesAsync(snoozed, least: Woken);
        (await first.IncidentsAsync()).Select(TitleOf).ShouldBe(before.Concat(after), ignoreOrder: true);
        foreach (var title in snoozed) cluster.Pages(title).ShouldBeLessThanOrEqualTo(Woken + 1, $"{title}: and once a kill");
        foreach (var title in before.Skip(Snoozed)) cluster.Pages(title).ShouldBe(1, title);
        foreach (var title in after) cluster.Pages(title).ShouldBeLessThanOrEqualTo(2, $"{title}: once, and once a kill");
        await SpreadAsync(home, 0);
        await SpreadAsync(further, 1);
        first.Process.Output.ShouldNotContain("fail:");
        second.Process.Output.ShouldNotContain("fail:");

        await first.Process.TerminateAsync();
        await SwappedAsync(cluster, home, further);
        await using var again = await cluster.StartAsync("first");
    }

    private static async Task SwappedAsync(Cluster cluster, string home, string further)
    {
        var swapped = await cluster.ConfigureAsync("swapped", belfry =>
            belfry["Postgres"] = new JsonObject { ["ConnectionString"] = further, ["Shards"] = new JsonArray(home) });
        await using var refused = BelfryProgram.Launch(
            cluster.Folder("first"), ChildProgram.FreePort(), [.. cluster.Shared, "--config", swapped]);
        await refused.EndedAsync();
        refused.ExitCode.ShouldBe(1, refused.Output);
        refused.Output.ShouldContain("is to be shard 0 of 2, but holds rows of shard 1 of 2");
        refused.Output.ShouldContain("Restore Postgres:ConnectionString and Postgres:Shards in their order");
    }

    /// <summary>The database has its part of the tasks and of the deliveries, and no task that belongs into the other.</summary>
    private static async Task SpreadAsync(string database, int number)
    {
        (await CountAsync(database, "task")).ShouldBeGreaterThan(0);
        (await CountAsync(database, "delivery")).ShouldBeGreaterThan(0);
        (await CountAsync(database, $"task where hash % 4096 * 2 / 4096 <> {number}")).ShouldBe(0);
    }

    private static async Task<long> CountAsync(string database, string of)
    {
        await using var connection = new NpgsqlConnection(database);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand($"select count(*) from belfry.{of}", connection);
        return (long)(await command.ExecuteScalarAsync())!;
    }

    private static string TitleOf(JsonNode incident) => incident["title"]!.GetValue<string>();
}
