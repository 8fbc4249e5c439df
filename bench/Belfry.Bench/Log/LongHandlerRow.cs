using System.Text;
using Belfry.Log;

namespace Belfry.Bench.Log;

/// <summary>
/// Long jobs against max.poll.interval.ms: a handler of 30 s where a member must poll every 6 s, the least that brokers allow by default;
/// on the client's own defaults that is a job of 25 minutes and a poll every 5. Two members of each kind read the same topic at the same
/// time: lanes, and plain consumers.
/// </summary>
internal static class LongHandlerRow
{
    private const int Partitions = 2;
    private const string LongKey = "takes-long";
    private static readonly TimeSpan PollIntervalMax = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan HandlerTime = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Every = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Joining = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan Watched = TimeSpan.FromSeconds(45);

    public static async Task RunAsync(CancellationToken cancel)
    {
        await using var kafka = await BenchKafka.OpenAsync(
            "long", Partitions, cancel, options => options with { PollIntervalMax = PollIntervalMax, SessionTimeout = PollIntervalMax });
        var partition = Belfry.Log.Partitioner.PartitionOf(LongKey, Partitions);
        var neighbour = Enumerable.Range(0, 100).Select(n => $"key-{n}")
            .First(key => Belfry.Log.Partitioner.PartitionOf(key, Partitions) == partition);
        Watch lanes = new(), plain = new();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var (lanesGroup, plainGroup) = (kafka.NewGroup(), kafka.NewGroup());
        Task[] running = [RunLanesAsync(kafka, lanesGroup, lanes, stop.Token), RunLanesAsync(kafka, lanesGroup, lanes, stop.Token)];
        PlainMember[] members = [StartPlain(kafka, plainGroup, plain), StartPlain(kafka, plainGroup, plain)];
        await Task.Delay(Joining, cancel);
        var (lanesBefore, plainBefore) = (lanes.Assignments, members.Sum(member => member.Assignments));
        kafka.Append(LongKey, PacedFeed.ValueNow());
        await using var feed = new PacedFeed(kafka, [neighbour], Every);
        await Task.Delay(Watched, cancel);
        const string rival = "plain consumers";
        Figure.Print("log.long.runs", lanes.Runs, "runs", (rival, plain.Runs));
        Figure.Print("log.long.rebalances", lanes.Assignments - lanesBefore, "assignments",
            (rival, members.Sum(member => member.Assignments) - plainBefore));
        Figure.Print("log.long.neighbours_handled", 100.0 * lanes.Others / feed.Count, "%", (rival, 100.0 * plain.Others / feed.Count));
        await stop.CancelAsync();
        await Task.WhenAll(running);
        await Task.WhenAll(members.Select(member => member.StopAsync()));
    }

    private static Task RunLanesAsync(BenchKafka kafka, string group, Watch watch, CancellationToken stop) => kafka.Lanes(
        group,
        _ =>
        {
            watch.Assigned();
            return async (record, _, cancel) =>
            {
                watch.Started(record.Key!);
                if (record.Key == LongKey) await Task.Delay(HandlerTime, cancel);
                return HandlerOutcome.Success;
            };
        },
        new LaneOptions { HandlerTimeout = HandlerTime * 2 }).RunAsync(stop);

    private static PlainMember StartPlain(BenchKafka kafka, string group, Watch watch)
    {
        var config = kafka.Plain(group);
        config.MaxPollIntervalMs = (int)PollIntervalMax.TotalMilliseconds;
        config.SessionTimeoutMs = (int)PollIntervalMax.TotalMilliseconds;
        return new PlainMember(config, kafka.Topic.Name, (result, stop) =>
        {
            var key = Encoding.UTF8.GetString(result.Message.Key);
            watch.Started(key);
            if (key == LongKey) stop.WaitHandle.WaitOne(HandlerTime);
        });
    }

    /// <summary>What one group did. Any thread.</summary>
    private sealed class Watch
    {
        private int _assignments;
        private int _runs;
        private int _others;

        public int Assignments => Volatile.Read(ref _assignments);
        public int Runs => Volatile.Read(ref _runs);
        public int Others => Volatile.Read(ref _others);

        public void Assigned() => Interlocked.Increment(ref _assignments);

        public void Started(string key)
        {
            if (key == LongKey) Interlocked.Increment(ref _runs);
            else Interlocked.Increment(ref _others);
        }
    }
}
