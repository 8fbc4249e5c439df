using Belfry.Drill.Check;
using Belfry.Drill.Load;
using Belfry.Drill.Topology;

namespace Belfry.Drill.Drills;

/// <summary>What a nemesis acts on: it breaks and heals through here, so that the history knows.</summary>
internal sealed class DrillScene(
    Cluster cluster, HistoryWriter history, DrillLoad load, bool isShort, Random random, CancellationToken cancel)
{
    private readonly Dictionary<string, double> _figures = [];

    public Cluster Cluster => cluster;
    public DrillLoad Load => load;
    public bool IsShort => isShort;
    public Random Random => random;
    public CancellationToken Cancel => cancel;

    /// <summary>What the nemesis itself measured.</summary>
    public IReadOnlyDictionary<string, double> Figures => _figures;

    /// <summary>One form's number or length, as this run has it.</summary>
    public T ShortOr<T>(T shortForm, T longForm) => isShort ? shortForm : longForm;

    public Task WaitAsync(TimeSpan length) => Task.Delay(length, cancel);

    public Task WaitAsync(double seconds) => WaitAsync(TimeSpan.FromSeconds(seconds));

    public void Figure(string name, double value) => _figures[name] = Math.Max(value, _figures.GetValueOrDefault(name));

    public void Crash(string what) => history.Break(FaultKind.Crash, what);

    /// <summary>Something is broken until the action has healed it.</summary>
    public async Task WhileAsync(FaultKind kind, string what, Func<Task> breakAsync, Func<Task> untilHealedAsync)
    {
        var number = history.Break(kind, what);
        await breakAsync();
        await untilHealedAsync();
        history.Heal(number);
    }

    /// <summary>
    /// How long it took until the question was answered with yes, in milliseconds; NaN when it never was.
    /// </summary>
    public async Task<double> UntilAsync(Func<Task<bool>> askAsync, TimeSpan patience)
    {
        var began = cluster.Clock.NowNs;
        while (cluster.Clock.NowNs - began < patience.TotalNanoseconds)
        {
            if (await askAsync()) return (cluster.Clock.NowNs - began) / 1e6;
            await Task.Delay(50, cancel);
        }

        return double.NaN;
    }
}
