using System.Diagnostics;
using Belfry.Log;

namespace Belfry.Bench.Log;

/// <summary>
/// Concurrency bound to partitions: handlers that take 100 ms. Lanes run a record of each key at a time; plain consumers, one a partition
/// and each a thread, one of each partition.
/// </summary>
internal static class SlowHandlerRow
{
    private const int Partitions = 4;
    private const int Keys = 1_000;
    private const int RecordsPerKey = 200;
    private static readonly TimeSpan HandlerTime = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan Measured = TimeSpan.FromSeconds(10);

    public static async Task RunAsync(CancellationToken cancel)
    {
        await using var kafka = await BenchKafka.OpenAsync("slow", Partitions, cancel);
        kafka.Fill(Keys * RecordsPerKey, Keys, 200);
        var plain = await MeasureAsync((count, stop) => PlainAsync(kafka, count, stop), cancel);
        var lanes = await MeasureAsync((count, stop) => LanesAsync(kafka, count, stop), cancel);
        Figure.Print("log.slow", lanes, "records/s", ("plain consumers, one a partition", plain));
    }

    private static async Task<double> MeasureAsync(Func<Action, CancellationToken, Task> runAsync, CancellationToken cancel)
    {
        var count = 0;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var running = runAsync(() => Interlocked.Increment(ref count), stop.Token);
        await Task.Delay(WarmUp, cancel);
        var (before, startedAt) = (Volatile.Read(ref count), Stopwatch.GetTimestamp());
        await Task.Delay(Measured, cancel);
        var rate = (Volatile.Read(ref count) - before) / Stopwatch.GetElapsedTime(startedAt).TotalSeconds;
        await stop.CancelAsync();
        await running;
        return rate;
    }

    private static Task LanesAsync(BenchKafka kafka, Action count, CancellationToken stop) => kafka.Lanes(
        kafka.NewGroup(),
        _ => async (_, _, cancel) =>
        {
            await Task.Delay(HandlerTime, cancel);
            count();
            return HandlerOutcome.Success;
        },
        new LaneOptions { Credits = Keys }).RunAsync(stop);

    private static async Task PlainAsync(BenchKafka kafka, Action count, CancellationToken stop)
    {
        var group = kafka.NewGroup();
        var members = Enumerable.Range(0, Partitions).Select(_ => new PlainMember(kafka.Plain(group), kafka.Topic.Name, (_, _) =>
        {
            Thread.Sleep(HandlerTime);
            count();
        })).ToList();
        await Task.Delay(Timeout.Infinite, stop).ContinueWith(_ => { }, TaskScheduler.Default);
        await Task.WhenAll(members.Select(member => member.StopAsync()));
    }
}
