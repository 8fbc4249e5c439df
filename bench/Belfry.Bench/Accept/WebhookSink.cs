using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Belfry.Rig;
using Microsoft.AspNetCore.Http;

namespace Belfry.Bench.Accept;

/// <summary>The provider: takes webhooks on loopback and notes when each event's first one came.</summary>
internal sealed class WebhookSink : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private readonly ConcurrentDictionary<int, TimeSpan> _firstCalls = new();
    private LoopbackReceiver _receiver = null!;

    private WebhookSink()
    {
    }

    public Uri Url => _receiver.Url;
    public string Endpoint => _receiver.Endpoint;

    public static async Task<WebhookSink> StartAsync()
    {
        var sink = new WebhookSink();
        sink._receiver = await LoopbackReceiver.StartAsync(0, sink.TakeAsync);
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

    public async ValueTask DisposeAsync() => await _receiver.DisposeAsync();

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
