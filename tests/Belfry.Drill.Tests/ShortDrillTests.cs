using Belfry.Drill.Drills;

namespace Belfry.Drill.Tests;

/// <summary>
/// The drills themselves, in their short form on real processes. What depends on how fast the machine is, is asked of by
/// <c>./dev drill</c> only.
/// </summary>
public class ShortDrillTests
{
    private const int Seed = 1;

    [SkippableFact]
    public async Task Nothing_is_lost_doubled_or_out_of_order_through_any_drill()
    {
        var folder = Directory.CreateTempSubdirectory("belfry-drills-").FullName;
        var said = new List<string>();
        IReadOnlyList<DrillResult> results;
        try
        {
            results = await DrillGroup.RunAsync(
                DrillCatalog.All, new DrillForm(IsShort: true, Seed, DrillForm.UsualEventsPerSecond), folder, said.Add, CancellationToken.None);
        }
        catch (DrillSetupException missing) when (Environment.GetEnvironmentVariable("CI") != "true")
        {
            Skip.If(true, missing.Message);
            return;
        }

        results.ShouldAllBe(result => result.PassedButForSpeed, $"{folder} holds the histories.\n{string.Join('\n', said)}");
        Directory.Delete(folder, recursive: true);
    }
}
