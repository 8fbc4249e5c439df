using Belfry.Drill.Check;
using Belfry.Drill.Topology;

namespace Belfry.Drill.Drills;

/// <summary>The drills, in the order in which they run in one group. Numbers and bounds: reliability reference, section 5.</summary>
internal static class DrillCatalog
{
    private const double Second = 1_000;

    public static IReadOnlyList<DrillPlan> All { get; } =
    [
        new(0, "calm", "Nothing breaks: each page comes exactly once.", scene => scene.WaitAsync(scene.ShortOr(4, 20)), _ => []),
        new(1, "workers-killed", "SIGKILL of a random instance every 5 s, started again at once.", InstanceFaults.KillByTurnsAsync, seen =>
        [
            new("takeover", seen.TakeoverMs, Bound.Milliseconds, 5 * Second),
            new("page p99", seen.PageP99Ms, Bound.Milliseconds, 5 * Second),
        ]),
        new(4, "leader-killed", "SIGKILL of the broker that leads most partitions.", BrokerFaults.KillLeaderAsync, seen =>
        [
            new("accept p99", seen.AcceptP99Ms, Bound.Milliseconds, 3 * Second),
            new("errors", seen.ErrorPercent, "%", 0.999),
            new("not answered", seen.NotAnsweredPercent, "%", 0.999, RoughLimit: 15),
        ]),
        new(5, "broker-frozen", "SIGSTOP of the broker that leads most partitions.", BrokerFaults.FreezeLeaderAsync, seen =>
        [
            new("accept p99", seen.AcceptP99Ms, Bound.Milliseconds, 4 * Second),
            new("accepted in 4 s", seen.AcceptedIn4sPercent, "%", 99, IsLeast: true, RoughLimit: 90),
            new("accept gap", seen.AcceptGapMs, Bound.Milliseconds, 4 * Second),
        ]),
        new(6, "brokers-killed", "SIGKILL of all brokers, started again after a while.", BrokerFaults.KillAllAsync, seen =>
        [
            new("answers but 202 and 503", seen.OddAnswers, "", 0),
            new("not answered", seen.NotAnswered, "", 0, RoughLimit: 20),
            new("backlog gone after", seen.BacklogGoneMs, Bound.Milliseconds, 20 * Second),
        ]),
        new(2, "apis-killed", "SIGKILL of an instance with requests in flight; clients retry with the same key.",
            InstanceFaults.KillInRequestAsync, seen =>
        [
            new("incidents of one key", seen.IncidentsOfOneKeyMax, "", 1),
            new("accept gap", seen.AcceptGapMs, Bound.Milliseconds, 1 * Second),
        ]),
        new(3, "worker-frozen", "SIGSTOP of an instance for longer than its session, then SIGCONT.", InstanceFaults.FreezeAsync, seen =>
        [
            new("rejoined after", seen.Own.GetValueOrDefault("rejoined_ms", double.NaN), Bound.Milliseconds, 5 * Second),
        ]),
        new(11, "redis-lost", "FLUSHALL five times, then SIGKILL, started again empty.", StoreFaults.LoseRedisAsync, seen =>
        [
            new("pages repeated", seen.Verdict.Figures.GetValueOrDefault("pages.repeated"), "", 0),
            new("throughput", seen.ThroughputPercent, Bound.PercentOfComing, 80, IsLeast: true),
            new("accept gap", seen.AcceptGapMs, Bound.Milliseconds, 2 * Second),
        ]),
        new(12, "redis-frozen", "SIGSTOP of Redis.", StoreFaults.FreezeRedisAsync, seen =>
        [
            new("throughput", seen.ThroughputPercent, Bound.PercentOfComing, 50, IsLeast: true),
            new("accept gap", seen.AcceptGapMs, Bound.Milliseconds, 2 * Second),
            new("page p99", seen.PageP99Ms, Bound.Milliseconds, 1 * Second),
        ]),
        new(8, "postgres-killed", "SIGKILL of PostgreSQL, restarted in place.", StoreFaults.KillPostgresAsync, seen =>
        [
            new("accept gap", seen.AcceptGapMs, Bound.Milliseconds, 5 * Second),
        ]),
        new(7, "brokers-rolled", "Clean restart of one broker after the other.", BrokerFaults.RollAsync, seen =>
        [
            new("errors", seen.Errors, "", 0),
            new("not answered", seen.NotAnswered, "", 0, RoughLimit: 20),
            new("accept p99", seen.AcceptP99Ms, Bound.Milliseconds, 1 * Second),
        ]),
        new(15, "workers-join-leave", "An instance leaves cleanly and joins again, by turns, every 3 s.",
            InstanceFaults.JoinAndLeaveAsync, seen =>
        [
            new("fewest pages in 10 s", seen.FewestPagesIn10s, "", 1, IsLeast: true),
        ]),
    ];
}

/// <summary>Faults of instances.</summary>
internal static class InstanceFaults
{
    private static readonly TimeSpan StartMax = TimeSpan.FromMinutes(2);

    public static async Task KillByTurnsAsync(DrillScene scene)
    {
        var coming = new List<Task>();
        for (var kills = scene.ShortOr(3, 12); kills > 0; kills--)
        {
            var next = scene.WaitAsync(5);
            coming.Add(KillAndStartAsync(scene, await RunningAsync(scene)));
            await next;
        }

        await Task.WhenAll(coming);
    }

    public static async Task KillInRequestAsync(DrillScene scene)
    {
        for (var kills = scene.ShortOr(3, 20); kills > 0; kills--)
        {
            var node = await RunningAsync(scene);
            await scene.UntilAsync(() => Task.FromResult(scene.Load.InFlight(node.Number - 1) > 0), TimeSpan.FromSeconds(2));
            await KillAndStartAsync(scene, node);
            await scene.WaitAsync(0.5);
        }
    }

