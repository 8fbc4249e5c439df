using System.Text.Json.Nodes;
using Belfry.Drill.Topology;

namespace Belfry.Drill.Drills;

/// <summary>Runs drills one after another on one cluster, and reports.</summary>
internal static class DrillGroup
{
    private const int Services = 24;
    private const int ShortDrillsAfter = 2;
    private const int FindingsSaid = 5;

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
        await runner.WarmAsync(Path.Combine(folder, "logs"), cancel);
        say($"warm after {clock.NowNs / 1e9:0.0} s");
        await using var escalations = new EscalationWatch(cluster, Path.Combine(folder, EscalationWatch.Plan.Name));
        var opened = 0;
        for (var at = 0; at < plans.Count; at++)
        {
            // Not in the last drills of a short form, which would wait a minute for them.
            if (!form.IsShort || at + ShortDrillsAfter < plans.Count)
            {
                await escalations.OpenAsync(cancel);
                opened++;
            }

            await AddAsync(await runner.RunAsync(plans[at], Path.Combine(folder, plans[at].Name), cancel));
            escalations.Add(results[^1].History.Faults);
        }

        if (opened > 0) await AddAsync(await escalations.EndAsync(form.Seed, cancel));
        return results;

        Task AddAsync(DrillResult result)
        {
            results.Add(result);
            say(DrillReport.Line(result));
            foreach (var finding in result.Verdict.Shown.Take(FindingsSaid)) say($"        {finding.Kind}: {finding.What}");
            return ReportAsync(results, form, folder, clock.StartedAt);
        }
    }

    private static async Task ReportAsync(IReadOnlyList<DrillResult> results, DrillForm form, string folder, DateTimeOffset startedAt)
    {
        var json = new JsonObject
        {
            ["startedAt"] = startedAt.ToString("O"), ["seed"] = form.Seed, ["short"] = form.IsShort,
            ["eventsPerSecond"] = form.EventsPerSecond, ["passed"] = results.All(result => result.Passed),
            ["drills"] = new JsonArray([.. results.Select(DrillReport.Json)]),
        };
        await File.WriteAllTextAsync(Path.Combine(folder, "report.json"), json.ToJsonString(), CancellationToken.None);
        await File.WriteAllTextAsync(Path.Combine(folder, "report.md"), DrillReport.Page(results, form, startedAt), CancellationToken.None);
    }
}
