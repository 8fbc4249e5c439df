using System.Diagnostics;
using System.Text;
using Belfry.Server.Tests.Support;
using Xunit.Abstractions;

namespace Belfry.Server.Tests.Events;

[Collection(EventsCollection.Name)]
public sealed class BadInputTests(RunningServer server, ITestOutputHelper output)
{
    private const int Bodies = 1_200;

    [Fact]
    public async Task No_body_whatever_gives_a_fault_of_the_server()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("BELFRY_SEED"), out var given) ? given : Random.Shared.Next();
        output.WriteLine($"BELFRY_SEED={seed}");
        var random = new Random(seed);
        var codes = new SortedDictionary<int, int>();
        for (var i = 0; i < Bodies; i++)
        {
            var path = i % 2 == 0 ? "/v2/enqueue" : "/v2/change/enqueue";
            var body = BadBody.Make(random, server.Trigger("\"dedup_key\":\"d\",\"links\":[{\"href\":\"https://x\"}]"));
            var started = Stopwatch.GetTimestamp();
            using var response = await server.PostAsync(path, body, null);
            var code = (int)response.StatusCode;
            var text = await response.Content.ReadAsStringAsync();
            if (code is not (202 or 400)) Assert.Fail($"seed {seed}, body {i} gave {code}: {text}\n{Encoding.Latin1.GetString(body)}");
            if (code == 400 && !text.Contains("\"errors\":[\"", StringComparison.Ordinal))
                Assert.Fail($"seed {seed}, body {i} says not why: {text}");
            Stopwatch.GetElapsedTime(started).ShouldBeLessThan(TimeSpan.FromSeconds(30), $"seed {seed}, body {i}");
            codes[code] = codes.GetValueOrDefault(code) + 1;
        }

        output.WriteLine(string.Join(", ", codes));
        codes.Count.ShouldBe(2, "the corpus should hold both good and bad bodies");
    }
}

/// <summary>Bodies that are nearly right: mutated bytes, foreign values, odd encodings.</summary>
internal static class BadBody
{
    private static readonly string[] Values =
    [
        "null", "true", "0", "-1", "1e400", "\"\"", "\" \"", "[]", "{}", "[[[]]]", "\"\\u0000\"", "\"\\ud800\"", "\"\\udc00\\ud83d\"",
        "\"javascript:alert(1)\"",
        "\"0000-00-00T00:00:00Z\"", "\"9999-12-31T23:59:59-18:00\"", "\"\r\n\u001b[31m\"", "{\"a\":1,\"a\":2}", "\"\\", "'x'", "NaN",
        "\"<script>\"",
    ];
    private static readonly string[] Fields =
    [
        "routing_key", "event_action", "dedup_key", "payload", "summary", "source", "severity", "timestamp", "component", "custom_details",
        "links",
        "images", "client", "client_url", "href", "", "__proto__",
    ];

    public static byte[] Make(Random random, string good)
    {
        var text = good;
        for (var edits = random.Next(4); edits > 0; edits--)
            text = random.Next(3) == 0
                ? text[..^1] + $",\"{Pick(random, Fields)}\":{Pick(random, Values)}}}"
                : text.Replace(
                    $"\"{Pick(random, Fields)}\":", $"\"{Pick(random, Fields)}\":{Pick(random, Values)},\"x\":", StringComparison.Ordinal);
        var bytes = Encoding.UTF8.GetBytes(text);
        switch (random.Next(10))
        {
            case 0: bytes = Encoding.Unicode.GetBytes(text); break;
            case 1: bytes = [0xEF, 0xBB, 0xBF, .. bytes]; break;
            case 2: bytes = bytes[..random.Next(bytes.Length)]; break;
            case 3: for (var i = 0; i < 3; i++) bytes[random.Next(bytes.Length)] = (byte)random.Next(256); break;
            case 4: bytes = [.. bytes, .. bytes]; break;
            case 5: bytes = Encoding.UTF8.GetBytes(new string('[', random.Next(10_000)) + text); break;
            case 6: random.NextBytes(bytes); break;
            case 7: bytes = [.. bytes, .. new byte[random.Next(3)]]; break;
        }

        return bytes;
    }

    private static string Pick(Random random, string[] from) => from[random.Next(from.Length)];
}
