using System.Diagnostics;
using Belfry.Drill.Check;
using Belfry.Drill.Load;
using Belfry.Drill.Reading;
using Belfry.Drill.Topology;

namespace Belfry.Drill.Drills;

/// <summary>How drills are run.</summary>
/// <param name="IsShort">Shorter faults and less waiting.</param>
/// <param name="Seed">Of loads and nemeses.</param>
/// <param name="EventsPerSecond">Over all clients.</param>
internal sealed record DrillForm(bool IsShort, int Seed, int EventsPerSecond)
{
    public TimeSpan Calm => TimeSpan.FromSeconds(IsShort ? 3 : 15);
    public TimeSpan After => TimeSpan.FromSeconds(IsShort ? 3 : 10);

    /// <summary>Nothing may move for this long before the final read.</summary>
    public TimeSpan Quiet => TimeSpan.FromSeconds(IsShort ? 2 : 10);
    public static TimeSpan QuietWithin => TimeSpan.FromSeconds(60);
    public static TimeSpan Warming => TimeSpan.FromSeconds(10);

    /// <summary>What two cores bear of instances, brokers, PostgreSQL and the load, and of instances that start meanwhile.</summary>
    public static int UsualEventsPerSecond => 10;

    /// <summary>Enough for what runs often to be compiled.</summary>
    public int WarmingEventsPerSecond => Math.Max(EventsPerSecond, 25);
    public int SnoozeSecondsMax => IsShort ? 5 : 20;
    public static int LongestSeconds => 300;
}

/// <summary>One drill that has been run.</summary>
/// <param name="Plan">Which.</param>
/// <param name="Seed">Of its load and nemesis.</param>
/// <param name="History">What was recorded.</param>
/// <param name="Verdict">What the checker found.</param>
/// <param name="Measures">What was measured.</param>
/// <param name="Took">From its first request to its verdict.</param>
/// <param name="Bounds">Its own.</param>
internal sealed record DrillResult(
    DrillPlan Plan, int Seed, DrillHistory History, Verdict Verdict, DrillMeasures Measures, TimeSpan Took, IReadOnlyList<Bound> Bounds)
{
    public bool Passed => Verdict.IsSound && Bounds.All(bound => bound.Holds);

    /// <summary>The same, with room for a slow machine and its other load where a bound depends on those.</summary>
    public bool PassedRoughly => Verdict.IsSound && Bounds.All(bound => bound.IsSpeed ? bound.HoldsRoughly : bound.Holds);
}

/// <summary>Runs one drill on a cluster: load, faults, healing, quiet, a full read, the checker.</summary>
internal sealed class DrillRunner(Cluster cluster, DrillForm form)
{
    /// <summary>
    /// Load that nothing is asked of, until it has come to rest: in the first seconds all programs compile what they run, and no drill is
    /// of that.
    /// </summary>
    public async Task WarmAsync(string folder, CancellationToken cancel)
    {
        await using var history = new HistoryWriter(Path.Combine(folder, "warm-up.jsonl"), cluster.Clock);
        using var load = new DrillLoad(
            cluster, history, "warm", new LoadSize(form.WarmingEventsPerSecond, SnoozeSecondsMax: 1, DrillForm.LongestSeconds), form.Seed);
        var loading = load.RunAsync(cancel);
        await Task.Delay(DrillForm.Warming, cancel);
        load.Stop();
        await loading;
        await QuietAsync(load, [], cancel);
    }

