using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Belfry.Bench.Accept;

/// <summary>Sixty-four services, each paging a person of its own by webhook at once, and nobody by mail: made through the API.</summary>
internal static class PagedServices
{
    private const int Count = 64;

    /// <returns>The routing key of each.</returns>
    public static async Task<IReadOnlyList<string>> MakeAsync(ServerProcess server, Uri webhook, CancellationToken cancel)
    {
        var keys = new List<string>();
        for (var number = 0; number < Count; number++)
        {
            var user = await PostAsync("users", "user", new() { ["name"] = $"Person {number}", ["email"] = $"person{number}@example.com" });
            await ByWebhookOnlyAsync(user);
            var policy = await PostAsync("escalation_policies", "escalation_policy", new()
            {
                ["name"] = $"Policy {number}",
                ["escalation_rules"] = new JsonArray(new JsonObject
                {
                    ["escalation_delay_in_minutes"] = 30,
                    ["targets"] = new JsonArray(new JsonObject { ["type"] = "user_reference", ["id"] = user }),
                }),
            });
            var service = await PostAsync("services", "service", new() { ["name"] = $"Service {number}", ["escalation_policy"] = policy });
            var limit = new JsonObject { ["integration"] = new JsonObject { ["events_per_minute"] = 1_000_000 } };
            var inlet = await server.Api.PostAsJsonAsync($"/api/services/{service}/integrations", limit, cancel);
            keys.Add((await ReadAsync(inlet))["integration"]!["integration_key"]!.GetValue<string>());
        }

        return keys;

        async Task ByWebhookOnlyAsync(string user)
        {
            var methods = JsonNode.Parse(await server.Api.GetStringAsync($"/api/users/{user}/contact_methods", cancel))!;
            var mail = methods["contact_methods"]![0]!["id"];
            var method = await PostAsync($"users/{user}/contact_methods", "contact_method", new()
            {
                ["type"] = "webhook_contact_method", ["address"] = webhook.ToString(),
            });
            var rules = JsonNode.Parse(await server.Api.GetStringAsync($"/api/users/{user}/notification_rules", cancel))!;
            foreach (var rule in rules["notification_rules"]!.AsArray())
                (await server.Api.DeleteAsync($"/api/users/{user}/notification_rules/{rule!["id"]}", cancel)).EnsureSuccessStatusCode();
            (await server.Api.DeleteAsync($"/api/users/{user}/contact_methods/{mail}", cancel)).EnsureSuccessStatusCode();
            await PostAsync($"users/{user}/notification_rules", "notification_rule", new()
            {
                ["urgency"] = "high", ["start_delay_in_minutes"] = 0, ["contact_method"] = method,
            });
        }

        async Task<string> PostAsync(string path, string name, JsonObject fields) =>
            (await ReadAsync(await server.Api.PostAsJsonAsync($"/api/{path}", new JsonObject { [name] = fields }, cancel)))
                [name]!["id"]!.GetValue<string>();

        async Task<JsonNode> ReadAsync(HttpResponseMessage answer)
        {
            var body = await answer.Content.ReadAsStringAsync(cancel);
            return answer.IsSuccessStatusCode
                ? JsonNode.Parse(body)!
                : throw new InvalidOperationException($"{answer.RequestMessage?.RequestUri} answered {(int)answer.StatusCode}: {body}");
        }
    }
}
