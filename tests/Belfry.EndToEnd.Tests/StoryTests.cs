using System.Net;
using System.Text.Json.Nodes;
using Belfry.EndToEnd.Tests.Support;

namespace Belfry.EndToEnd.Tests;

/// <summary>The whole way of one event, through the real program and real neighbours: docs/quickstart.md tells the same story.</summary>
public class StoryTests
{
    [SkippableFact]
    public async Task An_alert_of_a_real_Alertmanager_pages_is_acknowledged_by_link_and_resolves()
    {
        using var folder = new TempFolder();
        await using var smtp = await SmtpServer.StartAsync(folder.Sub("mail"));
        await using var belfry = await BelfryProgram.StartAsync(
            folder.Sub("data"), ChildProgram.FreePort(), "--demo", "--smtp", $"127.0.0.1:{smtp.Port}");
        await using var alertmanager = await Alertmanager.StartAsync(folder.Sub("alertmanager"), belfry.Url, belfry.IntegrationKey);

        await alertmanager.FireAsync("DiskFull", "db-1");
        var mail = await smtp.WaitForAsync(
            "the page", mail => mail.Subject.Contains("DiskFull on db-1", StringComparison.Ordinal));

        var link = mail.AcknowledgeLink;
        var page = await belfry.Http.GetAsync(link);
        page.StatusCode.ShouldBe(HttpStatusCode.OK);
        (await OnlyIncidentAsync(belfry))["status"]!.GetValue<string>().ShouldBe("triggered", "looking at the link changes nothing");

        (await AcknowledgePage.PressAsync(belfry, link, page)).StatusCode.ShouldBe(HttpStatusCode.OK);
        await Eventually.TrueAsync("acknowledged",
            async () => (await OnlyIncidentAsync(belfry))["status"]!.GetValue<string>() == "acknowledged");

        await alertmanager.ResolveAsync("DiskFull", "db-1");
        await Eventually.TrueAsync("resolved by the source",
            async () => (await OnlyIncidentAsync(belfry))["status"]!.GetValue<string>() == "resolved");
        var incident = await OnlyIncidentAsync(belfry);
        var story = await Eventually.GetAsync("the whole timeline", async () =>
        {
            var entries = (await belfry.GetAsync($"/api/incidents/{incident["id"]}/log_entries?limit=100"))["log_entries"]!.AsArray();
            var types = entries.Select(entry => entry!["type"]!.GetValue<string>()).ToList();
            return types.Contains("resolve_log_entry") ? types : null;
        });

        // Listed newest first, told here from the start. A repeated trigger may stand in between, never a second page.
        story.Reverse();
        story.Distinct().ShouldBe(
            ["trigger_log_entry", "assign_log_entry", "notify_log_entry", "acknowledge_log_entry", "resolve_log_entry"]);
        smtp.Mails().Count(found => found.MessageId == mail.MessageId).ShouldBe(1);
        smtp.Mails().Count(found => found.Subject.Contains("DiskFull", StringComparison.Ordinal)).ShouldBe(1);
    }

    private static async Task<JsonNode> OnlyIncidentAsync(BelfryProgram belfry) => (await belfry.IncidentsAsync()).ShouldHaveSingleItem();
}
