using System.Net;
using System.Text.Json;
using Belfry.Alerting.Catalog;
using Belfry.Outbox;
using Belfry.Server.Tests.Support;
using Belfry.Sqlite.Tests;

namespace Belfry.Server.Tests;

/// <summary>What people and programs are told while the log and the store refuse, and that nothing of it lasts.</summary>
public sealed class OutageTests(RunningServer server) : IClassFixture<RunningServer>
{
    [Fact]
    public async Task An_event_that_is_not_durable_is_answered_503_and_taken_when_it_comes_again()
    {
        var body = server.Trigger("\"dedup_key\":\"again\"");
        await using (await Outage.BeginAsync(server.Files.LogFile))
        {
            using var refused = await server.PostAsync("/v2/enqueue", body);
            refused.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
            ShouldSayWhenToComeAgain(refused);
            JsonDocument.Parse(await refused.Content.ReadAsStringAsync()).RootElement.EnumerateObject().Select(field => field.Name)
                .ShouldBe(["status", "message", "errors"]);
        }

        (await server.PostAsync("/v2/enqueue", body)).StatusCode.ShouldBe(HttpStatusCode.Accepted);
        await server.ShownAsync(["again"]);
    }

    [Fact]
    public async Task An_event_is_taken_while_the_store_alone_is_away_and_is_an_incident_afterwards()
    {
        await using (await Outage.BeginAsync(server.Files.File))
        {
            using var answer = await server.PostAsync("/v2/enqueue", server.Trigger("\"dedup_key\":\"meanwhile\""));
            answer.StatusCode.ShouldBe(HttpStatusCode.Accepted);
        }

        await server.ShownAsync(["meanwhile"]);
    }

    [Fact]
    public async Task A_log_that_can_be_read_but_takes_nothing_says_so_when_asked_whether_events_can_be_accepted()
    {
        var ask = server.Files.LogQuestion(server.Shape.Topics.IncomingEvents);
        await ask();
        await using (await Outage.BeginAsync(server.Files.LogFile)) await Should.ThrowAsync<StoreUnavailableException>(ask);
        await ask();
    }

    [Theory]
    [InlineData("acknowledge")]
    [InlineData("note")]
    public async Task A_form_is_answered_by_a_page_that_says_when_to_come_again(string action)
    {
        var page = $"/incidents/{(string)(await server.TriggerAsync($"Form {action}"))["id"]!}";
        await using (await Outage.BeginAsync(server.Files.LogFile))
        {
            using var refused = await server.SubmitAsync(page, $"form[action='{page}/{action}']", ("text", "Looking"));
            refused.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
            ShouldSayWhenToComeAgain(refused);
            refused.Headers.Contains("Content-Security-Policy").ShouldBeTrue();
            var shown = await Browser.ParseAsync(refused);
            shown.QuerySelector("h1")!.TextContent.ShouldBe("Not now");
            shown.QuerySelector("[role=alert]")!.TextContent.ShouldContain("log or its store");
            shown.Body!.TextContent.ShouldContain("may or may not have been done");
        }

        ((int)(await server.SubmitAsync(page, $"form[action='{page}/{action}']", ("text", "Looking"))).StatusCode).ShouldBe(303);
    }

    [Fact]
    public async Task A_sign_in_is_answered_by_a_page_too()
    {
        await using var outage = await Outage.BeginAsync(server.Files.File);
        using var browser = new Browser(server.Url);
        using var refused = await browser.SubmitAsync("/login", "form", ("email", "nobody@example.com"), ("password", "wrong password!"));
        refused.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        ShouldSayWhenToComeAgain(refused);
    }

    [Theory]
    [InlineData("PUT", "/incidents/1", "{\"incident\":{\"status\":\"acknowledged\"}}")]
    [InlineData("POST", "/users", "{\"user\":{\"name\":\"New\",\"email\":\"new@example.com\"}}")]
    public async Task The_api_answers_in_its_error_shape(string method, string path, string body)
    {
        await server.TriggerAsync("For the API");
        await using var outage = await Outage.BeginAsync(path == "/users" ? server.Files.File : server.Files.LogFile);
        var (status, answer, raw) = await server.CallAsync(new HttpMethod(method), path, body);
        status.ShouldBe(503);
        ((int)answer!["error"]!["code"]!).ShouldBe(2008);
        ShouldSayWhenToComeAgain(raw);
    }

    [Fact]
    public async Task Signing_in_needs_no_log()
    {
        await using var outage = await Outage.BeginAsync(server.Files.LogFile);
        using var browser = new Browser(server.Url);
        using var refused = await browser.SubmitAsync("/login", "form", ("email", "nobody@example.com"), ("password", "wrong password!"));
        refused.StatusCode.ShouldNotBe(HttpStatusCode.ServiceUnavailable);
        ((int)refused.StatusCode).ShouldBeLessThan(500);
    }

    [Theory]
    [InlineData("store")]
    [InlineData("log")]
    public async Task Pages_and_api_can_still_be_read_by_sessions_and_tokens_whose_use_cannot_be_noted(string away)
    {
        var old = DateTimeOffset.UtcNow.AddHours(-1);
        var session = await server.Shape.Access.OpenSessionAsync(
            server.UserOf("ada@example.com"), "127.0.0.1", "test", new Actor(null, "test"), old, default);
        var token = await server.TokenOfAsync("ada@example.com");
        await using var outage = await Outage.BeginAsync(away == "log" ? server.Files.LogFile : server.Files.File);
        using var browser = new Browser(server.Url, session.Text);
        (await browser.PageAsync("/")).Status.ShouldBe(200);
        (await server.CallAsync(HttpMethod.Get, "/incidents", token: token)).Status.ShouldBe(200);
    }

    private static void ShouldSayWhenToComeAgain(HttpResponseMessage answer) =>
        answer.Headers.RetryAfter.ShouldNotBeNull().Delta!.Value.ShouldBeInRange(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1));
}
