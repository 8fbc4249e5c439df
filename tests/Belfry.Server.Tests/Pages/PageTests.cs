using System.Text.Json.Nodes;
using AngleSharp.Dom;
using Belfry.Alerting;
using Belfry.Alerting.Feedback;
using Belfry.Server.Layout;
using Belfry.Server.Tests.Support;
using Microsoft.Extensions.DependencyInjection;

namespace Belfry.Server.Tests.Pages;

[Collection(WebCollection.Name)]
public sealed class PageTests(RunningServer server)
{
    [Theory]
    [InlineData("/")]
    [InlineData("/?state=resolved&urgency=low")]
    [InlineData("/services")]
    [InlineData("/events")]
    [InlineData("/oncall")]
    [InlineData("/people")]
    public async Task A_page_reads_without_script_and_has_its_landmarks(string path)
    {
        var (status, page) = await server.PageAsync(path);
        status.ShouldBe(200);
        page.QuerySelectorAll("h1").Length.ShouldBe(1);
        page.QuerySelector("main#main").ShouldNotBeNull();
        page.QuerySelector("nav[aria-label=Main] a[aria-current=page]").ShouldNotBeNull();
        page.QuerySelectorAll("script:not([src]), style, [style], [onclick]").ShouldBeEmpty();
        page.QuerySelectorAll("form[method=post]").ShouldAllBe(form => form.QuerySelector("input[type=hidden]") != null);
    }

    [Theory]
    [InlineData("/belfry.css", "text/css")]
    [InlineData("/belfry.svg", "image/svg+xml")]
    [InlineData("/scripts/live.js", "text/javascript")]
    public async Task The_style_sheet_and_scripts_are_served(string path, string type)
    {
        using var client = new HttpClient();
        var answer = await client.GetAsync(new Uri(server.Url, path));
        answer.Content.Headers.ContentType!.MediaType.ShouldBe(type);
    }

    [Fact]
    public async Task The_buttons_of_an_incident_work_without_script()
    {
        var id = (string)(await server.TriggerAsync("Buttons"))["id"]!;
        var page = $"/incidents/{id}";
        var answer = await server.SubmitAsync(page, $"form[action='{page}/acknowledge']");
        ((int)answer.StatusCode).ShouldBe(303);
        (await server.PageAsync(page)).Document.QuerySelector(".heading .badge")!.TextContent.ShouldBe("acknowledged");
        ((int)(await server.SubmitAsync(page, $"form[action='{page}/snooze']", ("seconds", "900"))).StatusCode).ShouldBe(303);
        ((int)(await server.SubmitAsync(page, $"form[action='{page}/snooze']", ("seconds", "0"))).StatusCode).ShouldBe(400);
        ((int)(await server.SubmitAsync(page, $"form[action='{page}/escalate']", ("level", "2"))).StatusCode).ShouldBe(303);
        var ben = server.UserOf("ben@example.com").ToString();
        ((int)(await server.SubmitAsync(page, $"form[action='{page}/reassign']", ("user", ben))).StatusCode).ShouldBe(303);
        (await server.PageAsync(page)).Document.QuerySelector("dl.summary")!.TextContent.ShouldContain("Ben Okafor");
        ((int)(await server.SubmitAsync(page, "form.note", ("text", "Found it"))).StatusCode).ShouldBe(303);
        ((int)(await server.SubmitAsync(page, $"form[action='{page}/resolve']")).StatusCode).ShouldBe(303);
        (await server.PageAsync(page)).Document.QuerySelector(".heading .badge")!.TextContent.ShouldBe("resolved");
    }

    [Fact]
    public async Task A_form_without_its_token_changes_nothing()
    {
        var id = (string)(await server.TriggerAsync("Guarded"))["id"]!;
        var answer = await server.SubmitAsync(
            $"/incidents/{id}", $"form[action='/incidents/{id}/resolve']", ("__RequestVerificationToken", "x"));
        ((int)answer.StatusCode).ShouldBe(403);
        (await Browser.ParseAsync(answer)).QuerySelector("h1")!.TextContent.ShouldBe("That was not done");
        ((string)(await server.GetAsync($"/incidents/{id}")).Body!["incident"]!["status"]!).ShouldBe("triggered");
    }

    [Fact]
    public async Task A_service_page_offers_a_snippet_whose_severity_falls_back()
    {
        var service = server.Shape.Catalog.Current.Services.First(one => one.Name == "Checkout");
        var (_, page) = await server.PageAsync($"/services/{service.Id}");
        page.Body!.TextContent.ShouldContain(server.Key);
        page.Body.TextContent.ShouldContain("{{ else }}error{{ end }}");
    }

    [Fact]
    public async Task An_acknowledge_link_acts_once_and_only_by_its_button()
    {
        var incident = await server.TriggerAsync("Linked");
        var id = Id.Parse<IncidentId>((string)incident["id"]!);
        var found = (await new Alerting.Incidents.IncidentDirectory(server.Shape.Ports.Store).FindAsync(id, default))!.Incident;
        var links = new AcknowledgeLinks(server.Shape.LinkKey);
        var user = server.UserOf("chi@example.com");
        var token = links.Sign(id, found.ServiceId, found.Epoch, user, DateTimeOffset.UtcNow);
        (await server.PageAsync($"/ack/{token}")).Document.QuerySelector("button.huge").ShouldNotBeNull();
        ((string)(await server.GetAsync($"/incidents/{id}")).Body!["incident"]!["status"]!).ShouldBe("triggered");
        (await (await server.SubmitAsync($"/ack/{token}", "main form")).Content.ReadAsStringAsync()).ShouldContain("Acknowledged");
        ((string)(await server.GetAsync($"/incidents/{id}")).Body!["incident"]!["status"]!).ShouldBe("acknowledged");
        (await server.PageAsync($"/ack/{token}")).Document.QuerySelector("h1")!.TextContent.ShouldBe("Already done");
        var old = links.Sign(id, found.ServiceId, found.Epoch, user, DateTimeOffset.UtcNow.AddDays(-8));
        (await server.PageAsync($"/ack/{old}")).Status.ShouldBe(410);
        (await server.PageAsync($"/ack/{token[..^2]}AA")).Status.ShouldBe(404);
    }

    [Fact]
    public async Task A_waiting_live_request_answers_when_an_incident_changes()
    {
        var since = (long)JsonNode.Parse(await server.RawAsync("/live/incidents"))!["version"]!;
        var waiting = server.RawAsync($"/live/incidents?since={since}");
        await server.TriggerAsync("Live");
        ((long)JsonNode.Parse(await waiting)!["version"]!).ShouldBeGreaterThan(since);
        (await server.PageAsync("/")).Document.QuerySelector("main[data-live]")!.TextContent.ShouldContain("Live");
    }
}

public sealed class SafeUrlTests
{
    [Theory]
    [InlineData("javascript:alert(1)")]
    [InlineData("JaVaScRiPt:alert(1)")]
    [InlineData("data:text/html,<script>1</script>")]
    [InlineData("vbscript:x")]
    [InlineData("//evil.example")]
    [InlineData("/relative")]
    [InlineData("https://user@evil.example/")]
    [InlineData("\u0001javascript:x")]
    [InlineData(null)]
    public void What_is_no_plain_web_address_becomes_no_link(string? text) => SafeUrl.Of(text).ShouldBeNull();

    [Fact]
    public void A_web_address_becomes_one() => SafeUrl.Of("https://example.com/a?b=c").ShouldBe("https://example.com/a?b=c");
}
