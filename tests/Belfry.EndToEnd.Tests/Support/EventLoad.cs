using System.Collections.Concurrent;
using System.Net;
using System.Text.Json.Nodes;

namespace Belfry.EndToEnd.Tests.Support;

/// <summary>
/// Senders that go on while the program is killed and started: each sends one event at a time, each with a name of its own, and sends
/// an unanswered one again under the same key, as real senders do.
/// </summary>
internal sealed class EventLoad : IAsyncDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<string, bool> _accepted = new();
    private readonly ConcurrentDictionary<string, bool> _sent = new();
    private readonly HttpClient _http;
    private readonly string _routingKey;
    private Task _senders = Task.CompletedTask;

    private EventLoad(int port, string routingKey)
    {
        _http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}"), Timeout = TimeSpan.FromSeconds(5) };
        _routingKey = routingKey;
    }

    /// <summary>Answered with 202.</summary>
    public ICollection<string> Accepted => _accepted.Keys;

    /// <summary>Those, and those without an answer, which may or may not have been taken.</summary>
    public ICollection<string> Sent => _sent.Keys;

    public static EventLoad Start(int port, string routingKey, int senders)
    {
        var load = new EventLoad(port, routingKey);
        load._senders = Task.WhenAll(Enumerable.Range(0, senders).Select(load.SendAsync));
        return load;
    }

    public Task AcceptedAsync(int count) =>
        Eventually.TrueAsync($"{count} accepted events", () => Task.FromResult(_accepted.Count >= count));

    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _senders;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _http.Dispose();
        _stop.Dispose();
    }

    private async Task SendAsync(int sender)
    {
        for (var number = 0; !_stop.IsCancellationRequested; number++)
        {
            var name = $"Event {sender}-{number:d5} of the load";
            _sent[name] = true;
            while (!_accepted.ContainsKey(name) && !_stop.IsCancellationRequested) await TryAsync(name);
        }
    }

    private async Task TryAsync(string name)
    {
        var body = new JsonObject
        {
            ["routing_key"] = _routingKey,
            ["event_action"] = "trigger",
            ["dedup_key"] = name,
            ["payload"] = new JsonObject { ["summary"] = name, ["source"] = "load", ["severity"] = "critical" },
        }.ToJsonString();
        try
        {
            using var answer = await _http.PostAsync("/v2/enqueue", new StringContent(body), _stop.Token);
            answer.StatusCode.ShouldBeOneOf(HttpStatusCode.Accepted, HttpStatusCode.ServiceUnavailable);
            if (answer.StatusCode == HttpStatusCode.Accepted) _accepted[name] = true;
        }
        catch (Exception fault) when (fault is HttpRequestException or OperationCanceledException or IOException)
        {
            // Nobody there at the moment: the next try is the same event.
        }

        await Task.Delay(Pause, CancellationToken.None);
    }
}
