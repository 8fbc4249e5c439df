using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Belfry.Rig;

/// <summary>Makes people, policies and services through the REST API, as an administrator.</summary>
internal sealed class PagingApi(HttpClient api, CancellationToken cancel)
{
    private const int EventsPerMinute = 1_000_000;

    /// <summary>A person whom a webhook pages at once, and nothing else.</summary>
    /// <returns>The user's id.</returns>
    public async Task<string> PersonAsync(string name, Uri webhook)
    {
        var user = await PostAsync("users", "user", new() { ["name"] = name, ["email"] = EmailOf(name) });
        var methods = JsonNode.Parse(await api.GetStringAsync($"/api/users/{user}/contact_methods", cancel))!;
        var mail = methods["contact_methods"]![0]!["id"];
        var method = await PostAsync($"users/{user}/contact_methods", "contact_method", new()
        {
            ["type"] = "webhook_contact_method", ["address"] = webhook.ToString(),
        });
        var rules = JsonNode.Parse(await api.GetStringAsync($"/api/users/{user}/notification_rules", cancel))!;
        foreach (var rule in rules["notification_rules"]!.AsArray())
            (await api.DeleteAsync($"/api/users/{user}/notification_rules/{rule!["id"]}", cancel)).EnsureSuccessStatusCode();
        (await api.DeleteAsync($"/api/users/{user}/contact_methods/{mail}", cancel)).EnsureSuccessStatusCode();
        await PostAsync($"users/{user}/notification_rules", "notification_rule", new()
        {
            ["urgency"] = "high", ["start_delay_in_minutes"] = 0, ["contact_method"] = method,
        });
        return user;
    }

    public static string EmailOf(string name) => $"{name.Replace(' ', '.')}@example.com";

    /// <param name="name">Of the policy.</param>
    /// <param name="levels">User and minutes until the next level, level by level.</param>
    public Task<string> PolicyAsync(string name, params IReadOnlyList<(string User, int DelayMinutes)> levels) =>
        PostAsync("escalation_policies", "escalation_policy", new()
        {
            ["name"] = name,
            ["escalation_rules"] = new JsonArray([.. levels.Select(level => new JsonObject
            {
                ["escalation_delay_in_minutes"] = level.DelayMinutes,
                ["targets"] = new JsonArray(new JsonObject { ["type"] = "user_reference", ["id"] = level.User }),
            })]),
        });

    /// <returns>The service's id and the routing key of its one integration, which has no limit that counts.</returns>
    public async Task<(string Id, string RoutingKey)> ServiceAsync(string name, string policy)
    {
        var service = await PostAsync("services", "service", new() { ["name"] = name, ["escalation_policy"] = policy });
        var limit = new JsonObject { ["integration"] = new JsonObject { ["events_per_minute"] = EventsPerMinute } };
        var inlet = await api.PostAsJsonAsync($"/api/services/{service}/integrations", limit, cancel);
        return (service, (await ReadAsync(inlet))["integration"]!["integration_key"]!.GetValue<string>());
    }

    private async Task<string> PostAsync(string path, string name, JsonObject fields) =>
        (await ReadAsync(await api.PostAsJsonAsync($"/api/{path}", new JsonObject { [name] = fields }, cancel)))
            [name]!["id"]!.GetValue<string>();

    private async Task<JsonNode> ReadAsync(HttpResponseMessage answer)
    {
        var body = await answer.Content.ReadAsStringAsync(cancel);
        return answer.IsSuccessStatusCode
            ? JsonNode.Parse(body)!
            : throw new InvalidOperationException($"{answer.RequestMessage?.RequestUri} answered {(int)answer.StatusCode}: {body}");
    }
}
