using System.Text.Json;
using System.Threading.Channels;
using Belfry.Drill.Check;
using Belfry.Rig;
using Microsoft.AspNetCore.Http;

namespace Belfry.Drill.Load;

/// <summary>
/// The provider: takes webhooks, and answers once their receipt is on disk, many with one sync. Under <c>/gone</c> it refuses for good.
/// </summary>
internal sealed class ReceiptSink : IAsyncDisposable
{
    public const string Accepting = "page", Refusing = "gone";
    private const int InFlightMax = 10_000;

    // About what a provider takes: calls are in flight when a fault strikes.
    private static readonly TimeSpan Latency = TimeSpan.FromMilliseconds(10);

    private readonly Channel<(Receipt Receipt, TaskCompletionSource Durable)> _toWrite =
        Channel.CreateBounded<(Receipt, TaskCompletionSource)>(InFlightMax);

    private readonly Lock _lock = new();
    private readonly List<Receipt> _receipts = [];
    private readonly DrillClock _clock;
    private readonly Task _writing;
    private LoopbackReceiver _receiver = null!;

    private ReceiptSink(string path, DrillClock clock) => (_clock, _writing) = (clock, WriteAsync(path));

    /// <summary>Told of each accepted page, on the thread of its request.</summary>
    public Action<Receipt>? Accepted { get; set; }

    public string Endpoint => _receiver.Endpoint;

    public int Count
    {
        get { lock (_lock) return _receipts.Count; }
    }

    public static async Task<ReceiptSink> StartAsync(string path, int port, DrillClock clock)
    {
        var sink = new ReceiptSink(path, clock);
        sink._receiver = await LoopbackReceiver.StartAsync(port, sink.TakeAsync);
        return sink;
    }

    public Uri UrlOf(string path) => new(_receiver.Url, path);

    /// <summary>Those from the n-th on, in the order in which they were made durable.</summary>
    public IReadOnlyList<Receipt> From(int first)
    {
        lock (_lock) return _receipts.GetRange(first, _receipts.Count - first);
    }

    public async ValueTask DisposeAsync()
    {
        await _receiver.DisposeAsync();
        _toWrite.Writer.TryComplete();
        await _writing;
    }

    private async Task TakeAsync(HttpContext context)
    {
        var began = _clock.NowNs;
        var page = await JsonSerializer.DeserializeAsync<JsonElement>(context.Request.Body, cancellationToken: context.RequestAborted);
        // notification.incident.service.user.epoch.channel
        var key = context.Request.Headers["Idempotency-Key"].ToString().Split('.');
        var title = page.GetProperty("event").GetProperty("data").GetProperty("title").GetString()!;
        var status = context.Request.Path.Value == $"/{Refusing}" ? StatusCodes.Status404NotFound : StatusCodes.Status200OK;
        await Task.Delay(Latency);
        var receipt = new Receipt(began, 0, key[0], key[1], key[3], long.Parse(key[4], null), title, status);
        var durable = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await _toWrite.Writer.WriteAsync((receipt, durable));
        await durable.Task;
        context.Response.StatusCode = status;
        if (receipt.Accepted) Accepted?.Invoke(receipt);
    }

    private async Task WriteAsync(string path)
    {
        await using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.Read);
        var lot = new List<(Receipt Receipt, TaskCompletionSource Durable)>();
        while (await _toWrite.Reader.WaitToReadAsync())
        {
            lot.Clear();
            while (_toWrite.Reader.TryRead(out var one)) lot.Add(one);
            var ended = lot.ConvertAll(one => one.Receipt with { EndNs = _clock.NowNs });
            foreach (var receipt in ended)
            {
                file.Write(JsonSerializer.SerializeToUtf8Bytes(receipt, HistoryJson.Default.Receipt));
                file.WriteByte((byte)'\n');
            }

            file.Flush(flushToDisk: true);
            lock (_lock) _receipts.AddRange(ended);
            foreach (var (_, durable) in lot) durable.SetResult();
        }
    }
}
