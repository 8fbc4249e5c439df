using System.Diagnostics;
using System.Text.Json.Nodes;
using Belfry.Bench.Accept;
using Belfry.Rig;

namespace Belfry.Bench.Scheduler;

/// <summary>
/// The real program on three real brokers and a real PostgreSQL, under steady events of sixteen services; each broker in turn is stopped
/// with SIGSTOP, which is worse than death: its connections stay open. What counts is how long an event waits for its 202.
/// </summary>
internal static class FrozenBrokerBench
{
    // Each opens an incident and pages: what two cores bear beside three brokers and the load, so that what waits waits for a broker.
    private const int EventsPerSecond = 20;
    private const int Connections = 64;
    private const int WarmUpPerSecond = 20;
    private const int Partitions = 3;
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Frozen = TimeSpan.FromSeconds(12);
    private static readonly TimeSpan Between = TimeSpan.FromSeconds(6);

    public static async Task RunAsync(CancellationToken cancel)
    {
        await using var postgres = await PostgresParts.StartAsync();
        await using var kafka = await KafkaParts.StartAsync(3);
        var folder = Directory.CreateTempSubdirectory("belfry-bench-").FullName;
        try
        {
            var config = Path.Combine(folder, "belfry.json");
            await File.WriteAllTextAsync(config, Settings(kafka.Bootstrap, postgres.ConnectionString), cancel);
            await using var sink = await WebhookSink.StartAsync();
            await using var server = await ServerProcess.StartAsync(
                new ServerStart(Path.Combine(folder, "data"), More:
                [
                    "--config", config, "--keys", Path.Combine(folder, "keys"), "--demo", "--webhook-allow", sink.Endpoint,
                ]), cancel);
            var keys = await PagedServices.MakeAsync(server, sink.Url, cancel);
            var load = new WatchedLoad(
                server.Url, Connections,
                number => EventBody.Of(keys[number % keys.Count], $"event-{number}", sink.TitleOf(number)));
            await MeasureAsync(kafka, load, sink, cancel);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task MeasureAsync(KafkaParts kafka, WatchedLoad load, WebhookSink sink, CancellationToken cancel)
    {
        using var warm = new CancellationTokenSource(WarmUp);
        var first = (await load.RunAsync(0, WarmUpPerSecond, warm.Token)).Count;
        using var stop = new CancellationTokenSource();
        var running = load.RunAsync(first, EventsPerSecond, stop.Token);
        var spans = new List<(TimeSpan From, TimeSpan To)>();
        var calmFrom = Stopwatch.GetElapsedTime(0);
        await Task.Delay(Between, cancel);
        var calm = (calmFrom, Stopwatch.GetElapsedTime(0));
        for (var broker = 1; broker <= 3; broker++)
        {
            var from = Stopwatch.GetElapsedTime(0);
            await kafka.FreezeAsync(broker);
            await Task.Delay(Frozen, cancel);
            await kafka.ThawAsync(broker);
            await Task.Delay(Between, cancel);
            // The thaw belongs to it: what had piled up comes then.
            spans.Add((from, Stopwatch.GetElapsedTime(0)));
        }

        await stop.CancelAsync();
        var events = await running;
        Accepts("calm", [calm]);
        Accepts("frozen", spans);
        await sink.WaitForAsync(first + events.Count(one => one.Status == 202), cancel);
        Pages("calm", [calm]);
        Pages("frozen", spans);

        List<WatchedEvent> Within(List<(TimeSpan From, TimeSpan To)> within) =>
            [.. events.Where(one => within.Any(span => one.DueAt >= span.From && one.DueAt < span.To))];

        void Accepts(string name, List<(TimeSpan From, TimeSpan To)> within)
        {
            var its = Within(within);
            var waits = its.Where(one => one.Status == 202).Select(one => one.Wait.TotalMilliseconds).ToList();
            Figure.Print($"accept.{name}.p50", Figure.Percentile(waits, 50), "ms");
            Figure.Print($"accept.{name}.p99", Figure.Percentile(waits, 99), "ms");
            Figure.Print($"accept.{name}.max", Figure.Percentile(waits, 100), "ms");
            Figure.Print($"accept.{name}.events", its.Count, "events");
            Figure.Print($"accept.{name}.refused", its.Count - waits.Count, "events");
        }

        void Pages(string name, List<(TimeSpan From, TimeSpan To)> within)
        {
            var its = Within(within).Where(one => one.Status == 202).ToList();
            var pages = its.Select(one => (sink.FirstCallAt(one.Number) - one.DueAt)?.TotalMilliseconds).OfType<double>().ToList();
            Figure.Print($"event_to_call.{name}.p50", Figure.Percentile(pages, 50), "ms");
            Figure.Print($"event_to_call.{name}.p99", Figure.Percentile(pages, 99), "ms");
            Figure.Print($"event_to_call.{name}.missing", its.Count - pages.Count, "events");
        }
    }

    private static string Settings(string kafka, string postgres) => new JsonObject
    {
        ["Belfry"] = new JsonObject
        {
            ["Shape"] = "clustered",
            ["Kafka"] = new JsonObject { ["BootstrapServers"] = kafka },
            ["Postgres"] = new JsonObject { ["ConnectionString"] = postgres },
            ["Topics"] = new JsonObject { ["Partitions"] = Partitions },
        },
    }.ToJsonString();

    private sealed record WatchedEvent(int Number, TimeSpan DueAt, TimeSpan Wait, int Status);

    /// <summary>So many events a second; each wait counts from when the event was due.</summary>
    private sealed class WatchedLoad(Uri server, int connections, Func<int, byte[]> requestOf)
    {
        private const int Cut = 0;

        public async Task<List<WatchedEvent>> RunAsync(int from, int perSecond, CancellationToken stop)
        {
            var startsAt = Stopwatch.GetElapsedTime(0);
            var next = from - 1;
            var parts = await Task.WhenAll(Enumerable.Range(0, connections).Select(_ => SendAsync()));
            return [.. parts.SelectMany(part => part).OrderBy(one => one.Number)];

            async Task<List<WatchedEvent>> SendAsync()
            {
                var sent = new List<WatchedEvent>();
                RawConnection? connection = null;
                while (true)
                {
                    if (stop.IsCancellationRequested)
                    {
                        connection?.Dispose();
                        return sent;
                    }

                    var number = Interlocked.Increment(ref next);
                    var due = startsAt + TimeSpan.FromSeconds((double)(number - from) / perSecond);
                    var wait = due - Stopwatch.GetElapsedTime(0);
                    if (wait > TimeSpan.Zero) await Task.Delay(wait, CancellationToken.None);
                    connection ??= await RawConnection.OpenAsync(server, CancellationToken.None);
                    var status = Cut;
                    try
                    {
                        status = await connection.AskAsync(requestOf(number), CancellationToken.None);
                    }
                    catch (IOException)
                    {
                        // Hung up on without an answer: refused, as far as a sender can tell.
                        connection.Dispose();
                        connection = null;
                    }

                    sent.Add(new WatchedEvent(number, due, Stopwatch.GetElapsedTime(0) - due, status));
                }
            }
        }
    }
}
