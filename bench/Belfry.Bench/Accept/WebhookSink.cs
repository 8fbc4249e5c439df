using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Belfry.Bench.Accept;

/// <summary>The provider: takes webhooks on loopback and notes when each event's first one came.</summary>
internal sealed class WebhookSink : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<int, TimeSpan> _firstCalls = new();

    private WebhookSink(WebApplication app) => _app = app;

    public Uri Url => new(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
    public string Endpoint => $"{Url.Host}:{Url.Port}";

    public static async Task<WebhookSink> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var sink = new WebhookSink(builder.Build());
        sink._app.Run(sink.TakeAsync);
        await sink._app.StartAsync();
        return sink;
    }

    public string TitleOf(int number) => $"Bench event ({number})";

    /// <summary>Null: none came.</summary>
    public TimeSpan? FirstCallAt(int number) => _firstCalls.TryGetValue(number, out var at) ? at : null;

    /// <summary>Returns once calls for so many events have come, or patience is over.</summary>
    public async Task WaitForAsync(int count, CancellationToken cancel)
    {
        var started = Stopwatch.GetTimestamp();
        while (_firstCalls.Count < count && Stopwatch.GetElapsedTime(started) < Patience) await Task.Delay(50, cancel);
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private async Task TakeAsync(HttpContext context)
    {
        var calledAt = Stopwatch.GetElapsedTime(0);
        using var reader = new StreamReader(context.Request.Body);
        var body = await reader.ReadToEndAsync();
        const string Before = "Bench event (";
        var start = body.IndexOf(Before, StringComparison.Ordinal) + Before.Length;
        var end = body.IndexOf(')', start);
        _firstCalls.TryAdd(int.Parse(body.AsSpan(start, end - start), CultureInfo.InvariantCulture), calledAt);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }
}
