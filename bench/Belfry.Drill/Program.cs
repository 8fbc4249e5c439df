using Belfry.Drill;
using Belfry.Drill.Drills;
using Belfry.Drill.Reading;

const string Usage = """
    drill [NAME|all] [--short|--long] [--seed N] [--rate N] [--out DIR]   run drills (all, short)
    drill --check DIR                                                    check a recorded history again
    Ends with 0: all passed; 1: not all; 2: asked wrongly; 3: something is missing on this machine.
    """;

if (DrillArguments.Read(args) is not { } asked)
{
    Console.Error.WriteLine(Usage);
    foreach (var plan in DrillCatalog.All) Console.Error.WriteLine($"{plan.Number,4} {plan.Name,-20} {plan.What}");
    return 2;
}

if (asked.CheckFolder is { } recorded)
{
    var verdict = Belfry.Drill.Check.HistoryChecker.Check(HistoryFiles.Load(recorded));
    foreach (var finding in verdict.Shown) Console.WriteLine($"{finding.Kind}: {finding.What}");
    foreach (var (name, value) in verdict.Figures) Console.WriteLine($"{name} {value}");
    return verdict.IsSound ? 0 : 1;
}

using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, pressed) =>
{
    pressed.Cancel = true;
    stop.Cancel();
};
try
{
    var results = await DrillGroup.RunAsync(asked.Plans, asked.Form, asked.OutFolder, Console.WriteLine, stop.Token);
    return results.Count >= asked.Plans.Count && results.All(result => result.Passed) ? 0 : 1;
}
catch (Exception fault) when (fault is InvalidOperationException or HttpRequestException or TimeoutException
    or Confluent.Kafka.KafkaException or TaskCanceledException)
{
    // What the drills that ran have said stands in the report.
    Console.Error.WriteLine($"drill: broken off: {fault}");
    return 1;
}
catch (DrillSetupException missing)
{
    Console.Error.WriteLine($"drill: {missing.Message}");
    return 3;
}
