using System.Net;
using System.Text.Json.Nodes;

namespace Belfry.EndToEnd.Tests.Support;

/// <summary>One person, who is paged for one service.</summary>
internal sealed record Team(int Number, string Key)
{
    public string Probe => TitleOf("probe");

    public string TitleOf(string what) => $"{what}-{Number}-of-the-team";

    public static async Task<Team> MakeAsync(BelfryProgram instance, int number)
    {
        var user = await instance.MakeAsync("/api/users", "user", new JsonObject
        {
            ["name"] = $"Person {number}", ["email"] = $"person{number}@example.com", ["role"] = "responder",
        });
        var policy = await instance.MakeAsync("/api/escalation_policies", "escalation_policy", new JsonObject
        {
            ["name"] = $"Policy {number}",
            ["escalation_rules"] = new JsonArray(new JsonObject
            {
                ["escalation_delay_in_minutes"] = 30,
                ["targets"] = new JsonArray(new JsonObject { ["type"] = "user_reference", ["id"] = user["id"]!.DeepClone() }),
            }),
        });
        var service = await instance.MakeAsync("/api/services", "service", new JsonObject
        {
            ["name"] = $"Service {number}",
            ["escalation_policy"] = new JsonObject { ["type"] = "escalation_policy_reference", ["id"] = policy["id"]!.DeepClone() },
        });
        var integration = await instance.MakeAsync(
            $"/api/services/{service["id"]}/integrations", "integration", new JsonObject { ["name"] = "Events" });
        return new Team(number, integration["integration_key"]!.GetValue<string>());
    }

    /// <summary>An event of its service; the title of its incident.</summary>
    public async Task<string> TriggerAsync(BelfryProgram instance, string what)
    {
        var title = TitleOf(what);
        // An instance learns of what another one was told within a moment; until then the key is unknown to it.
        await Eventually.TrueAsync($"{title} is taken", async () =>
        {
            using var answer = await instance.SendEventAsync("trigger", title, title, routingKey: Key);
            return answer.StatusCode == HttpStatusCode.Accepted;
        });
        return title;
    }
}
