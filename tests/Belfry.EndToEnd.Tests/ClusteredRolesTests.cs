using System.Net;
using Belfry.EndToEnd.Tests.Support;

namespace Belfry.EndToEnd.Tests;

/// <summary>Instances that share the work by <c>--roles</c>, and those that must not start.</summary>
public class ClusteredRolesTests
{
    [SkippableFact]
    public async Task Two_instances_of_disjoint_roles_do_the_whole_way_together_and_one_of_other_keys_does_not_join()
    {
        await using var cluster = await Cluster.StartAsync(brokers: 1, partitions: 4);
        await using var front = await cluster.StartAsync("front", "--demo", "--roles", "api,incidents");
        await using var back = await cluster.StartAsync(
            "back", "--roles", "planning,scheduler,email,webhook,timeline", "--base-url", front.Url.ToString());

        await HopsAsync(front, "incidents", "catalog", "event-trail", "accepted-events", "changes-of-others", "consumer-health");
        foreach (var instance in (BelfryProgram[])[front, back])
            await Eventually.TrueAsync($"{instance.Url} is ready", async () =>
                (await instance.Http.GetAsync("/health/ready")).StatusCode == HttpStatusCode.OK, () => instance.Process.Output);
        (await back.Http.GetAsync("/health/live")).StatusCode.ShouldBe(HttpStatusCode.OK);
        foreach (var path in (string[])["/", "/login", "/api/incidents", "/ack/x", "/belfry.css"])
            (await back.Http.GetAsync(path)).StatusCode.ShouldBe(HttpStatusCode.NotFound, path);
        (await back.SendEventAsync("trigger", "k", routingKey: front.IntegrationKey)).StatusCode.ShouldBe(HttpStatusCode.NotFound);

        (await front.SendEventAsync("trigger", "k", "roles apart")).StatusCode.ShouldBe(HttpStatusCode.Accepted);
        var mail = await cluster.Smtp.WaitForAsync("the page", mail => mail.Subject.Contains("roles apart", StringComparison.Ordinal));
        mail.AcknowledgeLink.Authority.ShouldBe(front.Url.Authority);
        using var page = await front.Http.GetAsync(mail.AcknowledgeLink);
        (await AcknowledgePage.PressAsync(front, mail.AcknowledgeLink, page)).StatusCode.ShouldBe(HttpStatusCode.OK);
        var id = (await front.IncidentsAsync()).ShouldHaveSingleItem()["id"];
        await Eventually.TrueAsync("the whole timeline", async () =>
        {
            var entries = (await front.GetAsync($"/api/incidents/{id}/log_entries?limit=100"))["log_entries"]!.AsArray();
            var types = entries.Select(entry => entry!["type"]!.GetValue<string>()).ToHashSet();
            return types.IsSupersetOf(["trigger_log_entry", "assign_log_entry", "notify_log_entry", "acknowledge_log_entry"]);
        }, () => back.Process.Output);

        await using var stranger = BelfryProgram.Launch(
            cluster.Folder("stranger"), ChildProgram.FreePort(), [.. cluster.Shared, "--keys", cluster.Folder("other-keys")]);
        await stranger.EndedAsync();
        stranger.ExitCode.ShouldBe(1, stranger.Output);
        stranger.Output.ShouldContain("links.key and secrets.key in");
        stranger.Output.ShouldContain("are not what the other instances on");
    }

    private static async Task HopsAsync(BelfryProgram instance, params string[] names)
    {
        using var answer = await instance.Api.GetAsync("/health/details");
        var body = System.Text.Json.Nodes.JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
        body["hops"]!.AsArray().Select(hop => hop!["name"]!.GetValue<string>()).ShouldBe(names, ignoreOrder: true);
    }
}
