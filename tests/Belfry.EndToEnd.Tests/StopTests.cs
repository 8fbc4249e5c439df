using System.Net;
using Belfry.EndToEnd.Tests.Support;

namespace Belfry.EndToEnd.Tests;

/// <summary>The real program told to stop (SIGTERM), and started again on the same folder.</summary>
public class StopTests
{
    /// <summary>Promised (<c>StopLimits</c>), by a machine that does not stand still meanwhile.</summary>
    private static readonly TimeSpan StopMax = TimeSpan.FromSeconds(10);

    /// <summary>Of stops of which one is to keep all that is promised: the others may have met a machine that stood still.</summary>
    private const int StopsMax = 3;

    /// <summary>A stop that drains in time is no fault: nothing is sent twice.</summary>
    [SkippableFact]
    public async Task Stopped_under_load_it_drains_in_time_and_the_next_start_loses_nothing()
    {
        var seen = new List<(TimeSpan Took, int CopiesMax, bool IsInOrder)>();
        while (!seen.Exists(stop => stop is { CopiesMax: 1, IsInOrder: true } && stop.Took < StopMax))
        {
            seen.Count.ShouldBeLessThan(StopsMax, string.Join(", ", seen));
            seen.Add(await StopUnderLoadAsync());
        }
    }

    private static async Task<(TimeSpan Took, int CopiesMax, bool IsInOrder)> StopUnderLoadAsync()
    {
        using var folder = new TempFolder();
        await using var smtp = await SmtpServer.StartAsync(folder.Sub("mail"));
        var (data, port) = (folder.Sub("data"), ChildProgram.FreePort());
        string[] arguments = ["--demo", "--smtp", $"127.0.0.1:{smtp.Port}"];
        await using var first = await BelfryProgram.StartAsync(data, port, arguments);
        await using var load = EventLoad.Start(port, first.IntegrationKey, senders: 8);
        await load.AcceptedAsync(200);

        var stopped = await first.Process.TerminateAsync();
        var isInOrder = first.Process.ExitCode == 0 && !first.Process.Output.Contains("fail:", StringComparison.Ordinal);

        await using var second = await BelfryProgram.StartAsync(data, port, arguments);
        await load.AcceptedAsync(load.Accepted.Count + 1);
        await load.StopAsync();
        var titles = await Outcome.IncidentsOfAllAsync(second, load);
        await Outcome.MailsOfAllAsync(second, smtp, titles);
        var copiesMax = smtp.Mails().GroupBy(mail => mail.MessageId).Max(copies => copies.Count());
        copiesMax.ShouldBeLessThanOrEqualTo(2);
        return (stopped, copiesMax, isInOrder);
    }

    [SkippableFact]
    public async Task A_second_start_goes_on_with_the_incidents_and_the_team_that_were_there()
    {
        using var folder = new TempFolder();
        var (data, port) = (folder.Sub("data"), ChildProgram.FreePort());
        string key, team;
        await using (var first = await BelfryProgram.StartAsync(data, port, "--demo"))
        {
            (key, team) = (first.IntegrationKey, await TeamAsync(first));
            (await first.SendEventAsync("trigger", "k1")).StatusCode.ShouldBe(HttpStatusCode.Accepted);
            await Eventually.TrueAsync("the incident", async () => (await first.IncidentsAsync()).Count == 1);
            await first.Process.TerminateAsync();
            first.Process.ExitCode.ShouldBe(0, first.Process.Output);
        }

        await using var second = await BelfryProgram.StartAsync(data, port, "--demo");
        second.IntegrationKey.ShouldBe(key);
        (await TeamAsync(second)).ShouldBe(team);
        (await second.SendEventAsync("resolve", "k1")).StatusCode.ShouldBe(HttpStatusCode.Accepted);
        await Eventually.TrueAsync("resolved",
            async () => (await second.IncidentsAsync()).Single()["status"]!.GetValue<string>() == "resolved");
    }

    // Everything the demo makes, with its ids.
    private static async Task<string> TeamAsync(BelfryProgram belfry)
    {
        var lists = new List<string>();
        foreach (var noun in (string[])["users", "schedules", "escalation_policies", "services"])
        {
            var items = (await belfry.GetAsync($"/api/{noun}?limit=100"))[noun]!.AsArray();
            items.Count.ShouldBe(noun == "users" ? 3 : 1);
            lists.Add(string.Join(", ", items.Select(item => $"{item!["name"]} {item["id"]}").Order(StringComparer.Ordinal)));
        }

        return string.Join("; ", lists);
    }
}
