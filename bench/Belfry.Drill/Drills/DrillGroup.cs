using System.Text.Json.Nodes;
using Belfry.Drill.Topology;

namespace Belfry.Drill.Drills;

/// <summary>Runs drills one after another on one cluster, and reports.</summary>
internal static class DrillGroup
{
    private const int Services = 24;

    /// <param name="plans">In their order.</param>
    /// <param name="form">How.</param>
    /// <param name="folder">Takes histories, logs, <c>report.json</c> and <c>report.md</c>.</param>
    /// <param name="say">Told of each step, a line each.</param>
    /// <param name="cancel">Ends it; what was started is ended.</param>
    /// <exception cref="DrillSetupException">A part is missing on this machine.</exception>
    public static async Task<IReadOnlyList<DrillResult>> RunAsync(
        IReadOnlyList<DrillPlan> plans, DrillForm form, string folder, Action<string> say, CancellationToken cancel)
    {
        var clock = new DrillClock();
        var results = new List<DrillResult>();
        say($"seed {form.Seed}, {(form.IsShort ? "short" : "long")} form, {form.EventsPerSecond} events/s, into {folder}");
        await using var cluster = await Cluster.StartAsync(Path.Combine(folder, "logs"), clock, Services, cancel);
        say($"cluster up after {clock.NowNs / 1e9:0.0} s");
        var runner = new DrillRunner(cluster, form);
        foreach (var plan in plans)
        {
            var result = await runner.RunAsync(plan, Path.Combine(folder, plan.Name), cancel);
            results.Add(result);
            say(DrillReport.Line(result));
            foreach (var finding in result.Verdict.Shown.Take(5)) say($"        {finding.Kind}: {finding.What}");
            await ReportAsync(results, form, folder, clock.StartedAt);
        }

        return results;
    }

    private static async Task ReportAsync(IReadOnlyList<DrillResult> results, DrillForm form, string folder, DateTimeOffset startedAt)
    {
        var json = new JsonObject
        {
            ["startedAt"] = startedAt.ToString("O"), ["seed"] = form.Seed, ["short"] = form.IsShort, ["eventsPerSecond"] = form.EventsPerSecond,
            ["passed"] = results.All(result => result.Passed), ["drills"] = new JsonArray([.. results.Select(DrillReport.Json)]),
        };
        await File.WriteAllTextAsync(Path.Combine(folder, "report.json"), json.ToJsonString(), CancellationToken.None);
        await File.WriteAllTextAsync(Path.Combine(folder, "report.md"), DrillReport.Page(results, form, startedAt), CancellationToken.None);
    }
}
