using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Belfry.Drill.Check;

namespace Belfry.Drill.Drills;

/// <summary>What a drill has to say: one JSON object, and a page for people.</summary>
internal static class DrillReport
{
    public static JsonObject Json(DrillResult result) => new()
    {
        ["drill"] = result.Plan.Name,
        ["number"] = result.Plan.Number,
        ["seed"] = result.Seed,
        ["passed"] = result.Passed,
        ["seconds"] = Math.Round(result.Took.TotalSeconds, 1),
        ["bounds"] = new JsonArray([.. result.Bounds.Select(bound => new JsonObject
        {
            ["name"] = bound.Name, ["value"] = Number(bound.Value), ["unit"] = bound.Unit, ["limit"] = bound.Limit,
            ["least"] = bound.IsLeast, ["holds"] = bound.Holds,
        })]),
        ["findings"] = new JsonObject(result.Verdict.Counts.Select(
            found => KeyValuePair.Create<string, JsonNode?>(found.Key.ToString(), found.Value))),
        ["figures"] = new JsonObject(FiguresOf(result).Select(
            figure => KeyValuePair.Create(figure.Name, Number(figure.Value)))),
        ["faults"] = new JsonArray([.. result.History.Faults.Select(fault => new JsonObject
        {
            ["what"] = fault.What, ["from_ms"] = fault.FromNs / 1_000_000, ["to_ms"] = fault.ToNs / 1_000_000,
        })]),
    };

    public static string Line(DrillResult result) => string.Create(
        CultureInfo.InvariantCulture,
        $"{(result.Passed ? "pass" : "FAIL")}  {result.Plan.Number,2} {result.Plan.Name,-20} {result.Took.TotalSeconds,5:0.0} s  " +
        $"{string.Join(", ", result.Bounds.Select(Text))}" +
        $"{(result.Verdict.IsSound ? "" : "  " + string.Join(", ", result.Verdict.Counts.Select(c => $"{c.Key} {c.Value}")))}");

    /// <summary>One page over all drills of a run.</summary>
    /// <param name="results">In the order they ran.</param>
    /// <param name="form">How they were run.</param>
    /// <param name="startedAt">When.</param>
    public static string Page(IReadOnlyList<DrillResult> results, DrillForm form, DateTimeOffset startedAt)
    {
        var page = new StringBuilder();
        page.Append(CultureInfo.InvariantCulture, $"""
            # Process drills

            {startedAt:yyyy-MM-dd HH:mm} UTC, {(form.IsShort ? "short" : "long")} form, seed {form.Seed}, {form.EventsPerSecond} events/s,
            {Environment.ProcessorCount} cores: {results.Count(result => result.Passed)} of {results.Count} passed.

            | drill | | bounds | found | events | pages | repeated | unanswered |
            |---|---|---|---|---|---|---|---|

            """);
        foreach (var result in results)
        {
            var figures = result.Verdict.Figures;
            var found = string.Join(", ", result.Verdict.Counts.Select(count => $"{count.Key} {count.Value}"));
            var (passed, bounds) = (result.Passed ? "pass" : "**FAIL**", string.Join("; ", result.Bounds.Select(Text)));
            page.Append(CultureInfo.InvariantCulture, $"| {result.Plan.Number} {result.Plan.Name} | {passed} ");
            page.Append(CultureInfo.InvariantCulture, $"| {bounds} | {(found.Length > 0 ? found : "-")} ");
            foreach (var name in (string[])["events.accepted", "pages.accepted", "pages.repeated", "events.unanswered"])
                page.Append(CultureInfo.InvariantCulture, $"| {figures.GetValueOrDefault(name)} ");
            page.Append("|\n");
        }

        foreach (var result in results)
        {
            page.Append(CultureInfo.InvariantCulture, $"\n## {result.Plan.Number} {result.Plan.Name}\n\n{result.Plan.What}\n\n");
            page.AppendJoin(", ", FiguresOf(result).Select(
                figure => string.Create(CultureInfo.InvariantCulture, $"{figure.Name} {figure.Value:0.#}"))).Append('\n');
            foreach (var finding in result.Verdict.Shown)
                page.Append(CultureInfo.InvariantCulture, $"\n- **{finding.Kind}**: {finding.What}");
            if (result.Verdict.Shown.Count > 0) page.Append('\n');
        }

        return page.ToString();
    }

    private static IEnumerable<(string Name, double Value)> FiguresOf(DrillResult result)
    {
        var seen = result.Measures;
        (string Name, double Value)[] measured =
        [
            ("accept.p99_ms", seen.AcceptP99Ms), ("accept.max_ms", seen.AcceptMaxMs), ("accept.gap_ms", seen.AcceptGapMs),
            ("accept.errors", seen.Errors), ("accept.in_4s_percent", seen.AcceptedIn4sPercent), ("page.p99_ms", seen.PageP99Ms),
            ("page.max_ms", seen.PageMaxMs), ("page.calm_p99_ms", seen.CalmPageP99Ms), ("takeover_ms", seen.TakeoverMs),
            ("throughput_percent", seen.ThroughputPercent), ("backlog_gone_ms", seen.BacklogGoneMs),
        ];
        return measured.Where(figure => !double.IsNaN(figure.Value)).Concat(result.Verdict.Figures.Select(pair => (pair.Key, pair.Value)));
    }

    private static string Text(Bound bound) => string.Create(
        CultureInfo.InvariantCulture,
        $"{bound.Name} {bound.Value:0.#}{bound.Unit} ({(bound.IsLeast ? ">=" : "<=")} {bound.Limit:0.#}{(bound.Holds ? "" : ", broken")})");

    private static JsonNode? Number(double value) => double.IsFinite(value) ? Math.Round(value, 1) : null;
}
