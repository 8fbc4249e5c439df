using System.Text.Json.Nodes;
using Belfry.Server.Tests.Support;

namespace Belfry.Server.Tests.Api;

[Collection(WebCollection.Name)]
public sealed class RestTests(RunningServer server)
{
    private static readonly HttpMethod Put = HttpMethod.Put, Post = HttpMethod.Post, Delete = HttpMethod.Delete;

    [Fact]
    public async Task An_incident_is_acknowledged_and_the_answer_shows_it()
    {
        var id = (string)(await server.TriggerAsync("Disk full"))["id"]!;
        var (status, body, _) = await server.CallAsync(
            Put, $"/incidents/{id}", """{"incident":{"type":"incident_reference","status":"acknowledged"}}""");
        status.ShouldBe(200);
        var incident = body!["incident"]!;
        ((string)incident["status"]!).ShouldBe("acknowledged");
        ((string)incident["service"]!["type"]!).ShouldBe("service_reference");
        incident["pending_actions"]!.AsArray().Select(action => (string)action!["type"]!).ShouldContain("unacknowledge");
        var (_, entries, _) = await server.GetAsync($"/incidents/{id}/alerts");
        ((string)entries!["alerts"]![0]!["summary"]!).ShouldBe("Disk full");
    }

    [Fact]
    public async Task A_list_carries_its_bounds_and_takes_filters()
    {
        await server.TriggerAsync("Listed");
        var (status, body, raw) = await server.GetAsync("/incidents?statuses[]=triggered&limit=1&offset=0");
        status.ShouldBe(200);
        ((int)body!["limit"]!).ShouldBe(1);
        ((int)body["total"]!).ShouldBeGreaterThan(0);
        body["incidents"]!.AsArray().Count.ShouldBe(1);
        raw.Headers.GetValues("ratelimit-limit").Single().ShouldBe("960");
        (await server.GetAsync("/incidents?statuses[]=open")).Status.ShouldBe(400);
        (await server.GetAsync("/incidents?limit=x")).Status.ShouldBe(400);
        (await server.GetAsync("/incidents?offset=9990&limit=100")).Status.ShouldBe(400);
    }

    [Fact]
    public async Task A_bulk_change_takes_250_and_refuses_more()
    {
        var id = (string)(await server.TriggerAsync("Bulk"))["id"]!;
        var one = $$"""{"id":"{{id}}","status":"resolved"}""";
        string Of(int count) => $$"""{"incidents":[{{string.Join(',', Enumerable.Repeat(one, count))}}]}""";
        (await server.CallAsync(Put, "/incidents", Of(251))).Status.ShouldBe(413);
        var (status, body, _) = await server.CallAsync(Put, "/incidents", Of(1));
        status.ShouldBe(200);
        ((string)body!["incidents"]![0]!["status"]!).ShouldBe("resolved");
    }

    [Fact]
    public async Task A_note_is_written_read_back_and_snoozing_holds_an_incident()
    {
        var id = (string)(await server.TriggerAsync("Noted"))["id"]!;
        (await server.CallAsync(Post, $"/incidents/{id}/notes", """{"note":{"content":"Looking"}}""", from: "ben@example.com")).Status
            .ShouldBe(201);
        var (status, body, _) = await server.CallAsync(Post, $"/incidents/{id}/snooze", """{"duration":3600}""");
        status.ShouldBe(201);
        ((string)body!["incident"]!["status"]!).ShouldBe("acknowledged");
        (await server.CallAsync(Post, $"/incidents/{id}/snooze", """{"duration":604801}""")).Status.ShouldBe(400);
        (await server.CallAsync(Post, $"/incidents/{id}/notes", """{"note":{"content":""}}""")).Status.ShouldBe(400);
        (await server.GetAsync($"/incidents/{id}/notes")).Body!["notes"].ShouldNotBeNull();
        (await server.GetAsync("/log_entries")).Status.ShouldBe(200);
    }

    [Theory]
    [InlineData("GET", "/nothing", 404)]
    [InlineData("GET", "/incidents/00000000000000000000000000000000", 404)]
    [InlineData("GET", "/users/zzz", 404)]
    [InlineData("DELETE", "/incidents", 405)]
    [InlineData("PUT", "/oncalls", 405)]
    public async Task A_failure_has_the_error_shape(string method, string path, int expected)
    {
        var (status, body, raw) = await server.CallAsync(new HttpMethod(method), path);
        status.ShouldBe(expected);
        body!["error"]!["message"].ShouldNotBeNull();
        body["error"]!["errors"]!.AsArray().Count.ShouldBeGreaterThan(0);
        if (expected == 405) raw.Content.Headers.Allow.ShouldNotBeEmpty();
    }

    [Fact]
    public async Task Without_a_valid_token_the_answer_is_401_in_the_error_shape()
    {
        var (status, body, _) = await server.CallAsync(HttpMethod.Get, "/incidents", token: "wrong");
        status.ShouldBe(401);
        body!["error"]!["errors"].ShouldNotBeNull();
    }

