using System.Net;
using Belfry.Cli.Tests;
using Belfry.EndToEnd.Tests.Support;

namespace Belfry.EndToEnd.Tests;

/// <summary><c>belfry topics repartition</c> as its guide has it, beside instances that take and page events all the time.</summary>
public class ClusteredRepartitionTests
{
    private const string Others = "api,incidents,planning,email,webhook,timeline";
    private const int Teams = 12;
    private const int SnoozeSeconds = 5;

    // Those are not over before both schedulers have stopped, 10 s each at most.
    private const int LongSnoozeSeconds = 30;

    // At first, and when the snooze ends; then who had snoozed it hears of it too.
    private const int Woken = 3;

    [SkippableFact]
    public async Task Tasks_are_repartitioned_while_events_are_taken_and_no_page_is_lost_or_doubled()
    {
        await using var cluster = await Cluster.StartAsync(brokers: 1, partitions: 4);
        await using var front = await cluster.StartAsync("front", "--demo", "--roles", Others);
        await using var other = await cluster.StartAsync("other", "--roles", Others);
        other.SignInAs(front);
        var names = (string[])["one", "two"];
        var schedulers = new List<BelfryProgram>();
        try
        {
            foreach (var name in names) schedulers.Add(await SchedulerAsync(cluster, name, front));
            var teams = new List<Team>();
            while (teams.Count < Teams) teams.Add(await Team.MakeAsync(front, teams.Count));
            var snoozed = await TriggeredAsync(cluster, teams, front, other, "before");

            // What is put off is to come up while nobody runs tasks, and is written before, while and after they are moved.
            foreach (var title in snoozed.Take(Teams / 2)) await front.SnoozeAsync(title, LongSnoozeSeconds);
            foreach (var one in schedulers)
            {
                await one.Process.TerminateAsync();
                one.Process.ExitCode.ShouldBe(0, one.Process.Output);
                one.Process.Output.ShouldNotContain("fail:");
                await one.DisposeAsync();
            }

            schedulers.Clear();
            foreach (var title in snoozed.Skip(Teams / 2)) await other.SnoozeAsync(title, SnoozeSeconds);
            snoozed.AddRange(await TriggeredAsync(cluster, teams, front, other, "stopped"));
            var moving = BelfryCommand.RunAsync(
                "topics", "repartition", "scheduled-tasks", "--partitions", "6", "--config", cluster.Config);
            foreach (var title in snoozed.Skip(Teams)) await front.SnoozeAsync(title, SnoozeSeconds);
            var (code, said) = await moving;
            code.ShouldBe(0, said);
            said.ShouldContain("with 6 partitions");
            var late = await TriggeredAsync(cluster, teams, front, other, "moved");
            foreach (var title in late) await other.SnoozeAsync(title, SnoozeSeconds);
            snoozed.AddRange(late);
            foreach (var title in snoozed) cluster.Pages(title).ShouldBe(1, $"{title}: nobody has run its task");

            foreach (var name in names) schedulers.Add(await SchedulerAsync(cluster, name, front));
            await cluster.PagesAsync(snoozed, least: Woken);
            var last = await TriggeredAsync(cluster, teams, front, other, "again");
            foreach (var title in snoozed) cluster.Pages(title).ShouldBe(Woken, title);
            foreach (var title in last) cluster.Pages(title).ShouldBe(1, title);
            foreach (var instance in (BelfryProgram[])[front, other, .. schedulers])
            {
                await Eventually.TrueAsync($"{instance.Url} is ready", async () =>
                    (await instance.Http.GetAsync("/health/ready")).StatusCode == HttpStatusCode.OK, () => instance.Process.Output);
                instance.Process.Output.ShouldNotContain("fail:");
            }
        }
        finally
        {
            foreach (var one in schedulers) await one.DisposeAsync();
        }
    }

    private static Task<BelfryProgram> SchedulerAsync(Cluster cluster, string name, BelfryProgram front) =>
        cluster.StartAsync(name, "--roles", "scheduler", "--base-url", front.Url.ToString());

    /// <summary>One event of each team, and its page.</summary>
    private static async Task<List<string>> TriggeredAsync(
        Cluster cluster, IReadOnlyList<Team> teams, BelfryProgram front, BelfryProgram other, string what)
    {
        var titles = new List<string>();
        foreach (var team in teams) titles.Add(await team.TriggerAsync(team.Number % 2 == 0 ? front : other, what));
        await cluster.PagesAsync(titles);
        return titles;
    }
}
