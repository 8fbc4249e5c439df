using Belfry.Bench.Accept;
using Belfry.Bench.Log;

(string Name, string What, Func<CancellationToken, Task> RunAsync)[] benches =
[
    ("accept", "the real program: events accepted a second, and from an event to its first provider call", AcceptBench.RunAsync),
    ("log", "all of log.*: the consumer runtime and the writer beside plain clients, on a real Kafka", LogBench.RunAsync),
    .. LogBench.Rows,
];

if (args is [var wanted] && benches.FirstOrDefault(bench => bench.Name == wanted) is { RunAsync: { } run })
{
    await run(CancellationToken.None);
    return 0;
}

foreach (var (name, what, _) in benches) Console.WriteLine($"{name,-14} {what}");
return args.Length == 0 ? 0 : 2;
