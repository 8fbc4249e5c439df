using System.Diagnostics;
using System.Text;

namespace Belfry.Bench.Log;

/// <summary>Appends a record of each of some keys every few milliseconds, from a thread of its own, until it is disposed of.</summary>
internal sealed class PacedFeed : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;

    /// <param name="kafka">Where to.</param>
    /// <param name="keys">All of them each time.</param>
    /// <param name="every">From the start of one time to that of the next.</param>
    public PacedFeed(BenchKafka kafka, IReadOnlyList<string> keys, TimeSpan every) => _running = Task.Factory.StartNew(
        () => Run(kafka, keys, every), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>Records appended so far.</summary>
    public int Count { get; private set; }

    /// <summary>Stops, and returns once all is acknowledged.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
    }

    /// <summary>When the value of a record was appended, on the clock of <see cref="Stopwatch"/>.</summary>
    public static long AppendedAt(ReadOnlySpan<byte> value) => BitConverter.ToInt64(value);

    public static byte[] ValueNow() => BitConverter.GetBytes(Stopwatch.GetTimestamp());

    private void Run(BenchKafka kafka, IReadOnlyList<string> keys, TimeSpan every)
    {
        using var producer = new BareProducer(kafka.Bootstrap);
        var targets = keys.Select(key => (
            Belfry.Log.Partitioner.PartitionOf(key, kafka.Topic.Partitions), Encoding.UTF8.GetBytes(key))).ToArray();
        var startedAt = Stopwatch.GetTimestamp();
        for (var round = 1; !_stop.IsCancellationRequested; round++)
        {
            foreach (var (partition, key) in targets) producer.Produce(kafka.Topic.Name, partition, key, ValueNow());
            Count += targets.Length;
            var wait = (every * round) - Stopwatch.GetElapsedTime(startedAt);
            if (wait > TimeSpan.Zero) Thread.Sleep(wait);
        }

        producer.AwaitAll();
    }
}
