using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using AngleSharp.Dom;
using Belfry.Alerting;
using Belfry.Alerting.Access;
using Belfry.Alerting.Catalog;
using Belfry.Server.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.Extensions.DependencyInjection;

namespace Belfry.Server.Tests.Support;

/// <summary>
/// The real server with demo data on a free port and in a folder of its own: one a collection or class. Ada, its administrator, has a
/// token for the API and a session for pages.
/// </summary>
public sealed class RunningServer : IAsyncLifetime
{
    private readonly TimeProvider _time;
    private readonly string _urls;

    public RunningServer()
        : this(TimeProvider.System)
    {
    }

    /// <summary>Other options than those of most tests.</summary>
    internal Func<ServerOptions, ServerOptions> With { get; init; } = options => options;

    internal RunningServer(TimeProvider time, string urls = "http://127.0.0.1:0") => (_time, _urls) = (time, urls);

    private static readonly Actor By = new(null, "test");
    private readonly string _folder = Directory.CreateTempSubdirectory("belfry-server-test").FullName;
    private BelfryServer? _server;
    private DemoSecrets? _secrets;
    private HttpClient _client = null!;
    private Browser _ada = null!;

    public Uri Url => _client.BaseAddress!;
    public string Key => _secrets!.IntegrationKey;
    public string AdminToken => _secrets!.AdminToken;
    internal int ExitCode => _server!.ExitCode;
    internal IServiceProvider Services => _server!.App.Services;
    internal ServerShape Shape => Services.GetRequiredService<ServerShape>();
    internal EmbeddedPorts Files => (EmbeddedPorts)Shape.Ports;

