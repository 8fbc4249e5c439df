using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Belfry.EndToEnd.Tests.Support;

/// <summary>The real program in a process of its own, on a data folder that outlives it.</summary>
internal sealed class BelfryProgram : IAsyncDisposable
{
    private readonly ChildProgram _child;

    private BelfryProgram(ChildProgram child, Uri url, JsonElement ready)
    {
        _child = child;
        Ready = ready;
        Url = url;
        Http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }) { BaseAddress = url };
        Api = new HttpClient { BaseAddress = url };
        if (ready.TryGetProperty("adminToken", out var token) && token.ValueKind == JsonValueKind.String)
            Api.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Token", "token=" + token.GetString());
    }

    public JsonElement Ready { get; }
    public Uri Url { get; }

    /// <summary>Nobody in particular: no cookie, no token, no redirects followed.</summary>
    public HttpClient Http { get; }

    /// <summary>The administrator's token, when the program gave one.</summary>
    public HttpClient Api { get; }
    public ChildProgram Process => _child;
    public string IntegrationKey => Ready.GetProperty("integrationKey").GetString()!;

    public static string Dll => DllOf("Belfry.Server", "belfry-server");

    /// <summary>A program of this build.</summary>
    public static string DllOf(string project, string name)
    {
        var release = Path.GetFileName(AppContext.BaseDirectory.TrimEnd('/'));
        return Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", project, release, name + ".dll"));
    }

    /// <summary>Starts it and does not wait for anything.</summary>
    public static ChildProgram Launch(string dataFolder, int port, params string[] more) => Launch(Dll, dataFolder, port, more);

    /// <summary>Starts it and waits until it serves.</summary>
    public static Task<BelfryProgram> StartAsync(string dataFolder, int port, params string[] more) =>
        StartFromAsync(Dll, dataFolder, port, more);

    /// <summary>The same of a copy of it.</summary>
    public static async Task<BelfryProgram> StartFromAsync(string dll, string dataFolder, int port, params string[] more)
    {
        var readyFile = Path.Combine(Path.GetTempPath(), $"belfry-ready-{port}-{Guid.NewGuid():N}.json");
        var child = Launch(dll, dataFolder, port, ["--ready-file", readyFile, .. more]);
        try
        {
            var ready = await Eventually.GetAsync("the ready file", async () =>
                child.HasExited ? throw new InvalidOperationException($"It ended with {child.ExitCode}: {child.Output}")
                : File.Exists(readyFile) ? await File.ReadAllTextAsync(readyFile) : null, () => child.Output);
            using var document = JsonDocument.Parse(ready);
            return new BelfryProgram(child, new Uri($"http://127.0.0.1:{port}"), document.RootElement.Clone());
        }
        catch
        {
            await child.DisposeAsync();
            throw;
        }
        finally
        {
            File.Delete(readyFile);
        }
    }

    /// <summary>Posts an event as monitoring tools do.</summary>
    public Task<HttpResponseMessage> SendEventAsync(
        string action, string dedupKey, string summary = "Disk is full", string severity = "critical", string? routingKey = null) =>
        Http.PostAsync("/v2/enqueue", new StringContent(new JsonObject
        {
            ["routing_key"] = routingKey ?? IntegrationKey,
            ["event_action"] = action,
            ["dedup_key"] = dedupKey,
            ["payload"] = new JsonObject { ["summary"] = summary, ["source"] = "db-1", ["severity"] = severity },
        }.ToJsonString()));

    /// <summary>GET under /api as the administrator.</summary>
    public async Task<JsonNode> GetAsync(string path)
    {
        using var answer = await Api.GetAsync(path);
        var body = await answer.Content.ReadAsStringAsync();
        answer.IsSuccessStatusCode.ShouldBeTrue($"{(int)answer.StatusCode} {body}");
        return JsonNode.Parse(body)!;
    }

    /// <summary>POST under /api as the administrator; what was made.</summary>
    public async Task<JsonNode> MakeAsync(string path, string noun, JsonObject fields)
    {
        using var answer = await Api.PostAsync(path, JsonContent.Create(new JsonObject { [noun] = fields }));
        var body = await answer.Content.ReadAsStringAsync();
        answer.IsSuccessStatusCode.ShouldBeTrue($"{(int)answer.StatusCode} {body}");
        return JsonNode.Parse(body)![noun]!;
    }

    /// <summary>Snoozes the one open incident of a title.</summary>
    public async Task SnoozeAsync(string title, int seconds)
    {
        var incident = (await IncidentsAsync()).Single(one => one["title"]!.GetValue<string>() == title);
        using var answer = await Api.PostAsync(
            $"/api/incidents/{incident["id"]}/snooze", JsonContent.Create(new JsonObject { ["duration"] = seconds }));
        answer.IsSuccessStatusCode.ShouldBeTrue($"{(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
    }

    /// <summary>From now on the administrator is the same as at another instance, which was given the demo's.</summary>
    public void SignInAs(BelfryProgram other) => Api.DefaultRequestHeaders.Authorization = other.Api.DefaultRequestHeaders.Authorization;

    /// <summary>All incidents, newest first. One that opens between two pages moves the rest, so that some come on both.</summary>
    public async Task<List<JsonNode>> IncidentsAsync()
    {
        var all = new List<JsonNode>();
        while (true)
        {
            var page = await GetAsync($"/api/incidents?limit=100&offset={all.Count}");
            all.AddRange(page["incidents"]!.AsArray().Select(item => item!));
            if (!page["more"]!.GetValue<bool>()) return [.. all.DistinctBy(incident => incident["id"]!.GetValue<string>())];
        }
    }

    private static ChildProgram Launch(string dll, string dataFolder, int port, string[] more) =>
        new("dotnet", [dll, "--data", dataFolder, "--urls", $"http://127.0.0.1:{port}", .. more]);

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        Api.Dispose();
        await _child.DisposeAsync();
    }
}
