using Belfry.Log;

namespace Belfry.Bench.Log;

/// <summary>
/// Rebalances that stop the world: three members handle a steady stream, a fourth comes and goes. What counts is how long a partition that
/// stays where it is was silent meanwhile; beside it plain consumers on the client's default assignor, which is eager.
/// </summary>
internal static class RebalanceRow
{
    private const int Partitions = 12;
    private const int Members = 3;
    private static readonly TimeSpan Every = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(40);

    public static async Task RunAsync(CancellationToken cancel)
    {
        await using var kafka = await BenchKafka.OpenAsync("rebalance", Partitions, cancel);
        await using var feed = new PacedFeed(kafka, KeyOfEachPartition(), Every);
        var eager = await MeasureAsync(Eager(kafka), cancel);
        var lanes = await MeasureAsync(Lanes(kafka), cancel);
        Figure.Print("log.rebalance.quiet", lanes.Quiet, "ms", ("eager consumers", eager.Quiet));
        Figure.Print("log.rebalance.join", lanes.Join, "ms", ("eager consumers", eager.Join));
        Figure.Print("log.rebalance.leave", lanes.Leave, "ms", ("eager consumers", eager.Leave));
    }

    /// <returns>The longest silence of a partition that stayed, in ms: with nothing going on, while one joined, while it left.</returns>
    private static async Task<(double Quiet, double Join, double Leave)> MeasureAsync(
        Func<string, PartitionGaps, Func<Task>> start, CancellationToken cancel)
    {
        var gaps = new PartitionGaps(Partitions);
        var stops = Enumerable.Range(1, Members).Select(n => start($"member-{n}", gaps)).ToList();
        await UntilAsync(() => gaps.Owners.All(owner => owner is not null) && gaps.Owners.Distinct().Count() == Members, cancel);
        await Task.Delay(Settling, cancel);
        gaps.Next();
        await Task.Delay(Settling, cancel);
        var (quiet, _) = gaps.Next();
        var stopGuest = start("guest", gaps);
        await UntilAsync(() => gaps.Owners.Contains("guest"), cancel);
        await Task.Delay(Settling, cancel);
        var (join, stayed) = gaps.Next();
        if (stayed == 0) throw new InvalidOperationException("No partition stayed where it was.");
        await stopGuest();
        await UntilAsync(() => !gaps.Owners.Contains("guest"), cancel);
        await Task.Delay(Settling, cancel);
        var (leave, _) = gaps.Next();
        foreach (var stop in stops) await stop();
        return (quiet, join, leave);
    }

    private static Func<string, PartitionGaps, Func<Task>> Lanes(BenchKafka kafka)
    {
        var group = kafka.NewGroup();
        return (member, gaps) =>
        {
            var stop = new CancellationTokenSource();
            var running = kafka.Lanes(group, partition => (_, _, _) =>
            {
                gaps.Handled(partition, member);
                return ValueTask.FromResult(HandlerOutcome.Success);
            }).RunAsync(stop.Token);
            return async () =>
            {
                await stop.CancelAsync();
                await running;
            };
        };
    }

    private static Func<string, PartitionGaps, Func<Task>> Eager(BenchKafka kafka)
    {
        var group = kafka.NewGroup();
        return (member, gaps) =>
        {
            var plain = new PlainMember(
                kafka.Plain(group), kafka.Topic.Name, (result, _) => gaps.Handled(result.Partition.Value, member));
            return plain.StopAsync;
        };
    }

    private static List<string> KeyOfEachPartition() =>
        [.. Enumerable.Range(0, 10_000).Select(n => $"key-{n}").DistinctBy(key => Belfry.Log.Partitioner.PartitionOf(key, Partitions))];

    private static async Task UntilAsync(Func<bool> reached, CancellationToken cancel)
    {
        using var limit = new CancellationTokenSource(Patience);
        while (!reached())
        {
            if (limit.IsCancellationRequested) throw new TimeoutException($"The group did not settle within {Patience}.");
            await Task.Delay(20, cancel);
        }
    }
}
