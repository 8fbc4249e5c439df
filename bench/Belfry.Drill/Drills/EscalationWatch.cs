using Belfry.Drill.Check;
using Belfry.Drill.Load;
using Belfry.Drill.Reading;
using Belfry.Drill.Topology;

namespace Belfry.Drill.Drills;

/// <summary>
/// Incidents that nobody takes, and that reach their second level after a minute, through whatever drills run meanwhile: a history of
/// their own over a group of drills. One caller.
/// </summary>
internal sealed class EscalationWatch : IAsyncDisposable
{
    /// <summary>Of its dedup keys.</summary>
    public const string Prefix = "esc-";

    private const int EachTime = 3;
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(8);
    private readonly Cluster _cluster;
    private readonly string _folder;
    private readonly HistoryWriter _history;
    private readonly TopicMarks _marks;
    private readonly IReadOnlyList<EventClient> _clients;
    private readonly DateTimeOffset _since = TimeProvider.System.GetUtcNow();
    private readonly int _firstReceipt;
    private long _lastDueNs;
    private int _keys;

    public EscalationWatch(Cluster cluster, string folder)
    {
        Directory.CreateDirectory(folder);
        (_cluster, _folder, _firstReceipt) = (cluster, folder, cluster.Sink.Count);
        _history = new HistoryWriter(Path.Combine(folder, HistoryFiles.History), cluster.Clock);
        _marks = TopicReader.Marks(cluster.Kafka.Bootstrap);
        _clients = [.. cluster.Nodes.Select(node => new EventClient(node.Url))];
    }

    public static DrillPlan Plan { get; } = new(
        0, "escalations", "Second levels a minute after the first, through all drills of the group.", _ => Task.CompletedTask, seen =>
        [
            new("timers fired", seen.Verdict.Figures.GetValueOrDefault("timers.fired"), "", 1, IsLeast: true),
            new("late at most", seen.Verdict.Figures.GetValueOrDefault("timers.late_max_ms", double.NaN), Bound.Milliseconds, 5_000),
            new(
                "after a blackout at most", seen.Verdict.Figures.GetValueOrDefault("timers.after_blackout_max_ms"),
                Bound.Milliseconds, 20_000),
        ]);

    /// <summary>Opens a few, each accepted when it returns.</summary>
    public async Task OpenAsync(CancellationToken cancel)
    {
        foreach (var service in _cluster.Escalating)
            for (var count = 0; count < EachTime; count++)
            {
                var key = $"{Prefix}{service.Number}-{++_keys}";
                for (var node = _keys % _clients.Count; ; node = (node + 1) % _clients.Count)
                {
                    var number = _history.Invoke(
                        $"e{service.Number}", _cluster.Nodes[node].NodeName, Operation.Trigger, key, 1);
                    var answer = await _clients[node].EventAsync(service.RoutingKey, Operation.Trigger, key, 1, cancel);
                    _history.End(number, answer.Outcome, answer.Text);
                    if (answer.Outcome == Outcome.Ok) break;
                    await Task.Delay(100, cancel);
                }

                _lastDueNs = _cluster.Clock.NowNs + service.LevelDelaysMs[0] * 1_000_000;
            }
    }

    /// <summary>Faults of a drill are faults of this history too.</summary>
    public void Add(IEnumerable<Fault> faults)
    {
        foreach (var fault in faults) _history.Add(fault);
    }

    /// <summary>Waits until the last is due, and judges.</summary>
    public async Task<DrillResult> EndAsync(int seed, CancellationToken cancel)
    {
        var began = _cluster.Clock.NowNs;
        var left = TimeSpan.FromMilliseconds((_lastDueNs - began) / 1e6) + Settling;
        if (left > TimeSpan.Zero) await Task.Delay(left, cancel);
        _history.Read();
        await _history.DisposeAsync();
        using var reader = new FinalReader(_cluster);
        var state = await reader.ReadAsync(_since, IsOurs, _marks, cancel);
        HistoryFiles.Save(_folder, state, _cluster.Sink.From(_firstReceipt).Where(receipt => IsOurs(receipt.Title)));
        var recorded = HistoryFiles.Load(_folder);
        var verdict = HistoryChecker.Check(recorded);
        var measures = new DrillMeasures(recorded, verdict, new Dictionary<string, double>());
        var took = TimeSpan.FromMilliseconds((_cluster.Clock.NowNs - began) / 1e6);
        return new DrillResult(Plan, seed, recorded, verdict, measures, took, Plan.BoundsOf(measures));
    }

    public async ValueTask DisposeAsync()
    {
        await _history.DisposeAsync();
        foreach (var client in _clients) client.Dispose();
    }

    private static bool IsOurs(string key) => key.StartsWith(Prefix, StringComparison.Ordinal);
}
