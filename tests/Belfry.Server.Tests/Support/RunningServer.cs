using System.Net.Http.Headers;
using System.Text;
using Belfry.Server.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.Extensions.DependencyInjection;

namespace Belfry.Server.Tests.Support;

/// <summary>The real server with demo data on a free port and a folder of its own. One a test class.</summary>
public sealed class RunningServer : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("belfry-server-test").FullName;
    private BelfryServer? _server;
    private DemoSecrets? _secrets;

    public HttpClient Client { get; private set; } = null!;
    public Uri Url => Client.BaseAddress!;
    public string Key => _secrets!.IntegrationKey;
    public string AdminToken => _secrets!.AdminToken;
    internal IServiceProvider Services => _server!.App.Services;
    internal EmbeddedShape Shape => Services.GetRequiredService<EmbeddedShape>();

    public async Task InitializeAsync()
    {
        var options = new ServerOptions { DataDir = _folder, Urls = "http://127.0.0.1:0", Demo = true };
        _server = await BelfryServer.OpenAsync(options, TimeProvider.System, default);
        await _server.App.StartAsync();
        _secrets = Services.GetRequiredService<DemoSecrets>();
        Client = NewClient(Services.GetRequiredService<IServer>().LocalUrl());
    }

    public async Task DisposeAsync()
    {
        Client.Dispose();
        await _server!.App.StopAsync();
        await _server.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>Follows no redirect and keeps no cookie.</summary>
    public static HttpClient NewClient(string url) =>
        new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }) { BaseAddress = new Uri(url), Timeout = TimeSpan.FromSeconds(30) };

    public Task<HttpResponseMessage> PostAsync(string path, string body, string? contentType = "application/json") =>
        PostAsync(path, Encoding.UTF8.GetBytes(body), contentType);

    public Task<HttpResponseMessage> PostAsync(string path, byte[] body, string? contentType = "application/json", Action<HttpRequestMessage>? with = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new ByteArrayContent(body) };
        if (contentType is not null) request.Content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        with?.Invoke(request);
        return Client.SendAsync(request);
    }

    public Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string? token = null, string? origin = null, HttpContent? content = null)
    {
        var request = new HttpRequestMessage(method, path) { Content = content };
        if (token is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        if (origin is not null) request.Headers.Add("Origin", origin);
        return Client.SendAsync(request);
    }

    public string Trigger(string more = "") =>
        $$"""{"routing_key":"{{Key}}","event_action":"trigger","payload":{"summary":"s","source":"h","severity":"error"}{{(more.Length > 0 ? "," + more : "")}}}""";
}
