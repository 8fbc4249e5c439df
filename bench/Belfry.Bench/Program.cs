using Belfry.Bench.Accept;

(string Name, string What, Func<CancellationToken, Task> RunAsync)[] benches =
[
    ("accept", "the real program: events accepted a second, and from an event to its first provider call", AcceptBench.RunAsync),
    ("pages", "the second half of accept alone: from an event to its first provider call", AcceptBench.PagesAsync),
];

if (args is [var wanted] && benches.FirstOrDefault(bench => bench.Name == wanted) is { RunAsync: { } run })
{
    await run(CancellationToken.None);
    return 0;
}

foreach (var (name, what, _) in benches) Console.WriteLine($"{name,-10} {what}");
return args.Length == 0 ? 0 : 2;
