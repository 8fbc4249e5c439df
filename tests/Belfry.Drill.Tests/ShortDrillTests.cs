using Belfry.Drill.Drills;

namespace Belfry.Drill.Tests;

/// <summary>
/// The drills themselves, in their short form on real processes. What depends on how fast the machine is has four times the room that it
/// has in <c>./dev drill</c>.
/// </summary>
public class ShortDrillTests
{
    private const int Seed = 1;

    /// <summary>
    /// Six and a half minutes on two cores; sooner than the test run's own limit (<c>./dev</c>), which would leave processes behind.
    /// </summary>
    private static readonly TimeSpan TimeMax = TimeSpan.FromMinutes(20);

    [SkippableFact]
    public async Task Nothing_is_lost_doubled_or_out_of_order_through_any_drill()
    {
        var folder = Directory.CreateTempSubdirectory("belfry-drills-").FullName;
        var said = new List<string>();
        IReadOnlyList<DrillResult> results;
        try
        {
            using var late = new CancellationTokenSource(TimeMax, TimeProvider.System);
            results = await DrillGroup.RunAsync(
                DrillCatalog.All, new DrillForm(IsShort: true, Seed, DrillForm.UsualEventsPerSecond), folder, said.Add,
                late.Token);
        }
        catch (Exception fault) when (fault is not DrillSetupException)
        {
            throw new InvalidOperationException(
                $"The drills were broken off; {folder} holds the histories.\n{string.Join('\n', said)}", fault);
        }
        catch (DrillSetupException missing) when (Environment.GetEnvironmentVariable("CI") != "true")
        {
            Skip.If(true, missing.Message);
            return;
        }

        results.ShouldAllBe(result => result.PassedRoughly, $"{folder} holds the histories.\n{string.Join('\n', said)}");
        Directory.Delete(folder, recursive: true);
    }
}
