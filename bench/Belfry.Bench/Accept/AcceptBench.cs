using Belfry.Rig;

namespace Belfry.Bench.Accept;

/// <summary>
/// The real program in a process of its own, on loopback, with the load beside it on the same cores. First as many events as it takes
/// over 64 connections, each one answered only once it is durable; the rival is SQLite by itself, in the same run on the same disk.
/// Then steady events, each an incident and a webhook of its own: as many as a machine of this speed owes, and 1,000 a second.
/// </summary>
internal static class AcceptBench
{
    private const int Connections = 64;
    private const int AlertKeys = 100;

    // A server compiles what runs often a second time, better; on two slow cores that takes more than a minute.
    private const int WarmUpSeconds = 30;
    private const int Seconds = 10;
    private const int WarmUpPerSecond = 100;
    private const int EventsPerSecond = 1_000;

    // Where 1,000 events a second were asked for, bare SQLite committed so many rows: a slower machine owes its share.
    private const double BareRowsPerSecondThere = 66_000;

    public static async Task RunAsync(CancellationToken cancel)
    {
        var folder = Directory.CreateTempSubdirectory("belfry-bench-").FullName;
        try
        {
            var bare = await ThroughputAsync(Path.Combine(folder, "throughput"), cancel);
            var share = (int)(EventsPerSecond * Math.Min(1, bare / BareRowsPerSecondThere));
            await LatencyAsync(Path.Combine(folder, "latency"), share, cancel);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    public static async Task PagesAsync(CancellationToken cancel)
    {
        var folder = Directory.CreateTempSubdirectory("belfry-bench-").FullName;
        try
        {
            await LatencyAsync(folder, share: null, cancel);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <returns>The rival's rows a second.</returns>
    private static async Task<double> ThroughputAsync(string data, CancellationToken cancel)
    {
        ClosedLoad.Result result;
        await using (var server = await ServerProcess.StartAsync(new ServerStart(data, More: ["--demo"]), cancel))
        {
            // Alerts that repeat, as in a storm, under a few keys: what is measured is the way to the disk, not the paging behind it.
            var bodies = Enumerable.Range(0, AlertKeys)
                .Select(number => EventBody.Of(server.DemoKey, $"alert-{number}", $"Alert {number}")).ToArray();
            var load = new ClosedLoad(server.Url, Connections, number => bodies[number % AlertKeys]);
            await load.RunAsync(TimeSpan.FromSeconds(WarmUpSeconds), cancel);
            result = await load.RunAsync(TimeSpan.FromSeconds(Seconds), cancel);
            await server.KillAsync();
        }

        var rowBytes = BareSqlite.EventRowBytes(Path.Combine(data, "belfry-log.db"));
        var bare = BareSqlite.RowsPerSecond(Path.Combine(data, "bare.db"), rowBytes, Connections, TimeSpan.FromSeconds(Seconds));
        var rival = $"bare SQLite, lots of {Connections} rows of {rowBytes} bytes";
        Figure.Print("accept.rate", result.Accepted / (double)Seconds, "events/s", (rival, bare));
        Figure.Print("accept.p99", Figure.Percentile(result.Milliseconds, 99), "ms");
        if (result.Refused > 0) Figure.Print("accept.refused", result.Refused, "events");
        return bare;
    }

    private static async Task LatencyAsync(string data, int? share, CancellationToken cancel)
    {
        await using var sink = await WebhookSink.StartAsync();
        await using var server = await ServerProcess.StartAsync(
            new ServerStart(data, More: ["--demo", "--webhook-allow", sink.Endpoint]), cancel);
        var keys = await PagedServices.MakeAsync(server, sink.Url, cancel);
        var from = 0;
        await WaitsAsync(WarmUpPerSecond, WarmUpSeconds);
        if (share is { } owed) await MeasureAsync("event_to_call.share", owed);
        await MeasureAsync("event_to_call", EventsPerSecond);

        async Task MeasureAsync(string name, int perSecond)
        {
            var waits = await WaitsAsync(perSecond, Seconds);
            Figure.Print($"{name}.rate", perSecond, "events/s");
            Figure.Print($"{name}.p50", Figure.Percentile(waits, 50), "ms");
            Figure.Print($"{name}.p99", Figure.Percentile(waits, 99), "ms");
            if (waits.Count < perSecond * Seconds) Figure.Print($"{name}.missing", (perSecond * Seconds) - waits.Count, "events");
        }

        async Task<List<double>> WaitsAsync(int perSecond, int seconds)
        {
            var load = new SteadyLoad(
                server.Url, Connections, perSecond,
                number => EventBody.Of(keys[number % keys.Count], $"event-{number}", sink.TitleOf(number)));
            var first = from;
            var sentAt = await load.RunAsync(first, perSecond * seconds, cancel);
            from += sentAt.Length;
            await sink.WaitForAsync(from, cancel);
            return sentAt.Select((sent, at) => (sink.FirstCallAt(first + at) - sent)?.TotalMilliseconds).OfType<double>().ToList();
        }
    }
}
