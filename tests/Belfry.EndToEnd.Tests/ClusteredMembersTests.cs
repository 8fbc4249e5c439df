using System.Net;
using System.Text.RegularExpressions;
using Belfry.EndToEnd.Tests.Support;

namespace Belfry.EndToEnd.Tests;

/// <summary>Instances whose names their groups remember (<c>Kafka:GroupInstanceId</c>).</summary>
public partial class ClusteredMembersTests
{
    private static readonly string[] Groups = ["incidents", "planning", "scheduler", "dispatch-email", "timeline"];

    [SkippableFact]
    public async Task A_restart_within_the_session_moves_no_partition()
    {
        await using var cluster = await Cluster.StartAsync(brokers: 1, partitions: 4);
        await using var first = await cluster.StartAsync("a", "--demo", "--config", await NamedAsync(cluster, "a"));
        var second = await cluster.StartAsync("b", "--config", await NamedAsync(cluster, "b"));
        try
        {
            foreach (var instance in (BelfryProgram[])[first, second]) await cluster.OwnsAsync(instance, Groups);
            await PagedAsync(cluster, first, "before", 8);
            var (moves, had) = (Moves(first), Moves(second));

            (await second.Process.TerminateAsync()).ShouldBeLessThan(TimeSpan.FromSeconds(10));
            second.Process.Output.ShouldNotContain("fail:");
            var titles = await TriggeredAsync(first, "meanwhile", 8);
            var port = second.Url.Port;
            await second.DisposeAsync();
            second = await BelfryProgram.StartAsync(
                cluster.Folder("b"), port, [.. cluster.Shared, "--config", await NamedAsync(cluster, "b")]);
            await cluster.PagesAsync(titles);
            await cluster.OwnsAsync(second, Groups);
            await PagedAsync(cluster, first, "after", 8);

            Moves(first).ShouldBe(moves, first.Process.Output);
            Moves(second).Order().ShouldBe(had.Where(move => move.Contains("assigned", StringComparison.Ordinal)).Order());
            first.Process.Output.ShouldNotContain("fail:");
            second.Process.Output.ShouldNotContain("fail:");
            cluster.Smtp.Mails().GroupBy(mail => mail.MessageId).ShouldAllBe(copies => copies.Count() == 1);
        }
        finally
        {
            await second.DisposeAsync();
        }
    }

    [SkippableFact]
    public async Task Two_instances_of_one_name_say_so_and_lose_nothing_and_one_that_is_left_alone_goes_on()
    {
        await using var cluster = await Cluster.StartAsync(brokers: 1, partitions: 4);
        var named = await NamedAsync(cluster, "same");
        await using var first = await cluster.StartAsync("a", "--demo", "--config", named);
        await cluster.OwnsAsync(first, Groups);
        await PagedAsync(cluster, first, "alone", 4);
        await using (var second = await cluster.StartAsync("b", "--config", named))
        {
            await PagedAsync(cluster, first, "together", 12);
            foreach (var instance in (BelfryProgram[])[first, second])
                await Eventually.TrueAsync(
                    $"{instance.Url} says so", () => Task.FromResult(instance.Process.Output.Contains(
                        "has another member of the name 'same'", StringComparison.Ordinal)), () => instance.Process.Output);
            await second.Process.TerminateAsync();
        }

        await PagedAsync(cluster, first, "again", 4);
        (await first.IncidentsAsync()).Select(incident => incident["title"]!.GetValue<string>()).ShouldBeUnique();
    }

    /// <summary>A session that a start on a busy machine fits into.</summary>
    private static Task<string> NamedAsync(Cluster cluster, string name) => cluster.ConfigureAsync(name, belfry =>
    {
        belfry["Kafka"]!["GroupInstanceId"] = name;
        belfry["Kafka"]!["SessionTimeout"] = "00:00:30";
    });

    private static async Task PagedAsync(Cluster cluster, BelfryProgram instance, string what, int count) =>
        await cluster.PagesAsync(await TriggeredAsync(instance, what, count));

    private static async Task<List<string>> TriggeredAsync(BelfryProgram instance, string what, int count)
    {
        var titles = Enumerable.Range(0, count).Select(number => $"{what}-{number}-of-them").ToList();
        foreach (var title in titles)
            (await instance.SendEventAsync("trigger", title, title)).StatusCode.ShouldBe(HttpStatusCode.Accepted);
        return titles;
    }

    /// <summary>What its groups gave it and took from it, a line each.</summary>
    private static List<string> Moves(BelfryProgram instance) =>
        [.. Move().Matches(instance.Process.Output).Select(move => move.Value.TrimEnd())];

    [GeneratedRegex(@"Group \S+: (assigned|revoked|lost) .*")]
    private static partial Regex Move();
}
