using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using AngleSharp.Dom;
using AngleSharp.Html.Parser;
using Belfry.Alerting;
using Belfry.Alerting.Access;
using Belfry.Alerting.Catalog;
using Belfry.Server.Hosting;
using Microsoft.Extensions.DependencyInjection;

namespace Belfry.Server.Tests.Pages;

/// <summary>The real server with demo data on a free port and in a folder of its own; a session for pages, a token for the API.</summary>
public sealed class WebServer : IAsyncLifetime
{
    private static readonly Actor By = new(null, "test");
    private readonly string _folder = Directory.CreateTempSubdirectory("belfry-web-test").FullName;
    private BelfryServer? _server;
    private HttpClient _api = null!;
    private HttpClient _browser = null!;

    internal EmbeddedShape Shape => _server!.App.Services.GetRequiredService<EmbeddedShape>();
    internal DemoSecrets Demo => _server!.App.Services.GetRequiredService<DemoSecrets>();
    internal Uri Url { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        var options = new ServerOptions { DataDir = _folder, Urls = "http://127.0.0.1:0", Demo = true };
        _server = await BelfryServer.OpenAsync(options, TimeProvider.System, default);
        await _server.App.StartAsync();
        Url = new Uri(_server.App.Urls.First());
        _api = new HttpClient { BaseAddress = Url };
        _api.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Demo.AdminToken);
        _browser = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false }) { BaseAddress = Url };
        var session = await Shape.Access.OpenSessionAsync(UserOf("ada@example.com"), "127.0.0.1", "test", By, DateTimeOffset.UtcNow, default);
        _browser.DefaultRequestHeaders.Add("Cookie", $"belfry_session={session.Text}");
    }

    public async Task DisposeAsync()
    {
        _api.Dispose();
        _browser.Dispose();
        await _server!.App.StopAsync();
        await _server.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    internal UserId UserOf(string email) => Shape.Catalog.Current.Users.Single(user => user.Email == email).Id;

    internal async Task<string> TokenOfAsync(string email) =>
        (await Shape.Access.IssueTokenAsync(UserOf(email), "test", TokenScope.Write, null, By, DateTimeOffset.UtcNow, default)).Secret.Text;

    public async Task<(int Status, JsonObject? Body, HttpResponseMessage Raw)> CallAsync(
        HttpMethod method, string path, string? body = null, string? token = null, string? from = null)
    {
        var request = new HttpRequestMessage(method, "/api" + path);
        if (body is not null) request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        if (token is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        if (from is not null) request.Headers.TryAddWithoutValidation("From", from);
        var answer = await _api.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        return ((int)answer.StatusCode, text.Length == 0 ? null : JsonNode.Parse(text) as JsonObject, answer);
    }

    public Task<(int Status, JsonObject? Body, HttpResponseMessage Raw)> GetAsync(string path) => CallAsync(HttpMethod.Get, path);

    /// <summary>A page, parsed, with the cookies it sets kept for forms.</summary>
    public async Task<(int Status, IDocument Document, string? Cookie)> PageAsync(string path)
    {
        var answer = await _browser.GetAsync(path);
        var document = await new HtmlParser().ParseDocumentAsync(await answer.Content.ReadAsStringAsync());
        var cookie = answer.Headers.TryGetValues("Set-Cookie", out var set) ? set.First().Split(';')[0] : null;
        return ((int)answer.StatusCode, document, cookie);
    }

    /// <summary>Posts a form of a page as a browser without script would: its own action, hidden fields and choices.</summary>
    public async Task<HttpResponseMessage> SubmitAsync(string page, string selector, params (string Name, string Value)[] fields)
    {
        var (_, document, cookie) = await PageAsync(page);
        var form = document.QuerySelector(selector) ?? throw new InvalidOperationException($"{page} has no {selector}.");
        var values = form.QuerySelectorAll("input[type=hidden]").ToDictionary(i => i.GetAttribute("name")!, i => i.GetAttribute("value") ?? "");
        foreach (var (name, value) in fields) values[name] = value;
        var request = new HttpRequestMessage(HttpMethod.Post, form.GetAttribute("action") ?? page) { Content = new FormUrlEncodedContent(values) };
        if (cookie is not null)
            request.Headers.Add("Cookie", string.Join("; ", [.. _browser.DefaultRequestHeaders.GetValues("Cookie"), cookie]));
        return await _browser.SendAsync(request);
    }

    public async Task<string> RawAsync(string path) => await (await _browser.GetAsync(path)).Content.ReadAsStringAsync();

    /// <summary>Triggers and waits until the incident can be read.</summary>
    public async Task<JsonObject> TriggerAsync(string summary, string source = "host", JsonNode? details = null, JsonArray? links = null)
    {
        var dedup = Guid.NewGuid().ToString("N");
        var payload = new JsonObject { ["summary"] = summary, ["source"] = source, ["severity"] = "error", ["custom_details"] = details };
        var body = new JsonObject
        {
            ["routing_key"] = Demo.IntegrationKey, ["event_action"] = "trigger", ["dedup_key"] = dedup, ["payload"] = payload, ["links"] = links,
        };
        var changes = Shape.Changes;
        using var answer = await _api.PostAsync("/v2/enqueue", new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json"));
        ((int)answer.StatusCode).ShouldBe(202, await answer.Content.ReadAsStringAsync());
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (true)
        {
            var seen = changes.Version;
            var list = (await GetAsync("/incidents?limit=100")).Body!["incidents"]!.AsArray();
            if (list.FirstOrDefault(one => (string?)one!["incident_key"] == dedup) is JsonObject found) return found;
            await changes.WaitAsync(seen, TimeSpan.FromSeconds(20), TimeProvider.System, limit.Token);
        }
    }
}

[CollectionDefinition(Name)]
public sealed class WebCollection : ICollectionFixture<WebServer>
{
    public const string Name = "web";
}
