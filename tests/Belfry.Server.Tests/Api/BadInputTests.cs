using System.Text;
using Belfry.Server.Api;
using Belfry.Server.Tests.Support;

namespace Belfry.Server.Tests.Api;

[Collection(WebCollection.Name)]
public sealed class ApiBadInputTests(RunningServer server)
{
    private const int Seed = 20261122;

    private static readonly string[] Values =
    [
        "null", "true", "0", "-1", "1e400", "99999999999999999999", "\"\"", "\"x\"", "[]", "{}", "[null]", "[1,\"a\",{}]", "{\"id\":1}",
        "\"\\u0000\"",
        "\"\\ud800\"", "\"0000-00-00\"", "\"9999-12-31T23:59:59Z\"", "\"javascript:alert(1)\"", "[[[[[[]]]]]]", "{\"a\":1,\"a\":2}",
    ];

    private static readonly (string Method, string Path, string Wrapper, string[] Fields)[] Targets =
    [
        ("PUT", "/incidents", "", ["incidents"]),
        ("PUT", "/incidents/1", "incident", ["status", "assignments", "escalation_level", "resolution", "id"]),
        ("POST", "/incidents/1/snooze", "", ["duration"]),
        ("POST", "/incidents/1/notes", "note", ["content"]),
        ("POST", "/users", "user", ["name", "email", "time_zone", "role"]),
        ("POST", "/services", "service", ["name", "description", "escalation_policy", "incident_urgency_rule", "auto_resolve_timeout"]),
        ("POST", "/escalation_policies", "escalation_policy", ["name", "num_loops", "escalation_rules"]),
        ("POST", "/schedules", "schedule", ["name", "time_zone", "schedule_layers"]),
        ("POST", "/schedules/preview", "schedule", ["name", "time_zone", "schedule_layers"]),
    ];

    [Fact]
    public async Task No_generated_body_gives_a_5xx()
    {
        var random = new Random(Seed);
        var token = await server.TokenOfAsync("ada@example.com");
        for (var i = 0; i < 320; i++)
        {
            var (method, path, wrapper, fields) = Targets[i % Targets.Length];
            var inner = "{" + string.Join(
                ",", fields.Where(_ => random.Next(5) > 0).Select(f => $"\"{f}\":{Values[random.Next(Values.Length)]}")) + "}";
            var body = wrapper.Length == 0 ? inner : $"{{\"{wrapper}\":{inner}}}";
            if (random.Next(6) == 0) body = body[..random.Next(body.Length)];
            var (status, answer, _) = await server.CallAsync(new HttpMethod(method), path, body, token);
            status.ShouldBeLessThan(500, $"seed {Seed}, number {i}: {method} {path} {body}");
            if (status >= 400) answer!["error"]!["errors"].ShouldNotBeNull($"seed {Seed}, number {i}: {method} {path} {body}");
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{\"a\":\"\\ud800\"}")]
    [InlineData("{\"a\":\"\\u0000\"}")]
    [InlineData("{\"\\ud800\":1}")]
    [InlineData("{} x")]
    public void A_body_that_cannot_be_used_is_refused(string body) => ApiBody.Parse(Encoding.UTF8.GetBytes(body)).Faults.ShouldNotBeEmpty();

    [Fact]
    public void A_body_deeper_than_32_is_refused() =>
        ApiBody.Parse(Encoding.UTF8.GetBytes($"{{\"a\":{new string('[', 40)}{new string(']', 40)}}}")).Faults.ShouldNotBeEmpty();

    [Fact]
    public void All_faults_are_named_at_once()
    {
        var body = ApiBody.Parse("{\"n\":-1,\"t\":5}"u8.ToArray());
        body.Number("n");
        body.Text("t");
        body.Text("missing", required: true);
        body.Faults.Count.ShouldBe(3);
    }
}
