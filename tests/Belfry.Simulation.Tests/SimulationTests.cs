using System.Diagnostics;
using Belfry.Simulation.Tests.World;
using Xunit.Abstractions;

namespace Belfry.Simulation.Tests;

/// <summary>The whole way of an event, from the HTTP body to the provider call, on three nodes in virtual time.</summary>
[Collection("simulation")]
public class SimulationTests(ITestOutputHelper output)
{
    private static readonly int Seeds = Number("BELFRY_SEEDS", 2_000);
    private static readonly int FirstSeed = Number("BELFRY_FIRST_SEED", 1);

    // Each seed's calls, faults and kills as lines of text, to read a failing seed by.
    private static readonly string? TraceFolder = Environment.GetEnvironmentVariable("BELFRY_TRACE");

    [Fact]
    public void No_seed_breaks_an_invariant()
    {
        var started = Stopwatch.GetTimestamp();
        var (steps, receipts, acknowledged, broken) = (0L, 0L, 0L, new List<string>());
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount };
        Parallel.For(FirstSeed, FirstSeed + Seeds, parallel, (seed, loop) =>
        {
            using var trace = TraceFolder is null ? null : new StreamWriter(Path.Combine(TraceFolder, $"seed-{seed}.txt"));
            var world = new AlertingWorld(seed, trace is null ? null : trace.WriteLine);
            var violations = world.Run();
            lock (broken)
            {
                steps += world.World.Steps;
                receipts += world.Observer.Receipts.Count;
                acknowledged += world.Responder.Acknowledged;
                if (violations.Count > 0) broken.Add($"seed {seed} ({world.Weather}): {string.Join("; ", violations.Take(3))}");
                if (broken.Count >= 10) loop.Stop();
            }
        });
        output.WriteLine(
            $"{Seeds} seeds in {Stopwatch.GetElapsedTime(started)}: {steps} events, " +
            $"{receipts} deliveries, {acknowledged} acknowledgements");
        broken.ShouldBeEmpty(string.Join("\n", broken));
        receipts.ShouldBeGreaterThan(Seeds * 5L, "a world in which nothing happens proves nothing");
        acknowledged.ShouldBeGreaterThan(Seeds);
    }

    /// <summary>36: a poll slept on. 56: an acknowledgement between question and claim. 72: a take-over landed late.</summary>
    [Theory]
    [InlineData(36)]
    [InlineData(56)]
    [InlineData(72)]
    public void A_seed_that_once_failed_holds(int seed) => new AlertingWorld(seed).Run().ShouldBeEmpty();

    [Theory]
    [InlineData(5)]
    [InlineData(11)]
    [InlineData(1234)]
    public void A_seed_replays_to_the_same_trace(int seed)
    {
        var (first, second) = (new AlertingWorld(seed), new AlertingWorld(seed));
        first.Run();
        second.Run();
        second.World.TraceHash.ShouldBe(first.World.TraceHash);
        second.World.Steps.ShouldBe(first.World.Steps);
    }

    /// <summary>
    /// The first violation of these seeds, every <paramref name="step"/>th from <paramref name="first"/> on; null for none. Called in
    /// other load contexts too.
    /// </summary>
    internal static string? FirstViolation(int first, int count, int step)
    {
        for (var seed = first; seed < first + (count * step); seed += step)
            if (new AlertingWorld(seed).Run() is [var violation, ..])
                return $"seed {seed}: {violation}";
        return null;
    }

    private static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), out var number) ? number : otherwise;
}
