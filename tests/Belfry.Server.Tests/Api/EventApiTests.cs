using System.Text.Json.Nodes;
using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Incidents;
using Belfry.Log;
using Belfry.Server.Tests.Support;
using Dapper;

namespace Belfry.Server.Tests.Api;

[Collection(WebCollection.Name)]
public sealed class EventApiTests(RunningServer server)
{
    private static readonly HttpMethod Post = HttpMethod.Post;

    private IntegrationId Integration => server.Shape.Catalog.Current.IntegrationOf(server.Key)!.Id;

    [Fact]
    public async Task An_accepted_event_is_found_by_its_key_and_by_its_id()
    {
        var incident = await server.TriggerAsync("Looked up");
        var key = (string)incident["incident_key"]!;
        var (status, body, _) = await server.GetAsync($"/events?integration_id={Integration}&dedup_key={key}");
        status.ShouldBe(200);
        var found = body!["events"]!.AsArray().ShouldHaveSingleItem()!;
        ((string)found["status"]!, (string)found["effect"]!, (string)found["dedup_key"]!).ShouldBe(("processed", "opened_incident", key));
        ((string)found["incident"]!["id"]!).ShouldBe((string)incident["id"]!);
        ((string)found["integration"]!["id"]!).ShouldBe($"{Integration}");

        var (one, single, _) = await server.GetAsync($"/events/{(string)found["id"]!}");
        one.ShouldBe(200);
        ((string)single!["event"]!["status"]!).ShouldBe("processed");
        DateTimeOffset.Parse((string)single["event"]!["received_at"]!).ShouldBe(DateTimeOffset.UtcNow, TimeSpan.FromMinutes(2));
    }

    [Theory]
    [InlineData("/events")]
    [InlineData("/events?integration_id=x&dedup_key=d")]
    [InlineData("/events?integration_id=00000000000000000000000000000000")]
    [InlineData("/failed_events?cursor=x")]
    [InlineData("/failed_events?offset=1")]
    public async Task A_list_that_is_asked_for_wrongly_is_refused(string path) => (await server.GetAsync(path)).Status.ShouldBe(400);

    [Fact]
    public async Task What_an_integration_was_refused_is_listed_with_the_reasons()
    {
        var mark = Guid.NewGuid().ToString("N");
        var body = server.Trigger($"\"dedup_key\":\"{mark}\"").Replace("\"severity\":\"error\"", "\"severity\":\"\"");
        using (var answer = await server.PostAsync("/v2/enqueue", body)) ((int)answer.StatusCode).ShouldBe(400);
        var (status, list, _) = await server.GetAsync($"/integrations/{Integration}/rejects");
        status.ShouldBe(200);
        var reject = list!["rejects"]!.AsArray().Single(one => (string?)one!["dedup_key"] == mark)!;
        ((string)reject["reason"]!, (string)reject["errors"]![0]!).ShouldBe(("invalid", "'payload.severity' is missing or blank"));
    }

    [Fact]
    public async Task A_failed_event_is_listed_repaired_and_replayed_to_an_incident_and_twice_is_as_once()
    {
        var mark = $"poison-{Guid.NewGuid():N}";
        await BreakAsync(mark);
        using (var answer = await server.PostAsync("/v2/enqueue", server.Trigger($"\"dedup_key\":\"{mark}\"")))
            ((int)answer.StatusCode).ShouldBe(202);
        var failed = await FailedAsync(one => ((string)one["start"]!).Contains(mark, StringComparison.Ordinal));
        ((string)failed["reason"]!).ShouldContain("broken for a test");
        ((string)failed["status"]!, (string)failed["record"]!).ShouldBe(("failed", "event"));
        var id = (string)failed["event_id"]!;
        var (_, story, _) = await server.GetAsync($"/events/{id}");
        ((string)story!["event"]!["status"]!, (string)story["event"]!["dedup_key"]!).ShouldBe(("failed", mark));

        await MendAsync(mark);
        var replay = $"/failed_events/{failed["partition"]}/{failed["offset"]}/replay";
        for (var i = 0; i < 2; i++) (await server.CallAsync(Post, replay)).Status.ShouldBe(202);
        var incident = (await server.ShownAsync([mark])).Single();
        await server.TriggerAsync("After both");
        ((int)(await server.GetAsync($"/incidents/{incident["id"]}/alerts")).Body!["total"]!).ShouldBe(1);
        var (_, after, _) = await server.GetAsync($"/events/{id}");
        var ended = after!["event"]!;
        ((string)ended["status"]!, (string)ended["incident"]!["id"]!).ShouldBe(("processed", (string)incident["id"]!));
        ((string)(await FailedAsync(one => (string)one["event_id"]! == id))["status"]!).ShouldBe("processed");

        var audit = await new AuditLog(server.Shape.Ports.Store).ListAsync(0, 50, default);
        audit.Items.Count(entry => entry is { Action: "replay", Kind: "failed_event" } && entry.After!.Contains(id)).ShouldBe(2);
        audit.Items.First(entry => entry.Action == "replay").By.UserId.ShouldBe(server.UserOf("ada@example.com"));
    }

