using Belfry.Cli.Tests;
using Belfry.EndToEnd.Tests.Support;

namespace Belfry.EndToEnd.Tests;

/// <summary>Groups whose brokers share out the partitions (<c>Kafka:GroupProtocol=Consumer</c>, KIP-848).</summary>
public class ClusteredProtocolTests
{
    private const int Teams = 12;
    private const int Partitions = 4;

    [SkippableFact]
    public async Task With_groups_of_the_new_protocol_an_instance_dies_the_watch_sees_well_and_tasks_are_repartitioned()
    {
        await using var cluster = await Cluster.StartAsync(
            brokers: 1, Partitions, more: belfry => belfry["Kafka"]!["GroupProtocol"] = "Consumer");
        await using var first = await cluster.StartAsync("first", "--demo");
        await using var second = await cluster.StartAsync("second");
        foreach (var instance in (BelfryProgram[])[first, second]) await cluster.OwnsAsync(instance, "incidents", "scheduler");

        var teams = new List<Team>();
        while (teams.Count < Teams) teams.Add(await Team.MakeAsync(first, teams.Count));
        var before = new List<string>();
        foreach (var team in teams) before.Add(await team.TriggerAsync(team.Number % 2 == 0 ? first : second, "before"));
        await cluster.PagesAsync(before);
        await CommandAsync(0, "watch", "--once", "--config", cluster.Config);

        var after = new List<string>();
        foreach (var team in teams) after.Add(await team.TriggerAsync(second, "during"));
        await second.Process.KillAsync();
        foreach (var team in teams) after.Add(await team.TriggerAsync(first, "after"));
        await cluster.PagesAsync(after);
        foreach (var title in before) cluster.Pages(title).ShouldBe(1, title);
        foreach (var title in after) cluster.Pages(title).ShouldBeLessThanOrEqualTo(2, $"{title}: once, and once a kill");
        await CommandAsync(0, "watch", "--once", "--config", cluster.Config);

        string[] repartition = ["topics", "repartition", "scheduled-tasks", "--partitions", "6", "--config", cluster.Config];
        (await CommandAsync(1, [.. repartition, "--wait", "2"])).ShouldContain("stop the instances that run tasks");
        first.Process.Output.ShouldNotContain("fail:");
        second.Process.Output.ShouldNotContain("fail:");
        await first.Process.TerminateAsync();
        (await CommandAsync(0, repartition)).ShouldContain("with 6 partitions");

        await using var again = await cluster.StartAsync("first", "--demo");
        await cluster.PagesAsync([await teams[0].TriggerAsync(again, "again")]);
        (await again.IncidentsAsync()).Count.ShouldBe(before.Count + after.Count + 1);
        again.Process.Output.ShouldNotContain("fail:");
    }

    private static async Task<string> CommandAsync(int code, params string[] words)
    {
        var (ended, output) = await BelfryCommand.RunAsync(words);
        ended.ShouldBe(code, $"{string.Join(' ', words)}: {output}");
        return output;
    }
}
