using System.Diagnostics;
using Belfry.Log;
using Confluent.Kafka;

namespace Belfry.Bench.Log;

/// <summary>
/// What the lanes cost where the handler costs nothing: the same records through a consumer with lanes, and through a bare loop of the
/// client's, by turns.
/// </summary>
internal static class EmptyHandlerRow
{
    private const int Partitions = 4;
    private const int Keys = 1_000;
    private const int ValueBytes = 200;
    private const int Records = 1_000_000;
    private const int Rounds = 3;

    public static async Task RunAsync(CancellationToken cancel)
    {
        await using var kafka = await BenchKafka.OpenAsync("empty", Partitions, cancel);
        var counts = kafka.Fill(Records, Keys, ValueBytes);
        List<double> lanes = [];
        List<double> bare = [];
        // The first round warms up.
        for (var round = 0; round <= Rounds; round++)
        {
            var bareRate = Bare(kafka);
            var lanesRate = await LanesAsync(kafka, counts, cancel);
            if (round == 0) continue;
            bare.Add(bareRate);
            lanes.Add(lanesRate);
        }

        Figure.Print("log.empty", Figure.Percentile(lanes, 50), "records/s", ("a bare consumer loop", Figure.Percentile(bare, 50)));
    }

    private static double Bare(BenchKafka kafka)
    {
        using var consumer = new ConsumerBuilder<byte[], byte[]>(kafka.Plain(kafka.NewGroup())).Build();
        consumer.Subscribe(kafka.Topic.Name);
        var startedAt = 0L;
        for (var count = 0; count < Records; count++)
        {
            consumer.Consume(Timeout.Infinite);
            if (count == 0) startedAt = Stopwatch.GetTimestamp();
        }

        var rate = Records / Stopwatch.GetElapsedTime(startedAt).TotalSeconds;
        consumer.Close();
        return rate;
    }

    private static async Task<double> LanesAsync(BenchKafka kafka, int[] counts, CancellationToken cancel)
    {
        var group = kafka.NewGroup();
        var tallies = counts.Select(count => new Tally(count)).ToArray();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var running = kafka.Lanes(group, partition => tallies[partition].HandleAsync).RunAsync(stop.Token);
        await Task.WhenAll(tallies.Select(tally => tally.Ended));
        var length = Stopwatch.GetElapsedTime(tallies.Min(tally => tally.FirstAt), tallies.Max(tally => tally.LastAt));
        await stop.CancelAsync();
        await running;
        var lag = await kafka.LagAsync(group, cancel);
        if (lag != 0) throw new InvalidOperationException($"{lag} records were handled and not committed.");
        return Records / length.TotalSeconds;
    }

    /// <summary>Counts one partition's records; the lanes call it for one record at a time, since it never waits.</summary>
    private sealed class Tally(int expected)
    {
        private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _count;

        public Task Ended => _ended.Task;
        public long FirstAt { get; private set; }
        public long LastAt { get; private set; }

        public ValueTask<HandlerOutcome> HandleAsync(LogRecord record, int attempt, CancellationToken cancel)
        {
            if (_count++ == 0) FirstAt = Stopwatch.GetTimestamp();
            if (_count == expected)
            {
                LastAt = Stopwatch.GetTimestamp();
                _ended.SetResult();
            }

            return ValueTask.FromResult(HandlerOutcome.Success);
        }
    }
}
