using System.Net;
using System.Text.Json.Nodes;
using Belfry.EndToEnd.Tests.Support;

namespace Belfry.EndToEnd.Tests;

/// <summary>
/// The whole way of an event through the clustered shape: three instances of the real program on three Kafka brokers, PostgreSQL and Redis,
/// one of them killed on the way. The same story in one process: <see cref="StoryTests"/>.
/// </summary>
public class ClusteredTests
{
    private const int Partitions = 6;

    // One user hangs at one partition; so many hang at all of them but for bad luck of one in a million.
    private const int TeamsMax = 60;

    [SkippableFact]
    public async Task An_alert_pages_over_any_instance_is_acknowledged_on_another_and_survives_the_death_of_one()
    {
        await using var cluster = await Cluster.StartAsync(brokers: 3, Partitions);
        await using var first = await cluster.StartAsync("first", "--demo");
        await using var second = await cluster.StartAsync("second");
        await using var third = await cluster.StartAsync("third");
        BelfryProgram[] all = [first, second, third];
        foreach (var instance in all[1..]) instance.SignInAs(first);
        foreach (var instance in all) await cluster.OwnsAsync(instance, "incidents", "planning", "scheduler", "dispatch-email", "timeline");
        await using var alertmanager = await Alertmanager.StartAsync(cluster.Folder("alertmanager"), first.Url, first.IntegrationKey);

        // Posted to the first; the link is followed on an instance that did not send it.
        await alertmanager.FireAsync("DiskFull", "db-1");
        var mail = await cluster.Smtp.WaitForAsync(
            "the page", mail => mail.Subject.Contains("DiskFull on db-1", StringComparison.Ordinal));
        var sender = all.Single(instance => IsFrom(mail, instance));
        var other = all.First(instance => instance != sender && instance != first);
        await AcknowledgeAsync(other, mail);
        await StatusAsync(all, "DiskFull on db-1", "acknowledged");

        var teams = await EachPagesAsync(cluster, all);

        // Killed in the middle: an event before, whose page may be on its way, and one after for every team.
        var titles = new List<string>();
        foreach (var team in teams) titles.Add(await team.TriggerAsync(second, "before"));
        await third.Process.KillAsync();
        foreach (var team in teams) titles.Add(await team.TriggerAsync(team.Number % 2 == 0 ? first : second, "after"));
        foreach (var title in titles)
            await cluster.Smtp.WaitForAsync($"the page of {title}", mail => mail.Subject.Contains(title, StringComparison.Ordinal));
        foreach (var title in titles)
            cluster.Smtp.Mails().Count(mail => mail.Subject.Contains(title, StringComparison.Ordinal))
                .ShouldBeLessThanOrEqualTo(2, "once, and once a kill");

        await alertmanager.ResolveAsync("DiskFull", "db-1");
        await StatusAsync([first, second], "DiskFull on db-1", "resolved");
        await StoryAsync([first, second]);
        (await first.IncidentsAsync()).Select(TitleOf)
            .ShouldBe(titles.Concat(teams.Select(team => team.Probe)).Append("DiskFull on db-1"), ignoreOrder: true);
    }

    /// <summary>A mail's link names the instance that sent it: teams are made until each has sent one.</summary>
    private static async Task<IReadOnlyList<Team>> EachPagesAsync(Cluster cluster, IReadOnlyList<BelfryProgram> all)
    {
        var (teams, missing) = (new List<Team>(), all.ToList());
        while (missing.Count > 0)
        {
            teams.Count.ShouldBeLessThan(TeamsMax, $"{string.Join(", ", missing.Select(one => one.Url))} sent nothing");
            var team = await Team.MakeAsync(all[teams.Count % all.Count], teams.Count);
            teams.Add(team);
            await team.TriggerAsync(all[(teams.Count + 1) % all.Count], "probe");
            var mail = await cluster.Smtp.WaitForAsync(
                team.Probe, mail => mail.Subject.Contains(team.Probe, StringComparison.Ordinal));
            missing.RemoveAll(instance => IsFrom(mail, instance));
        }

        return teams;
    }

    private static bool IsFrom(Mail mail, BelfryProgram instance) => mail.AcknowledgeLink.Authority == instance.Url.Authority;

    private static async Task AcknowledgeAsync(BelfryProgram instance, Mail mail)
    {
        var link = new Uri(instance.Url, mail.AcknowledgeLink.PathAndQuery);
        using var page = await instance.Http.GetAsync(link);
        page.StatusCode.ShouldBe(HttpStatusCode.OK);
        using var done = await AcknowledgePage.PressAsync(instance, link, page);
        done.StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    private static async Task StatusAsync(IEnumerable<BelfryProgram> instances, string title, string status)
    {
        foreach (var instance in instances)
            await Eventually.TrueAsync($"{status} at {instance.Url}", async () =>
                (await instance.IncidentsAsync()).Single(one => TitleOf(one) == title)["status"]!.GetValue<string>() == status);
    }

    /// <summary>Whoever is asked tells the same, and all of it.</summary>
    private static async Task StoryAsync(IReadOnlyList<BelfryProgram> instances)
    {
        var id = (await instances[0].IncidentsAsync()).Single(one => TitleOf(one).StartsWith("DiskFull", StringComparison.Ordinal))["id"];
        var stories = new List<string>();
        foreach (var instance in instances)
        {
            var entries = await Eventually.GetAsync("the whole timeline", async () =>
            {
                var told = (await instance.GetAsync($"/api/incidents/{id}/log_entries?limit=100"))["log_entries"]!.AsArray();
                return told.Any(entry => entry!["type"]!.GetValue<string>() == "resolve_log_entry") ? told : null;
            });
            // Listed newest first, told here from the start.
            entries.Select(entry => entry!["type"]!.GetValue<string>()).Reverse().Distinct().ShouldBe(
                ["trigger_log_entry", "assign_log_entry", "notify_log_entry", "acknowledge_log_entry", "resolve_log_entry"]);
            stories.Add(WithoutHosts(entries, instance));
        }

        stories.Distinct().ShouldHaveSingleItem();
    }

    private static string TitleOf(JsonNode incident) => incident["title"]!.GetValue<string>();

    private static string WithoutHosts(JsonArray entries, BelfryProgram instance) =>
        entries.ToJsonString().Replace(instance.Url.Authority, "", StringComparison.Ordinal);
}