    [Fact]
    public async Task A_record_that_still_cannot_be_read_fails_again_with_its_reason()
    {
        var text = $"no json {Guid.NewGuid():N}";
        var topics = server.Shape.Topics;
        var record = new OutgoingRecord
        {
            Topic = topics.IncomingEvents.Name, OrderingKey = "k", Value = System.Text.Encoding.UTF8.GetBytes(text),
        };
        await server.Shape.Ports.Log.AppendAsync([record], default);
        var failed = await FailedAsync(one => (string)one["start"]! == text);
        (await server.CallAsync(Post, $"/failed_events/{failed["partition"]}/{failed["offset"]}/replay")).Status.ShouldBe(202);
        var again = await FailedAsync(one => (string)one["start"]! == text && (long)one["offset"]! > (long)failed["offset"]!);
        ((string)again["event_id"]!, (string)again["reason"]!).ShouldBe(((string)failed["event_id"]!, (string)failed["reason"]!));
        ((string)again["reason"]!).ShouldStartWith("The record is not readable");
    }

    [Fact]
    public async Task What_is_not_there_cannot_be_replayed()
    {
        (await server.CallAsync(Post, "/failed_events/0/99999999/replay")).Status.ShouldBe(404);
        (await server.CallAsync(Post, "/failed_events/9999/0/replay")).Status.ShouldBe(404);
        (await server.CallAsync(Post, "/failed_events/0/99999999999999999999/replay")).Status.ShouldBe(404);
    }

    [Fact]
    public async Task The_description_of_the_api_names_the_new_paths_and_their_parameters()
    {
        var paths = (await server.CallAsync(HttpMethod.Get, "/../openapi/v1.json")).Body!["paths"]!;
        var names = paths["/api/events"]!["get"]!["parameters"]!.AsArray().Select(one => (string)one!["name"]!);
        names.ShouldBe(["integration_id", "dedup_key"], ignoreOrder: true);
        foreach (var path in (string[])
            ["/api/events/{id}", "/api/integrations/{id}/rejects", "/api/failed_events", "/api/failed_events/{partition}/{offset}/replay"])
            paths[path].ShouldNotBeNull(path);
    }

    // Whatever a bug in the fold would do: the transaction that opens this incident fails, each time.
    private Task BreakAsync(string mark) => ExecuteAsync($"""
        create trigger "{mark}" before insert on incident when new.document like '%{mark}%' begin
            select raise(abort, 'broken for a test');
        end
        """);

    private Task MendAsync(string mark) => ExecuteAsync($"drop trigger \"{mark}\"");

    private async Task ExecuteAsync(string sql) => await server.Shape.Ports.Store.WriteAsync(tx =>
    {
        tx.Connection.Execute(sql);
        return ValueTask.FromResult(true);
    }, default);

    private async Task<JsonObject> FailedAsync(Func<JsonObject, bool> isIt)
    {
        var changes = server.Shape.Changes;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (true)
        {
            var seen = changes.Version;
            var (status, body, _) = await server.GetAsync("/failed_events?limit=100");
            status.ShouldBe(200, body?.ToJsonString());
            if (body!["failed_events"]!.AsArray().Select(one => one!.AsObject()).FirstOrDefault(isIt) is { } found) return found;

            // The fold's commit is told; the relay that publishes it right after is not.
            await changes.WaitAsync(seen, TimeSpan.FromMilliseconds(100), TimeProvider.System, limit.Token);
        }
    }
}
