using Belfry.Bench.Accept;
using Belfry.Bench.Scheduler;
using Belfry.Bench.Log;

(string Name, string What, Func<CancellationToken, Task> RunAsync)[] benches =
[
    ("accept", "the real program: events accepted a second, and from an event to its first provider call", AcceptBench.RunAsync),
    ("pages", "the second half of accept alone: from an event to its first provider call", AcceptBench.PagesAsync),
    ("scheduler", "due tasks a second, from a real Kafka through a worker to their durable end in PostgreSQL", SchedulerBench.RunAsync),
    ("takeover", "worker processes killed under load: how long their tasks wait, and what was lost, doubled or out of order",
        TakeoverBench.RunAsync),
    ("frozen", "the real program on three brokers, each stopped where it is in turn: how long events wait for their 202",
        FrozenBrokerBench.RunAsync),
    ("log", "all of log.*: the consumer runtime and the writer beside plain clients, on a real Kafka", LogBench.RunAsync),
    .. LogBench.Rows,
];

// What a bench starts as a process of its own.
if (args is [WorkerProcess.Verb, .. var rest]) return await WorkerProcess.RunAsync(rest);

if (args is [var wanted] && benches.FirstOrDefault(bench => bench.Name == wanted) is { RunAsync: { } run })
{
    await run(CancellationToken.None);
    return 0;
}

foreach (var (name, what, _) in benches) Console.WriteLine($"{name,-14} {what}");
return args.Length == 0 ? 0 : 2;
