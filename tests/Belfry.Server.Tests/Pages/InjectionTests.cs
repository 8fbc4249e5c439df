using System.Text.Json.Nodes;
using AngleSharp.Dom;
using Belfry.Server.Tests.Support;

namespace Belfry.Server.Tests.Pages;

[Collection(WebCollection.Name)]
public sealed class InjectionTests(RunningServer server)
{
    private static readonly string[] Tags =
    [
        "script", "img src=x onerror", "svg onload", "iframe src", "body onload", "details open ontoggle", "a href", "math", "style",
        "object data",
    ];

    private static readonly string[] Breaks = ["", "\">", "'>", "-->", "</title>", "</textarea>"];

    [Fact]
    public async Task Sixty_payloads_stay_text_in_title_source_details_and_links()
    {
        string[] payloads = [.. Breaks.SelectMany(close => Tags.Select(tag => $"{close}<{tag}=\"javascript:alert(document.domain)\">x"))];
        payloads.Length.ShouldBe(60);
        foreach (var lot in payloads.Chunk(12))
        {
            var details = new JsonObject();
            foreach (var payload in lot) details[payload] = payload;
            var links = new JsonArray(
                [.. lot.Select(payload => new JsonObject { ["href"] = "javascript:alert(1)//" + payload, ["text"] = payload })]);
            var title = string.Concat(lot);
            var id = (string)(await server.TriggerAsync(title, title, details, links))["id"]!;
            foreach (var path in (string[])["/", $"/incidents/{id}"])
            {
                var (status, page) = await server.PageAsync(path);
                status.ShouldBe(200);
                Inert(page);
                page.Body!.TextContent.ShouldContain(lot[0]);
            }
        }
    }

    [Fact]
    public async Task Names_of_people_and_services_stay_text()
    {
        const string Payload = "\"><img src=x onerror=alert(1)>";
        var user = new JsonObject { ["user"] = new JsonObject { ["name"] = Payload, ["email"] = "payload@example.com" } };
        (await server.CallAsync(HttpMethod.Post, "/users", user.ToJsonString())).Status.ShouldBe(201);
        var policy = server.Shape.Catalog.Current.Policies.First().Id.ToString();
        var fields = new JsonObject { ["name"] = Payload, ["description"] = Payload, ["escalation_policy"] = policy };
        var service = new JsonObject { ["service"] = fields };
        (await server.CallAsync(HttpMethod.Post, "/services", service.ToJsonString())).Status.ShouldBe(201);
        foreach (var path in (string[])["/", "/people", "/services", "/oncall"])
        {
            var (_, page) = await server.PageAsync(path);
            Inert(page);
        }
    }

    private static void Inert(IDocument page)
    {
        page.QuerySelectorAll("script:not([src^='/scripts/']), iframe, object, math, style, svg").ShouldBeEmpty();
        page.QuerySelectorAll("img").ShouldAllBe(img => img.GetAttribute("src") == "/belfry.svg");
        page.All.ShouldAllBe(element => element.Attributes.All(a => !a.Name.StartsWith("on", StringComparison.Ordinal)));
        page.QuerySelectorAll("a").Select(a => a.GetAttribute("href")!)
            .ShouldAllBe(href => href.StartsWith('/') || href.StartsWith('#') || href.StartsWith("http"));
    }
}