    public static async Task FreezeAsync(DrillScene scene)
    {
        var node = await RunningAsync(scene);
        await scene.WhileAsync(FaultKind.Freeze, $"freeze {node.Name}", () => Call(node.Freeze), async () =>
        {
            await scene.WaitAsync(scene.ShortOr(7, 20));
            node.Thaw();
        });
        scene.Figure("rejoined_ms", await scene.UntilAsync(
            () => GroupMembers.HasAllAsync(scene.Cluster, node.Name), TimeSpan.FromSeconds(20)));
    }

    public static async Task JoinAndLeaveAsync(DrillScene scene)
    {
        await scene.WhileAsync(FaultKind.Outage, "instances leave and join", () => Task.CompletedTask, async () =>
        {
            for (var turns = scene.ShortOr(4, 20); turns > 0; turns--)
            {
                var next = scene.WaitAsync(3);
                var node = scene.Cluster.Nodes[turns % scene.Cluster.Nodes.Count];
                await node.StopAsync();
                await node.UpAsync();
                await next;
            }
        });
    }

    private static async Task KillAndStartAsync(DrillScene scene, Instance node)
    {
        scene.Crash($"kill {node.Name}");
        await node.KillAsync();
        await node.UpAsync();
    }

    /// <summary>One of those that run. The last one stays: a start may take longer than the pause between kills.</summary>
    private static async Task<Instance> RunningAsync(DrillScene scene)
    {
        await scene.UntilAsync(() => Task.FromResult(scene.Cluster.Nodes.Count(node => node.IsUp) > 1), StartMax);
        var running = scene.Cluster.Nodes.Where(node => node.IsUp).ToList();
        return running[scene.Random.Next(running.Count)];
    }

    private static Task Call(Action action)
    {
        action();
        return Task.CompletedTask;
    }
}

/// <summary>Faults of brokers.</summary>
internal static class BrokerFaults
{
    private static readonly TimeSpan WholeMax = TimeSpan.FromSeconds(40);

    public static async Task KillLeaderAsync(DrillScene scene)
    {
        var kafka = scene.Cluster.Kafka;
        var leader = kafka.Leader(Cluster.Prefix);
        await scene.WhileAsync(FaultKind.Outage, $"kill broker {leader}", () => kafka.KillAsync(leader), async () =>
        {
            await scene.WaitAsync(scene.ShortOr(6, 20));
            await kafka.UpAsync(leader);
        });
        await WholeAsync(scene);
    }

    public static async Task FreezeLeaderAsync(DrillScene scene)
    {
        var kafka = scene.Cluster.Kafka;
        var leader = kafka.Leader(Cluster.Prefix);
        await scene.WhileAsync(FaultKind.Outage, $"freeze broker {leader}", () => kafka.FreezeAsync(leader), async () =>
        {
            await scene.WaitAsync(scene.ShortOr(8, 15));
            await kafka.ThawAsync(leader);
        });
        await WholeAsync(scene);
    }

    public static async Task KillAllAsync(DrillScene scene)
    {
        var kafka = scene.Cluster.Kafka;
        var all = Enumerable.Range(1, KafkaCluster.Brokers).ToList();
        await scene.WhileAsync(FaultKind.Blackout, "kill all brokers", () => Task.WhenAll(all.Select(kafka.KillAsync)), async () =>
        {
            await scene.WaitAsync(scene.ShortOr(4, 10));
            await Task.WhenAll(all.Select(kafka.UpAsync));
        });
        await WholeAsync(scene);
    }

    public static async Task RollAsync(DrillScene scene)
    {
        var kafka = scene.Cluster.Kafka;
        var first = kafka.Leader(Cluster.Prefix);
        for (var broker = 0; broker < scene.ShortOr(2, KafkaCluster.Brokers); broker++)
        {
            var one = 1 + (first - 1 + broker) % KafkaCluster.Brokers;
            await scene.WhileAsync(FaultKind.Outage, $"restart broker {one}", () => kafka.StopAsync(one), async () =>
            {
                await kafka.UpAsync(one);
                await WholeAsync(scene);
            });
        }
    }

    /// <summary>As an operator waits before the next step.</summary>
    private static async Task WholeAsync(DrillScene scene) => scene.Figure("brokers_in_step_ms", await scene.UntilAsync(
        () => Task.Run(() => scene.Cluster.Kafka.IsWhole(Cluster.Prefix)), WholeMax));
}

/// <summary>Faults of PostgreSQL and Redis.</summary>
internal static class StoreFaults
{
    public static Task KillPostgresAsync(DrillScene scene) => scene.WhileAsync(
        FaultKind.Outage, "kill PostgreSQL", scene.Cluster.Postgres.KillAsync, scene.Cluster.Postgres.UpAsync);

    public static async Task LoseRedisAsync(DrillScene scene)
    {
        var redis = scene.Cluster.Redis;
        await scene.WhileAsync(FaultKind.Outage, "empty Redis, then kill it", async () =>
        {
            for (var times = 0; times < 5; times++)
            {
                await redis.FlushAsync();
                await scene.WaitAsync(scene.ShortOr(0.5, 2));
            }
        }, async () =>
        {
            await redis.KillAsync();
            await scene.WaitAsync(scene.ShortOr(3, 10));
            await redis.UpAsync();
        });
    }

    public static Task FreezeRedisAsync(DrillScene scene)
    {
        var redis = scene.Cluster.Redis;
        return scene.WhileAsync(FaultKind.Outage, "freeze Redis", () =>
        {
            redis.Freeze();
            return Task.CompletedTask;
        }, async () =>
        {
            await scene.WaitAsync(scene.ShortOr(8, 20));
            redis.Thaw();
        });
    }
}
