using Belfry.Testing;

namespace Belfry.Log.Tests;

/// <summary>Runner and lanes in the simulator, under every fault it knows, with all guarantees watching. A seed is a run.</summary>
public sealed class LaneSimulationTests
{
    [Fact]
    public void Nothing_is_lost_or_out_of_order_while_processes_die_freeze_stop_and_join()
    {
        for (var seed = 1; seed <= 60; seed++) Play(seed, ordered: true);
    }

    [Fact]
    public void Nothing_is_lost_where_parked_keys_let_others_pass()
    {
        for (var seed = 1001; seed <= 1040; seed++) Play(seed, ordered: false);
    }

    [Fact]
    public void One_seed_played_twice_gives_one_trace()
    {
        foreach (var seed in new[] { 3L, 77, 1003 })
        {
            var first = Play(seed, ordered: true);
            var second = Play(seed, ordered: true);
            (second.World.TraceHash, second.World.Steps, second.HandlerCalls)
                .ShouldBe((first.World.TraceHash, first.World.Steps, first.HandlerCalls));
        }
    }

    private static LaneCluster Play(long seed, bool ordered)
    {
        var cluster = new LaneCluster(seed, new LaneOptions { Ordered = ordered, Credits = 8 })
        {
            Options = new ConsumerOptions { PollWait = TimeSpan.FromSeconds(1), HeldMax = 40, PollRecordsMax = 20 },
        };
        var world = cluster.World;
        world.Faults = FaultPlan.Rough;
        cluster.Decide = (node, _, _) => node.Random.Next(20) switch
        {
            0 => new HandlerOutcome.Retry("short", TimeSpan.FromMilliseconds(300)),
            1 => new HandlerOutcome.Retry("long", TimeSpan.FromSeconds(4)),
            2 => throw new InvalidOperationException("handler fault"),
            3 => new HandlerOutcome.DeadLetter("never"),
            _ => HandlerOutcome.Success,
        };
        if (!ordered) cluster.Decide = Unordered(cluster.Decide);
        var nodes = Enumerable.Range(0, 3).Select(_ => cluster.StartNode()).ToList();
        cluster.Produce(150, 12, TimeSpan.FromSeconds(40));
        for (var fault = 0; fault < 6; fault++)
            world.After(TimeSpan.FromSeconds(40) * world.Random.NextDouble(), "fault", () => Disturb(cluster, nodes));
        world.Run(length: TimeSpan.FromSeconds(45));
        world.Faults = FaultPlan.None;
        cluster.Decide = (_, _, _) => HandlerOutcome.Success;
        cluster.Settle(TimeSpan.FromSeconds(120));
        return cluster;
    }

    /// <summary>Order within a key is given up only by parking, so a run that lets others pass never parks by a long wait.</summary>
    private static Func<SimulatedNode, string, int, HandlerOutcome> Unordered(Func<SimulatedNode, string, int, HandlerOutcome> decide) =>
        (node, text, attempt) => attempt > 1 ? HandlerOutcome.Success : decide(node, text, attempt) switch
        {
            HandlerOutcome.Retry { After: { } after } retry when after > TimeSpan.FromSeconds(2) =>
                retry with { After = TimeSpan.FromSeconds(1) },
            var other => other,
        };

    private static void Disturb(LaneCluster cluster, List<SimulatedNode> nodes)
    {
        var at = cluster.World.Random.Next(nodes.Count);
        var node = nodes[at];
        switch (cluster.World.Random.Next(5))
        {
            case 0:
                cluster.Kill(node);
                nodes[at] = cluster.StartNode();
                break;
            case 1 when !node.IsFrozen:
                cluster.Freeze(node, TimeSpan.FromSeconds(cluster.World.Random.Next(1, 20)));
                break;
            case 2:
                cluster.Stop(node);
                nodes[at] = cluster.StartNode();
                break;
            case 3:
                cluster.Log.ExpelAll("g");
                break;
            default:
                nodes.Add(cluster.StartNode());
                break;
        }
    }
}