    public async Task InitializeAsync()
    {
        var options = new ServerOptions { DataDir = _folder, Urls = _urls, Demo = true };
        _server = await BelfryServer.OpenAsync(With(options), _time, default);
        await _server.App.StartAsync();
        _secrets = Services.GetRequiredService<DemoSecrets>();
        _client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false })
        {
            BaseAddress = new Uri(Services.GetRequiredService<IServer>().LocalUrl()), Timeout = TimeSpan.FromSeconds(30),
        };
        _ada = await SignedInAsync("ada@example.com");

        // The first request pays for all that is compiled at start; no test's patience should.
        using var patient = new HttpClient { BaseAddress = Url };
        (await patient.GetAsync("/login")).EnsureSuccessStatusCode();
    }

    public async Task DisposeAsync()
    {
        _ada.Dispose();
        _client.Dispose();
        await _server!.App.StopAsync();
        await _server.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    internal UserId UserOf(string email) => Shape.Catalog.Current.Users.Single(user => user.Email == email).Id;

    internal async Task<string> TokenOfAsync(string email, TokenScope scope = TokenScope.Write) =>
        (await Shape.Access.IssueTokenAsync(UserOf(email), "test", scope, null, By, DateTimeOffset.UtcNow, default)).Secret.Text;

    public async Task<Browser> SignedInAsync(string email) =>
        new(Url, (await Shape.Access.OpenSessionAsync(UserOf(email), "127.0.0.1", "test", By, DateTimeOffset.UtcNow, default)).Text);

    public Task<HttpResponseMessage> PostAsync(string path, string body, string? contentType = "application/json") =>
        PostAsync(path, Encoding.UTF8.GetBytes(body), contentType);

    public Task<HttpResponseMessage> PostAsync(
        string path, byte[] body, string? contentType = "application/json", Action<HttpRequestMessage>? with = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new ByteArrayContent(body) };
        if (contentType is not null) request.Content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        with?.Invoke(request);
        return _client.SendAsync(request);
    }

    /// <summary>Sends without cookies, and without token unless one is given; follows no redirect.</summary>
    public Task<HttpResponseMessage> SendAsync(
        HttpMethod method, string path, string? token = null, string? origin = null, HttpContent? content = null, string? from = null)
    {
        var request = new HttpRequestMessage(method, path) { Content = content };
        if (token is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        if (origin is not null) request.Headers.Add("Origin", origin);
        if (from is not null) request.Headers.TryAddWithoutValidation("From", from);
        return _client.SendAsync(request);
    }

    /// <summary>Calls the REST API, as Ada unless another token is given.</summary>
    public async Task<(int Status, JsonObject? Body, HttpResponseMessage Raw)> CallAsync(
        HttpMethod method, string path, string? body = null, string? token = null, string? from = null)
    {
        var content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json");
        var answer = await SendAsync(method, "/api" + path, token ?? AdminToken, content: content, from: from);
        var text = await answer.Content.ReadAsStringAsync();
        return ((int)answer.StatusCode, text.Length == 0 ? null : JsonNode.Parse(text) as JsonObject, answer);
    }

    public Task<(int Status, JsonObject? Body, HttpResponseMessage Raw)> GetAsync(string path) => CallAsync(HttpMethod.Get, path);

    /// <summary>A page as Ada sees it.</summary>
    public Task<(int Status, IDocument Document)> PageAsync(string path) => _ada.PageAsync(path);

    /// <summary>A form of a page, sent by Ada.</summary>
    public Task<HttpResponseMessage> SubmitAsync(string page, string selector, params (string Name, string Value)[] fields) =>
        _ada.SubmitAsync(page, selector, fields);

    public async Task<string> RawAsync(string path) => await (await _ada.GetAsync(path)).Content.ReadAsStringAsync();

    public string Trigger(string more = "") =>
        $$"""{"routing_key":"{{Key}}","event_action":"trigger","payload":{"summary":"s","source":"h","severity":"error"}""" +
        (more.Length > 0 ? "," + more : "") + "}";

    /// <summary>Until every hop has been given its partitions.</summary>
    public async Task ReadyAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            using var answer = await SendAsync(HttpMethod.Get, "/health/ready");
            if (answer.IsSuccessStatusCode) return;
            limit.Token.ThrowIfCancellationRequested();
        }
    }

    /// <summary>Triggers and waits until the incident can be read.</summary>
    public async Task<JsonObject> TriggerAsync(string summary, string source = "host", JsonNode? details = null, JsonArray? links = null)
    {
        var dedup = Guid.NewGuid().ToString("N");
        var payload = new JsonObject { ["summary"] = summary, ["source"] = source, ["severity"] = "error", ["custom_details"] = details };
        var body = new JsonObject
        {
            ["routing_key"] = Key, ["event_action"] = "trigger", ["dedup_key"] = dedup, ["payload"] = payload, ["links"] = links,
        };
        using var answer = await PostAsync("/v2/enqueue", body.ToJsonString());
        ((int)answer.StatusCode).ShouldBe(202, await answer.Content.ReadAsStringAsync());
        return (await ShownAsync([dedup]))[0];
    }

    /// <summary>Waits until there is an incident of each dedup key, among the newest hundred, and returns them in this order.</summary>
    public async Task<IReadOnlyList<JsonObject>> ShownAsync(IReadOnlyList<string> dedupKeys)
    {
        var changes = Shape.Changes;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (true)
        {
            var seen = changes.Version;
            var list = (await GetAsync("/incidents?limit=100")).Body!["incidents"]!.AsArray();
            var byKey = list.ToLookup(one => (string?)one!["incident_key"]);
            var found = dedupKeys.Select(key => byKey[key].FirstOrDefault()).OfType<JsonObject>().ToList();
            if (found.Count == dedupKeys.Count) return found;
            await changes.WaitAsync(seen, TimeSpan.FromSeconds(20), TimeProvider.System, limit.Token);
        }
    }
}

/// <summary>For tests that neither flood the server with events nor make its first administrator.</summary>
[CollectionDefinition(Name)]
public sealed class WebCollection : ICollectionFixture<RunningServer>
{
    public const string Name = "web";
}

/// <summary>For tests that send events by the hundred.</summary>
[CollectionDefinition(Name)]
public sealed class EventsCollection : ICollectionFixture<RunningServer>
{
    public const string Name = "events";
}
