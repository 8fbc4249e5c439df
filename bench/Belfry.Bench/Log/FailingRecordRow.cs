using System.Diagnostics;
using Belfry.Log;
using Confluent.Kafka;

namespace Belfry.Bench.Log;

/// <summary>
/// Head-of-line blocking and retries: a steady stream of 1,000 keys, and in it records that fail: one twice, one four times, one for ever.
/// Lanes and plain consumers read the same topic at the same time and wait as long between attempts; a plain consumer that neither loses
/// the record nor its place can only try again on the spot.
/// </summary>
internal static class FailingRecordRow
{
    private const int Partitions = 4;
    private const int Keys = 1_000;
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Joining = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan Fed = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly LaneOptions Waits = new();

    // The key says how often a record of it fails.
    private static readonly Dictionary<string, int> Failing =
        new() { ["fails-2"] = 2, ["fails-4"] = 4, ["fails-always"] = int.MaxValue };

    public static async Task RunAsync(CancellationToken cancel)
    {
        await using var kafka = await BenchKafka.OpenAsync("failing", Partitions, cancel);
        var letters = new TopicDeclaration($"{kafka.Topic.Name}-dlq", 1, CleanUp.Time, TimeSpan.FromHours(1));
        await kafka.Log.DeclareAsync([letters], cancel);
        var (lanesGroup, plainGroup) = (kafka.NewGroup(), kafka.NewGroup());
        Outcome lanes = new(), plain = new();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var running = StartLanes(kafka, letters, lanesGroup, lanes).RunAsync(stop.Token);
        var members = Enumerable.Range(0, Partitions).Select(_ => StartPlain(kafka, plainGroup, plain)).ToList();
        var sent = await FeedAsync(kafka, [lanes, plain], cancel);
        await UntilAsync(() => lanes.Ended == sent && plain.Ended == sent, cancel);
        await stop.CancelAsync();
        await running;
        await Task.WhenAll(members.Select(member => member.StopAsync()));
        var dead = (await kafka.Log.OffsetsAsync(new Belfry.Log.TopicPartition(letters.Name, 0), cancel)).End;
        Figure.Print("log.failing.others_worst", lanes.WorstMs, "ms", ("plain consumers that try again on the spot", plain.WorstMs));
        Figure.Print("log.failing.handled", lanes.Handled, "records");
        Figure.Print("log.failing.dead_letters", dead, "records");
        Figure.Print("log.failing.lost", sent - lanes.Handled - dead, "records");
        Figure.Print("log.failing.lag", await kafka.LagAsync(lanesGroup, cancel), "records");
    }

    private static async Task<int> FeedAsync(BenchKafka kafka, Outcome[] outcomes, CancellationToken cancel)
    {
        List<string> keys = [.. Enumerable.Range(0, Keys).Select(n => $"key-{n}")];
        await using var feed = new PacedFeed(kafka, keys, Every);
        await Task.Delay(Joining, cancel);
        // What waited while the groups formed is not what failing records did.
        foreach (var outcome in outcomes) outcome.ForgetWorst();
        foreach (var key in Failing.Keys) kafka.Append(key, PacedFeed.ValueNow());
        await Task.Delay(Fed, cancel);
        await feed.DisposeAsync();
        return feed.Count + Failing.Count;
    }

    private static ConsumerRunner StartLanes(BenchKafka kafka, TopicDeclaration letters, string group, Outcome outcome) => kafka.Lanes(
        group,
        _ => (record, attempt, _) =>
        {
            if (attempt <= Failing.GetValueOrDefault(record.Key!)) throw new InvalidOperationException("This one fails.");
            outcome.Done(record.Key!, record.Value.Span);
            return ValueTask.FromResult(HandlerOutcome.Success);
        },
        Waits,
        deadLetters: async (record, _, _, cancel) =>
        {
            var letter = new OutgoingRecord { Topic = letters.Name, OrderingKey = record.Key!, Value = record.Value };
            await kafka.Log.AppendAsync([letter], cancel);
            outcome.GivenUp();
        });

    private static PlainMember StartPlain(BenchKafka kafka, string group, Outcome outcome)
    {
        var random = new Random(1);
        return new PlainMember(kafka.Plain(group), kafka.Topic.Name, (result, stop) =>
        {
            var key = System.Text.Encoding.UTF8.GetString(result.Message.Key);
            var fails = Failing.GetValueOrDefault(key);
            foreach (var wait in Waits.Backoff.Take(fails)) stop.WaitHandle.WaitOne(wait * (1 - (random.NextDouble() / 2)));
            if (fails > Waits.Backoff.Count) outcome.GivenUp();
            else outcome.Done(key, result.Message.Value);
        });
    }

    private static async Task UntilAsync(Func<bool> reached, CancellationToken cancel)
    {
        using var limit = new CancellationTokenSource(Patience);
        while (!reached() && !limit.IsCancellationRequested) await Task.Delay(50, cancel);
    }

    /// <summary>What became of the records of one group. Any thread.</summary>
    private sealed class Outcome
    {
        private long _worst;
        private int _handled;
        private int _givenUp;

        public int Handled => Volatile.Read(ref _handled);
        public int Ended => Handled + Volatile.Read(ref _givenUp);

        /// <summary>The longest a record of a key that does not fail took from its append to its end.</summary>
        public double WorstMs => TimeSpan.FromTicks(Interlocked.Read(ref _worst)).TotalMilliseconds;

        public void ForgetWorst() => Interlocked.Exchange(ref _worst, 0);

        public void GivenUp() => Interlocked.Increment(ref _givenUp);

        public void Done(string key, ReadOnlySpan<byte> value)
        {
            Interlocked.Increment(ref _handled);
            if (Failing.ContainsKey(key)) return;
            var took = Stopwatch.GetElapsedTime(PacedFeed.AppendedAt(value)).Ticks;
            long worst;
            while (took > (worst = Interlocked.Read(ref _worst)) && Interlocked.CompareExchange(ref _worst, took, worst) != worst)
            {
                // Another thread was faster; look again.
            }
        }
    }
}