    /// <param name="plan">Which.</param>
    /// <param name="folder">Takes the history.</param>
    /// <param name="cancel">Ends it.</param>
    /// <exception cref="InvalidOperationException">An instance ended that was not to.</exception>
    public async Task<DrillResult> RunAsync(DrillPlan plan, string folder, CancellationToken cancel)
    {
        var watch = Stopwatch.StartNew();
        Directory.CreateDirectory(folder);
        var name = $"d{plan.Number:00}";
        var seed = form.Seed * 100 + plan.Number;
        var marks = await Task.Run(() => TopicReader.Marks(cluster.Kafka.Bootstrap), cancel);
        var (since, firstReceipt) = (TimeProvider.System.GetUtcNow(), cluster.Sink.Count);
        IReadOnlyDictionary<string, double> own;
        IReadOnlyList<string> left;
        await using (var history = new HistoryWriter(Path.Combine(folder, HistoryFiles.History), cluster.Clock))
        {
            var quiet = await LoadAndBreakAsync(plan, history, name, seed, cancel);
            (own, left) = (quiet.Own, quiet.Left);
            history.Read();
            using var reader = new FinalReader(cluster);
            var state = await reader.ReadAsync(since, IsOurs, marks, cancel);
            HistoryFiles.Save(folder, state, cluster.Sink.From(firstReceipt).Where(receipt => IsOurs(receipt.Title)));
        }

        var recorded = HistoryFiles.Load(folder);
        var verdict = HistoryChecker.Check(recorded);
        foreach (var work in left)
            verdict.Add(FindingKind.Stuck, $"It was not quiet {DrillForm.QuietWithin} after everything was whole again: {work}.");
        foreach (var (figure, value) in own) verdict.Figure(figure, value);
        var measures = new DrillMeasures(recorded, verdict, own);
        return new DrillResult(plan, seed, recorded, verdict, measures, watch.Elapsed, plan.BoundsOf(measures));
    }

    private static bool IsOurs(string key) => !key.StartsWith(EscalationWatch.Prefix, StringComparison.Ordinal);

    private async Task<(IReadOnlyDictionary<string, double> Own, IReadOnlyList<string> Left)> LoadAndBreakAsync(
        DrillPlan plan, HistoryWriter history, string name, int seed, CancellationToken cancel)
    {
        var size = new LoadSize(form.EventsPerSecond, form.SnoozeSecondsMax, DrillForm.LongestSeconds);
        using var load = new DrillLoad(cluster, history, name, size, seed);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var sampling = new FenceSampler(cluster.Postgres.ConnectionString, history).RunAsync(ended.Token);
        var loading = load.RunAsync(cancel);
        var scene = new DrillScene(cluster, history, load, form.IsShort, new Random(seed), cancel);
        await Task.Delay(form.Calm, cancel);
        await plan.BreakAsync(scene);
        await Task.Delay(form.After, cancel);
        load.Stop();
        await loading;
        if (cluster.Nodes.FirstOrDefault(node => node.FellWith is not null) is { } fallen)
            throw new InvalidOperationException($"Instance {fallen.Name} ended by itself with {fallen.FellWith}; its log may say why.");
        var own = new Dictionary<string, double>(scene.Figures);
        var left = await QuietAsync(load, own, cancel);
        await ended.CancelAsync();
        await sampling;
        return (own, left);
    }

    /// <summary>
    /// Returns once the last timer was due, nothing has moved for a while and nothing is left to do, or when its time is over.
    /// </summary>
    /// <returns>What was left when its time was over; empty: it is quiet.</returns>
    private async Task<IReadOnlyList<string>> QuietAsync(DrillLoad load, Dictionary<string, double> own, CancellationToken cancel)
    {
        using var reader = new FinalReader(cluster);
        using var work = new WorkLeft(cluster);
        var (began, movedAt, last) = (cluster.Clock.NowNs, cluster.Clock.NowNs, -1L);
        IReadOnlyList<string> left = ["lines and pages still come"];
        while (cluster.Clock.NowNs - began < DrillForm.QuietWithin.TotalNanoseconds)
        {
            try
            {
                var (now, progress) = (cluster.Clock.NowNs, await reader.ProgressAsync(cancel));
                if (progress != last || now < load.LastDueNs) (movedAt, last) = (now, progress);
                if (now - movedAt >= form.Quiet.TotalNanoseconds && (left = await work.AskAsync(cancel)).Count == 0) break;
            }
            catch (Exception fault) when (fault is HttpRequestException or TaskCanceledException && !cancel.IsCancellationRequested)
            {
                left = [$"the instances do not answer: {fault.Message}"];
            }

            await Task.Delay(200, cancel);
        }

        own["quiet_after_ms"] = ((left.Count == 0 ? movedAt : cluster.Clock.NowNs) - began) / 1e6;
        return left;
    }
}
