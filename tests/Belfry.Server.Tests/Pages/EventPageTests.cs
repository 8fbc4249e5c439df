using System.Text;
using Belfry.Log;
using Belfry.Server.Tests.Support;

namespace Belfry.Server.Tests.Pages;

[Collection(WebCollection.Name)]
public sealed class EventPageTests(RunningServer server)
{
    [Fact]
    public async Task An_event_is_looked_up_by_its_key_with_a_way_to_its_incident()
    {
        var incident = await server.TriggerAsync("On the page");
        var integration = server.Shape.Catalog.Current.IntegrationOf(server.Key)!;
        var (status, page) = await server.PageAsync($"/events?integration={integration.Id}&dedup_key={(string)incident["incident_key"]!}");
        status.ShouldBe(200);
        var found = page.QuerySelectorAll("#look-up ~ ul li.event").ShouldHaveSingleItem();
        found.QuerySelector(".badge")!.TextContent.ShouldBe("processed");
        found.QuerySelector($"a[href='/incidents/{(string)incident["id"]!}']")!.TextContent.ShouldBe("Opened this incident");
        found.TextContent.ShouldContain("On the page");
        page.QuerySelector("select[name=integration] option[selected]")!.GetAttribute("value").ShouldBe($"{integration.Id}");
        var (_, service) = await server.PageAsync($"/services/{integration.ServiceId}");
        service.QuerySelector($"a[href='/events?integration={integration.Id}']").ShouldNotBeNull();
    }

    [Theory]
    [InlineData("?id=nonsense")]
    [InlineData("?id=00000000000000000000000000000000")]
    [InlineData("?integration=nonsense&dedup_key=x")]
    public async Task What_is_not_known_is_said_so(string query)
    {
        var (status, page) = await server.PageAsync("/events" + query);
        status.ShouldBe(200);
        page.QuerySelector("main")!.TextContent.ShouldContain("No such event is known");
    }

    [Fact]
    public async Task A_cursor_that_was_never_given_is_no_page() => (await server.PageAsync("/events?cursor=x")).Status.ShouldBe(404);

    [Fact]
    public async Task A_failed_event_is_shown_as_text_and_replayed_by_its_button_alone()
    {
        var text = $"<script>{Guid.NewGuid():N}</script>";
        var form = await FailAsync(text);
        var (_, page) = await server.PageAsync("/events");
        page.QuerySelectorAll("script:not([src])").ShouldBeEmpty();
        var item = page.QuerySelectorAll("#failed ~ ul li.event").First(one => one.TextContent.Contains(text, StringComparison.Ordinal));
        item.QuerySelector(".badge")!.TextContent.ShouldBe("failed");
        item.QuerySelector($"form[action='{form}'] input[type=hidden]").ShouldNotBeNull();

        using (var forged = await server.SubmitAsync("/events", $"form[action='{form}']", ("__RequestVerificationToken", "x")))
            ((int)forged.StatusCode).ShouldBe(403);
        using (var got = await server.SendAsync(HttpMethod.Get, form, server.AdminToken)) ((int)got.StatusCode).ShouldBeInRange(400, 499);
        (await EndAsync()).ShouldBe(1, "looking at it and a forged form replay nothing");
        using var answer = await server.SubmitAsync("/events", $"form[action='{form}']");
        ((int)answer.StatusCode).ShouldBe(303);
        answer.Headers.Location!.OriginalString.ShouldStartWith("/events?id=");
        (await EndAsync()).ShouldBe(2);
        (await server.PageAsync(answer.Headers.Location.OriginalString)).Status.ShouldBe(200);

        async Task<long> EndAsync()
        {
            var topic = server.Shape.Topics.IncomingEvents;
            var count = 0L;
            for (var partition = 0; partition < topic.Partitions; partition++)
                count += (await server.Shape.Ports.Log.ReadAsync(new TopicPartition(topic.Name, partition), 0, 100_000, default))
                    .Count(record => Encoding.UTF8.GetString(record.Value.Span) == text);
            return count;
        }
    }

    [Fact]
    public async Task Only_administrators_see_it()
    {
        using var ben = await server.SignedInAsync("ben@example.com");
        (await ben.PageAsync("/events")).Status.ShouldBe(403);
    }

    /// <summary>Puts an unreadable record on the topic and waits for its replay button; returns where that posts to.</summary>
    private async Task<string> FailAsync(string text)
    {
        var shape = server.Shape;
        await shape.Ports.Log.AppendAsync(
            [new OutgoingRecord { Topic = shape.Topics.IncomingEvents.Name, OrderingKey = "k", Value = Encoding.UTF8.GetBytes(text) }],
            default);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (true)
        {
            var seen = shape.Changes.Version;
            var (_, page) = await server.PageAsync("/events");
            var item = page.QuerySelectorAll("#failed ~ ul li.event").FirstOrDefault(one => one.TextContent.Contains(text));
            if (item?.QuerySelector("form")?.GetAttribute("action") is { } action) return action;
            await shape.Changes.WaitAsync(seen, TimeSpan.FromMilliseconds(100), TimeProvider.System, limit.Token);
        }
    }
}
