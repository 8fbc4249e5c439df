using Belfry.Simulation.Tests.Mutants;
using Belfry.Simulation.Tests.World;
using Xunit.Abstractions;

namespace Belfry.Simulation.Tests;

/// <summary>Proof that the simulator bites: libraries with one bug in them, compiled and run in its worlds.</summary>
[Collection("simulation")]
public class PlantedBugTests(ITestOutputHelper output)
{
    private const int SeedsMax = 100;

    public static TheoryData<string> Names => [.. PlantedBugs.All.Select(bug => bug.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_planted_bug_is_found(string name)
    {
        var bug = PlantedBugs.All.Single(bug => bug.Name == name);
        var context = new MutantContext(bug, MutantCompiler.Compile(bug));
        var (first, step) = bug.Weather switch
        {
            null => (1, 1),
            Weather.LateLog => (6, 12),
            { } weather => (6 + (int)weather, 6),
        };
        var search = nameof(SimulationTests.FirstViolation);
        var found = context.Call(typeof(SimulationTests).FullName!, search, first, SeedsMax, step) as string;
        found.ShouldNotBeNull($"no violation in {SeedsMax} seeds");
        found.ShouldStartWith("seed ", customMessage: "the worlds could not be run");
        output.WriteLine(found);
    }

    [Fact]
    public void Every_bug_has_its_place() =>
        PlantedBugs.All.Where(bug => MutantCompiler.CountOf(bug) != 1).Select(bug => bug.Name).ShouldBeEmpty();

    [Fact]
    public void A_bug_whose_place_is_gone_is_told() =>
        Should.Throw<InvalidOperationException>(() => MutantCompiler.Compile(PlantedBugs.All[0] with { Find = "no such text" }))
            .Message.ShouldContain("stands 0 times");
}
