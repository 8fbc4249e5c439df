using System.Net;
using Belfry.EndToEnd.Tests.Support;

namespace Belfry.EndToEnd.Tests;

/// <summary>Any instance with the role <c>api</c> answers any request, also where all were started at once and on nothing.</summary>
public class ClusteredFrontsTests
{
    private const string Password = "correct horse battery";

    [SkippableFact]
    public async Task Three_instances_that_start_at_once_on_nothing_take_each_others_sessions_forms_and_links()
    {
        await using var cluster = await Cluster.StartAsync(brokers: 1, partitions: 4);
        var starting = new[] { cluster.StartAsync("a", "--demo"), cluster.StartAsync("b"), cluster.StartAsync("c") };
        // Each is awaited, and so disposed of, whatever becomes of the others.
        await Task.WhenAll(starting).ContinueWith(static _ => { }, TaskScheduler.Default);
        await using var a = await starting[0];
        await using var b = await starting[1];
        await using var c = await starting[2];
        BelfryProgram[] all = [a, b, c];

        // Made by the first alone: each reads those of the others soon after its start only, and then once a day.
        Directory.GetFiles(cluster.Folder("keys"), "key-*.xml").ShouldHaveSingleItem();

        // The form of one's link, sent by another, makes the administrator of all.
        var visitor = new Visitor();
        var link = new Uri(a.Ready.GetProperty("setupUrl").GetString()!).PathAndQuery;
        var (status, page) = await visitor.GetAsync(a, link);
        status.ShouldBe(HttpStatusCode.OK);
        (status, _) = await visitor.SubmitAsync(
            b, page, "form", link, ("name", "Grace"), ("email", "grace@example.com"), ("password", Password));
        status.ShouldBe(HttpStatusCode.Redirect);
        foreach (var instance in all)
            await Eventually.TrueAsync($"{instance.Url} knows the session", async () =>
            {
                var (answer, home) = await visitor.GetAsync(instance, "/");
                return answer == HttpStatusCode.OK && home.QuerySelector("form.who") is not null;
            }, () => instance.Process.Output);

        (await a.SendEventAsync("trigger", "k", "at any of them")).StatusCode.ShouldBe(HttpStatusCode.Accepted);
        var mail = await cluster.Smtp.WaitForAsync("the page", mail => mail.Subject.Contains("at any", StringComparison.Ordinal));
        var acknowledge = new Uri(c.Url, mail.AcknowledgeLink.PathAndQuery);
        using (var shown = await c.Http.GetAsync(acknowledge))
            (await AcknowledgePage.PressAsync(c, acknowledge, shown)).StatusCode.ShouldBe(HttpStatusCode.OK);

        // An incident's page from one, its form sent by the next.
        var incident = (await a.IncidentsAsync()).ShouldHaveSingleItem();
        incident["status"]!.GetValue<string>().ShouldBe("acknowledged");
        var path = $"/incidents/{incident["id"]}";
        (status, page) = await visitor.GetAsync(a, path);
        status.ShouldBe(HttpStatusCode.OK);
        (status, page) = await visitor.SubmitAsync(b, page, "form[action$='/resolve']", path);
        status.ShouldBe(HttpStatusCode.SeeOther, page.DocumentElement.TextContent);
        await Eventually.TrueAsync("it is resolved", async () =>
            (await a.IncidentsAsync())[0]["status"]!.GetValue<string>() == "resolved", () => b.Process.Output);

        // Signed out of by one is signed out of all.
        (_, page) = await visitor.GetAsync(a, "/");
        var thief = visitor.Copy();
        (status, _) = await visitor.SubmitAsync(c, page, "form.who", "/logout");
        status.ShouldBe(HttpStatusCode.Redirect);
        foreach (var instance in all)
        {
            (await visitor.GetAsync(instance, "/")).Status.ShouldNotBe(HttpStatusCode.OK);
            await Eventually.TrueAsync(
                $"{instance.Url} forgets the session", async () => (await thief.GetAsync(instance, "/")).Status != HttpStatusCode.OK);
        }

        foreach (var instance in all) instance.Process.Output.ShouldNotContain("fail:");
    }
}
