using System.Diagnostics;
using Belfry.Simulation.Tests.Mutants;
using Xunit.Abstractions;

namespace Belfry.Simulation.Tests;

/// <summary>Proof that the simulator bites: libraries with one bug in them, compiled and run in its worlds.</summary>
[Collection("simulation")]
public class PlantedBugTests(ITestOutputHelper output)
{
    private const int SeedsMax = 300;

    [Fact]
    public void Every_planted_bug_is_found()
    {
        List<string> missed = [];
        Parallel.ForEach(PlantedBugs.All, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, bug =>
        {
            var started = Stopwatch.GetTimestamp();
            var context = new MutantContext(bug, MutantCompiler.Compile(bug));
            var found = context.Call(typeof(SimulationTests).FullName!, nameof(SimulationTests.FirstViolation), 1, SeedsMax);
            context.Unload();
            lock (missed)
            {
                output.WriteLine($"{bug.Name}: {found ?? "missed"} ({Stopwatch.GetElapsedTime(started).TotalSeconds:0} s)");
                if (found is null) missed.Add(bug.Name);
            }
        });
        missed.ShouldBeEmpty($"not found within {SeedsMax} seeds");
        PlantedBugs.All.Count.ShouldBeGreaterThanOrEqualTo(10);
    }

    [Fact]
    public void A_bug_whose_place_is_gone_is_told() =>
        Should.Throw<InvalidOperationException>(() => MutantCompiler.Compile(PlantedBugs.All[0] with { Find = "no such text" }))
            .Message.ShouldContain("stands 0 times");
}
