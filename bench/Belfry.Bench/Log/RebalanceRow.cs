using System.Text;
using Belfry.Log;

namespace Belfry.Bench.Log;

/// <summary>
/// Rebalances that stop the world: three members handle a steady stream, a fourth comes and goes, once while all are quick and once while
/// one of them is in a handler of 5 s. What counts is how long a partition that stays where it is was silent meanwhile; beside it plain
/// consumers on the client's default assignor, which is eager, and which waits until each member has come back from its handler.
/// </summary>
internal static class RebalanceRow
{
    private const int Partitions = 12;
    private const int Members = 3;
    private const string SlowKey = "takes-5-s";
    private static readonly TimeSpan SlowTime = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Every = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(40);

    private delegate Func<Task> MemberStarter(string member, PartitionGaps gaps, Action slowBegan);

    public static async Task RunAsync(CancellationToken cancel)
    {
        await using var kafka = await BenchKafka.OpenAsync("rebalance", Partitions, cancel);
        await using var feed = new PacedFeed(kafka, KeyOfEachPartition(), Every);
        var eager = await MeasureAsync(kafka, Eager(kafka), cancel);
        var lanes = await MeasureAsync(kafka, Lanes(kafka), cancel);
        foreach (var (name, silentMs) in lanes)
            Figure.Print($"log.rebalance.{name}", silentMs, "ms", ("eager consumers", eager.GetValueOrDefault(name)));
    }

    /// <returns>The longest silence of a partition that stayed, in ms, by what went on meanwhile.</returns>
    private static async Task<Dictionary<string, double>> MeasureAsync(
        BenchKafka kafka, MemberStarter start, CancellationToken cancel)
    {
        Dictionary<string, double> worst = [];
        var gaps = new PartitionGaps(Partitions);
        string? busy = null;
        var stops = Enumerable.Range(1, Members).Select(n => $"member-{n}")
            .Select(name => start(name, gaps, () => busy = name)).ToList();
        await UntilAsync(() => gaps.Owners.All(owner => owner is not null) && gaps.Owners.Distinct().Count() == Members, cancel);
        await Task.Delay(Settling, cancel);
        gaps.Begin();
        await Task.Delay(Settling, cancel);
        worst.Add("quiet", gaps.NextMs());

        var stopGuest = start("guest", gaps, () => { });
        await JoinedAsync();
        worst.Add("join", gaps.NextMs());
        await stopGuest();
        await UntilAsync(() => !gaps.Owners.Contains("guest"), cancel);
        await Task.Delay(Settling, cancel);
        worst.Add("leave", gaps.NextMs());

        kafka.Append(SlowKey, PacedFeed.ValueNow());
        await UntilAsync(() => busy is not null, cancel);
        stopGuest = start("guest", gaps, () => { });
        await JoinedAsync();
        // The busy member's own partitions are another matter: what a slow handler does to its neighbours.
        worst.Add("join_while_busy", gaps.NextMs(except: busy));
        await stopGuest();
        foreach (var stop in stops) await stop();
        return worst;

        async Task JoinedAsync()
        {
            await UntilAsync(() => gaps.Owners.Contains("guest"), cancel);
            await Task.Delay(Settling, cancel);
        }
    }

    private static MemberStarter Lanes(BenchKafka kafka)
    {
        var group = kafka.NewGroup();
        return (member, gaps, slowBegan) =>
        {
            var stop = new CancellationTokenSource();
            var running = kafka.Lanes(group, partition => (record, _, cancel) =>
            {
                if (record.Key == SlowKey) return SlowAsync(slowBegan, cancel);
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

    private static async ValueTask<HandlerOutcome> SlowAsync(Action began, CancellationToken cancel)
    {
        began();
        await Task.Delay(SlowTime, cancel);
        return HandlerOutcome.Success;
    }

    private static MemberStarter Eager(BenchKafka kafka)
    {
        var group = kafka.NewGroup();
        return (member, gaps, slowBegan) => new PlainMember(kafka.Plain(group), kafka.Topic.Name, (result, stop) =>
        {
            if (Encoding.UTF8.GetString(result.Message.Key) == SlowKey)
            {
                slowBegan();
                stop.WaitHandle.WaitOne(SlowTime);
                return;
            }

            gaps.Handled(result.Partition.Value, member);
        }).StopAsync;
    }

    private static List<string> KeyOfEachPartition() =>
        [.. Enumerable.Range(0, 10_000).Select(n => $"key-{n}").DistinctBy(key => Partitioner.PartitionOf(key, Partitions))];

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
