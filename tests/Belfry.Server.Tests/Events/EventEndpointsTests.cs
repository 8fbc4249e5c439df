using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Events;
using Belfry.Server.Tests.Support;

namespace Belfry.Server.Tests.Events;

[Collection(EventsCollection.Name)]
public sealed class EventEndpointsTests(RunningServer server)
{
    private static async Task<JsonElement> BodyAsync(HttpResponseMessage response) =>
        JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;

    [Fact]
    public async Task A_good_event_is_answered_202_with_its_dedup_key()
    {
        var response = await server.PostAsync("/v2/enqueue", server.Trigger("\"dedup_key\":\"dé\""));
        response.StatusCode.ShouldBe(HttpStatusCode.Accepted);
        var body = await BodyAsync(response);
        body.GetProperty("status").GetString().ShouldBe("success");
        body.GetProperty("message").GetString().ShouldBe("Event processed");
        body.GetProperty("dedup_key").GetString().ShouldBe("dé");
    }

    [Fact]
    public async Task What_was_accepted_is_shown_as_an_incident_each()
    {
        var keys = Enumerable.Range(0, 30).Select(i => $"shown {i}").ToList();
        var answers = await Task.WhenAll(keys.Select(key => server.PostAsync("/v2/enqueue", server.Trigger($"\"dedup_key\":\"{key}\""))));
        answers.ShouldAllBe(answer => answer.StatusCode == HttpStatusCode.Accepted);
        await server.ShownAsync(keys);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("text/plain")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("nonsense")]
    public async Task Any_content_type_or_none_will_do(string? type) =>
        (await server.PostAsync("/v2/enqueue", server.Trigger(), type)).StatusCode.ShouldBe(HttpStatusCode.Accepted);

    [Fact]
    public async Task A_change_event_is_answered_without_dedup_key()
    {
        var response = await server.PostAsync("/v2/change/enqueue", server.Trigger());
        response.StatusCode.ShouldBe(HttpStatusCode.Accepted);
        (await BodyAsync(response)).TryGetProperty("dedup_key", out _).ShouldBeFalse();
    }

    [Fact]
    public async Task Several_errors_come_in_one_answer_with_their_apostrophes()
    {
        var response = await server.PostAsync(
            "/v2/enqueue", "{\"routing_key\":\"x\",\"event_action\":\"trigger\",\"payload\":{\"severity\":\"Critical\"}}");
        response.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        (await response.Content.ReadAsStringAsync()).ShouldBe(
            "{\"status\":\"invalid event\",\"message\":\"Event object is invalid\",\"errors\":[" +
            "\"Length of 'routing_key' is incorrect (should be 32 characters)\",\"'payload.summary' is missing or blank\"," +
            "\"'payload.source' is missing or blank\"," +
            "\"'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')\"]}");
    }

    [Fact]
    public async Task What_is_no_object_is_unrecognized()
    {
        var response = await server.PostAsync("/v2/enqueue", "[1]");
        response.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        (await response.Content.ReadAsStringAsync()).ShouldBe(
            "{\"status\":\"Unrecognized object\",\"message\":\"Event object format is unrecognized\",\"errors\":[\"JSON parse error\"]}");
    }

    [Fact]
    public async Task The_routing_key_may_come_by_header_beside_an_authorization_that_means_nothing()
    {
        var body = "{\"event_action\":\"resolve\",\"dedup_key\":\"d\"}"u8.ToArray();
        var response = await server.PostAsync("/v2/enqueue", body, null, request =>
        {
            request.Headers.Add("X-Routing-Key", server.Key);
            request.Headers.Add("Authorization", "Token token=whatever");
        });
        response.StatusCode.ShouldBe(HttpStatusCode.Accepted);
    }

    [Theory]
    [InlineData(524_288, true, false)]
    [InlineData(524_289, false, false)]
    [InlineData(524_288, true, true)]
    [InlineData(524_289, false, true)]
    [InlineData(3_000_000, false, false)]
    public async Task A_body_may_have_524288_bytes(int size, bool good, bool chunked)
    {
        var json = server.Trigger();
        var body = Encoding.UTF8.GetBytes(json + new string(' ', size - json.Length));
        var response = await server.PostAsync("/v2/enqueue", body, null, request => request.Headers.TransferEncodingChunked = chunked);
        response.StatusCode.ShouldBe(good ? HttpStatusCode.Accepted : HttpStatusCode.BadRequest);
        if (good) return;
        var answer = await BodyAsync(response);
        answer.GetProperty("status").GetString().ShouldBe("invalid event");
        var error = answer.GetProperty("errors")[0].GetString()!;
        error.ShouldContain("524288");
        error.ShouldContain(size.ToString());
    }

    [Fact]
    public async Task Over_the_limit_of_its_key_a_sender_is_told_when_to_come_again()
    {
        var service = server.Shape.Catalog.Current.Services.Single(one => one.Name == "Checkout");
        var made = await server.Shape.Services.CreateIntegrationAsync(
            service.Id, new IntegrationDraft("limited", EventsPerMinute: 2), new Actor(null, "test"), DateTimeOffset.UtcNow, default);
        var inlet = made.ShouldBeOfType<ChangeResult<Integration>.Done>().Value;
        var body = server.Trigger().Replace(server.Key, inlet.RoutingKey);
        for (var i = 0; i < 2; i++) (await server.PostAsync("/v2/enqueue", body)).StatusCode.ShouldBe(HttpStatusCode.Accepted);
        var response = await server.PostAsync("/v2/enqueue", body);
        response.StatusCode.ShouldBe(HttpStatusCode.TooManyRequests);
        response.Headers.RetryAfter!.Delta!.Value.ShouldBeInRange(TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(61));
        (await BodyAsync(response)).EnumerateObject().Select(field => field.Name).ShouldBe(["status", "message", "errors"]);
    }

    [Fact]
    public async Task A_sender_that_leaves_in_the_middle_hurts_nobody()
    {
        for (var i = 0; i < 20; i++)
        {
            using var socket = new TcpClient();
            await socket.ConnectAsync(server.Url.Host, server.Url.Port);
            await socket.GetStream().WriteAsync(
                "POST /v2/enqueue HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{\"routing"u8.ToArray());
        }

        (await server.PostAsync("/v2/enqueue", server.Trigger())).StatusCode.ShouldBe(HttpStatusCode.Accepted);
    }

    [Theory]
    [InlineData("POST /v2/enqueue HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")]
    [InlineData(
        "POST /v2/enqueue HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n" +
        "Transfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n")]
    public async Task Broken_framing_is_the_senders_fault(string raw)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(server.Url.Host, server.Url.Port);
        await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes(raw));
        using var reader = new StreamReader(socket.GetStream());
        (await reader.ReadLineAsync()).ShouldNotBeNull().ShouldStartWith("HTTP/1.1 4");
    }
}