    [Fact]
    public async Task Users_with_methods_and_rules_are_made_read_changed_and_removed()
    {
        var (status, body, _) = await server.CallAsync(
            Post, "/users", """{"user":{"name":"Dee","email":"dee@example.com","role":"observer"}}""");
        status.ShouldBe(201);
        var id = (string)body!["user"]!["id"]!;
        (await server.CallAsync(Put, $"/users/{id}", """{"user":{"name":"Dee Two"}}""")).Body!["user"]!["name"]!.ToString()
            .ShouldBe("Dee Two");
        var (made, method, _) = await server.CallAsync(
            Post, $"/users/{id}/contact_methods",
            """{"contact_method":{"type":"webhook_contact_method","label":"Hook","address":"https://example.com/x"}}""");
        made.ShouldBe(201);
        method!["contact_method"]!["secret"].ShouldNotBeNull();
        var methodId = (string)method["contact_method"]!["id"]!;
        (await server.GetAsync($"/users/{id}/contact_methods/{methodId}")).Body!["contact_method"]!["secret"].ShouldBeNull();
        var rule = $$$$"""
            {"notification_rule":{"urgency":"high","start_delay_in_minutes":5,
             "contact_method":{"id":"{{{{methodId}}}}","type":"contact_method_reference"}}}
            """;
        (await server.CallAsync(Post, $"/users/{id}/notification_rules", rule)).Status.ShouldBe(201);
        (await server.GetAsync($"/users/{id}/notification_rules")).Body!["notification_rules"]!.AsArray().Count.ShouldBe(3);
        (await server.CallAsync(Delete, $"/users/{id}")).Status.ShouldBe(204);
        (await server.GetAsync($"/users/{id}")).Status.ShouldBe(404);
    }

    [Fact]
    public async Task Services_integrations_and_policies_are_made_changed_and_guarded()
    {
        var user = server.UserOf("ada@example.com");
        var policy = $$$"""
            {"escalation_policy":{"name":"P","num_loops":2,"escalation_rules":[
             {"escalation_delay_in_minutes":5,"targets":[{"id":"{{{user}}}","type":"user_reference"}]}]}}
            """;
        var policyId = (string)(await server.CallAsync(Post, "/escalation_policies", policy)).Body!["escalation_policy"]!["id"]!;
        var service = $$$$"""{"service":{"name":"S","escalation_policy":{"id":"{{{{policyId}}}}","type":"escalation_policy_reference"}}}""";
        var serviceId = (string)(await server.CallAsync(Post, "/services", service)).Body!["service"]!["id"]!;
        var (status, body, _) = await server.CallAsync(Post, $"/services/{serviceId}/integrations", """{"integration":{"name":"I"}}""");
        status.ShouldBe(201);
        ((string)body!["integration"]!["integration_key"]!).Length.ShouldBe(32);
        var (refused, why, _) = await server.CallAsync(Delete, $"/escalation_policies/{policyId}");
        refused.ShouldBe(400);
        why!["error"]!.ToJsonString().ShouldContain("S");
        (await server.CallAsync(Put, $"/services/{serviceId}", """{"service":{"auto_resolve_timeout":null}}"""))
            .Body!["service"]!["auto_resolve_timeout"].ShouldBeNull();
        (await server.CallAsync(Delete, $"/services/{serviceId}")).Status.ShouldBe(204);
        (await server.CallAsync(Delete, $"/escalation_policies/{policyId}")).Status.ShouldBe(204);
    }

    [Fact]
    public async Task Schedules_are_rendered_previewed_and_overridden()
    {
        var ada = server.UserOf("ada@example.com");
        var body = $$$"""
            {"schedule":{"name":"Nights","time_zone":"Europe/Berlin","schedule_layers":[
             {"name":"L","rotation_virtual_start":"2026-01-05T09:00:00","rotation_turn_length_seconds":86400,
              "users":[{"user":{"id":"{{{ada}}}","type":"user_reference"}}]}]}}
            """;
        (await server.CallAsync(Post, "/schedules/preview?since=2027-01-01T00:00:00Z&until=2027-01-02T00:00:00Z", body))
            .Body!["schedule"]!["final_schedule"]!["rendered_coverage_percentage"]!.GetValue<double>().ShouldBe(100);
        var id = (string)(await server.CallAsync(Post, "/schedules", body)).Body!["schedule"]!["id"]!;
        var ben = server.UserOf("ben@example.com");
        var over = $$$"""{"override":{"user":{"id":"{{{ben}}}"},"start":"2199-01-01T00:00:00Z","end":"2199-01-01T08:00:00Z"}}""";
        (await server.CallAsync(Post, $"/schedules/{id}/overrides", over)).Status.ShouldBe(201);
        (await server.GetAsync($"/schedules/{id}/overrides")).Body!["overrides"]!.AsArray().Count.ShouldBe(1);
        (await server.GetAsync($"/schedules/{id}?since=2027-01-01T00:00:00Z&until=2029-01-01T00:00:00Z")).Status.ShouldBe(400);
        (await server.GetAsync("/oncalls")).Body!["oncalls"]!.AsArray().Count.ShouldBeGreaterThan(0);
        (await server.CallAsync(Delete, $"/schedules/{id}")).Status.ShouldBe(204);
    }

    [Fact]
    public async Task A_responder_acts_in_no_other_name_and_edits_nobody_else()
    {
        var token = await server.TokenOfAsync("chi@example.com");
        var id = (string)(await server.TriggerAsync("Named"))["id"]!;
        const string Ack = """{"incident":{"status":"acknowledged"}}""";
        (await server.CallAsync(Put, $"/incidents/{id}", Ack, token, from: "ada@example.com")).Status.ShouldBe(403);
        (await server.CallAsync(Put, $"/incidents/{id}", Ack, token, from: "nobody@example.com")).Status.ShouldBe(400);
        (await server.CallAsync(Put, $"/incidents/{id}", Ack, token, from: "chi@example.com")).Status.ShouldBe(200);
        (await server.CallAsync(HttpMethod.Get, $"/users/{server.UserOf("ada@example.com")}/contact_methods", token: token)).Status
            .ShouldBe(403);
        (await server.CallAsync(Post, "/services", "{}", token)).Status.ShouldBe(403);
    }

    [Fact]
    public async Task The_api_describes_itself() =>
        (await server.CallAsync(HttpMethod.Get, "/../openapi/v1.json")).Body!["paths"]!["/api/incidents"].ShouldNotBeNull();
}
