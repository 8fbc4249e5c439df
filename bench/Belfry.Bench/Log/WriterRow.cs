using System.Diagnostics;
using Belfry.Log;

namespace Belfry.Bench.Log;

/// <summary>
/// What the writer costs: the same records through the log and through a bare producer of the same settings, by turns. In lots, as relays
/// append, and one by one with many callers waiting, as requests do.
/// </summary>
internal static class WriterRow
{
    private const int Partitions = 4;
    private const int Keys = 1_000;
    private const int ValueBytes = 200;
    private const int Records = 500_000;
    private const int Lot = 1_000;
    private const int LotCallers = 16;
    private const int SingleCallers = 1_000;
    private const int Rounds = 3;

    public static async Task RunAsync(CancellationToken cancel)
    {
        await using var kafka = await BenchKafka.OpenAsync("writer", Partitions, cancel);
        using var producer = new BareProducer(kafka.Bootstrap);
        var payloads = Payloads.Of(Keys, ValueBytes);
        var rates = new List<double>[4];
        for (var at = 0; at < rates.Length; at++) rates[at] = [];
        // The first round warms up.
        for (var round = 0; round <= Rounds; round++)
        {
            double[] of =
            [
                await RateAsync(() => CallersAsync(LotCallers, Lot, from => AppendAsync(kafka, payloads, from, Lot, cancel))),
                await RateAsync(() => Task.Run(() => BareLots(kafka, producer, payloads), cancel)),
                await RateAsync(() => CallersAsync(SingleCallers, 1, from => AppendAsync(kafka, payloads, from, 1, cancel))),
                await RateAsync(() => CallersAsync(SingleCallers, 1, from => BareSingleAsync(kafka, producer, payloads[from % Keys]))),
            ];
            for (var at = 0; at < of.Length && round > 0; at++) rates[at].Add(of[at]);
        }

        var medians = rates.Select(rate => Figure.Percentile(rate, 50)).ToArray();
        Figure.Print("log.writer", medians[0], "records/s", ("a bare producer loop", medians[1]));
        Figure.Print("log.writer.single", medians[2], "records/s", ("a bare producer, each record awaited", medians[3]));
    }

    private static async Task<double> RateAsync(Func<Task> appendAll)
    {
        var startedAt = Stopwatch.GetTimestamp();
        await appendAll();
        return Records / Stopwatch.GetElapsedTime(startedAt).TotalSeconds;
    }

    /// <summary>All records, in lots, by so many callers side by side.</summary>
    private static Task CallersAsync(int callers, int lot, Func<int, Task> appendAsync)
    {
        var next = -lot;
        return Task.WhenAll(Enumerable.Range(0, callers).Select(async _ =>
        {
            while (Interlocked.Add(ref next, lot) is var from && from < Records) await appendAsync(from);
        }));
    }

    private static Task AppendAsync(BenchKafka kafka, Payload[] payloads, int from, int count, CancellationToken cancel)
    {
        var records = new OutgoingRecord[count];
        for (var at = 0; at < count; at++)
        {
            var payload = payloads[(from + at) % Keys];
            records[at] = new OutgoingRecord { Topic = kafka.Topic.Name, OrderingKey = payload.Key, Value = payload.Value };
        }

        return kafka.Log.AppendAsync(records, cancel).AsTask();
    }

    // A user of the bare client has the same to do: bytes of the key, and the partition that all writers agree on.
    private static void BareLots(BenchKafka kafka, BareProducer producer, Payload[] payloads)
    {
        for (var at = 0; at < Records; at++)
        {
            var payload = payloads[at % Keys];
            producer.Produce(kafka.Topic.Name, PartitionOf(kafka, payload), Bytes(payload), payload.Value);
        }

        producer.AwaitAll();
    }

    private static Task BareSingleAsync(BenchKafka kafka, BareProducer producer, Payload payload) =>
        producer.ProduceAsync(kafka.Topic.Name, PartitionOf(kafka, payload), Bytes(payload), payload.Value);

    private static int PartitionOf(BenchKafka kafka, Payload payload) => Partitioner.PartitionOf(payload.Key, kafka.Topic.Partitions);

    private static byte[] Bytes(Payload payload) => System.Text.Encoding.UTF8.GetBytes(payload.Key);
}
