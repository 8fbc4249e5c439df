using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Belfry.Server.Hosting;
using Belfry.Server.Tests.Support;
using Microsoft.Extensions.Configuration;

namespace Belfry.Server.Tests;

[Collection(WebCollection.Name)]
public sealed class HealthTests(RunningServer server)
{
    [Fact]
    public async Task A_server_that_serves_is_live_and_becomes_ready_and_says_no_more_in_public()
    {
        (await TextAsync("/health/live")).ShouldBe("live\n");
        await server.ReadyAsync();
        (await TextAsync("/health/ready")).ShouldBe("ready\n");
    }

    [Fact]
    public async Task Administrators_see_every_hop_that_reads_the_log_with_its_partitions()
    {
        await server.ReadyAsync();
        using var answer = await server.SendAsync(HttpMethod.Get, "/health/consumers", server.AdminToken);
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        var details = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
        var consumers = details["consumers"]!.AsArray();
        consumers.Select(consumer => consumer!["group"]!.GetValue<string>()).Order()
            .ShouldBe(["dispatch-email", "dispatch-webhook", "incidents", "planning", "scheduler", "timeline"]);
        consumers.ShouldAllBe(consumer => consumer!["live"]!.GetValue<bool>() && consumer["assigned"]!.GetValue<bool>());
        details["producers"].ShouldBeNull();
    }

    [Fact]
    public async Task The_metrics_token_opens_the_consumers_and_nothing_else()
    {
        const string Token = "0123456789abcdef0123456789abcdef";
        var watched = new RunningServer { With = options => options with { MetricsToken = Token } };
        await watched.InitializeAsync();
        try
        {
            (await StatusAsync(watched, "/health/consumers", Token)).ShouldBe(HttpStatusCode.OK);
            (await StatusAsync(watched, "/health/consumers", Token + "x")).ShouldBe(HttpStatusCode.Unauthorized);
            (await StatusAsync(watched, "/health/details", Token)).ShouldBe(HttpStatusCode.Unauthorized);
            (await StatusAsync(watched, "/api/incidents", Token)).ShouldBe(HttpStatusCode.Unauthorized);
        }
        finally
        {
            await watched.DisposeAsync();
        }

        (await StatusAsync(server, "/health/consumers", Token)).ShouldBe(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public void A_short_metrics_token_is_refused()
    {
        var faults = new List<string>();
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new("Belfry:MetricsToken", "short")]).Build();
        ServerOptions.Read([], configuration, faults);
        faults.ShouldHaveSingleItem().ShouldContain("MetricsToken");
    }

    private async Task<string> TextAsync(string path)
    {
        using var answer = await server.SendAsync(HttpMethod.Get, path);
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        return await answer.Content.ReadAsStringAsync();
    }

    private static async Task<HttpStatusCode> StatusAsync(RunningServer at, string path, string token)
    {
        using var client = new HttpClient { BaseAddress = at.Url };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var answer = await client.GetAsync(path);
        return answer.StatusCode;
    }
}
