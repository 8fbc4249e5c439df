using System.Threading.Channels;
using Belfry.Drill.Check;
using Belfry.Drill.Topology;

namespace Belfry.Drill.Load;

/// <summary>How much load.</summary>
/// <param name="EventsPerSecond">Over all processes, as long as answers come in time: each process waits for its answers.</param>
/// <param name="SnoozeSecondsMax">Snoozes last 1 s up to this.</param>
/// <param name="LongestSeconds">It ends by itself then.</param>
internal sealed record LoadSize(int EventsPerSecond, int SnoozeSecondsMax, int LongestSeconds);

/// <summary>
/// The clients of one drill: a process a service, which sends its next event when the last one was answered, and one that snoozes what
/// was paged. Without an answer or when refused, a process sends the same again, to the next instance, for a bounded time.
/// </summary>
internal sealed class DrillLoad(Cluster cluster, HistoryWriter history, string name, LoadSize size, int seed) : IDisposable
{
    private const int SnoozesWaitingMax = 1_000;
    private static readonly TimeSpan AgainAfter = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan AgainAfterMax = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan GiveUpAfter = TimeSpan.FromSeconds(30);

    private readonly IReadOnlyList<EventClient> _clients = [.. cluster.Nodes.Select(node => new EventClient(node.Url))];
    private readonly int[] _inFlight = new int[cluster.Nodes.Count];
    private readonly CancellationTokenSource _stop = new();
    private readonly Channel<Receipt> _toSnooze = Channel.CreateBounded<Receipt>(
        new BoundedChannelOptions(SnoozesWaitingMax) { FullMode = BoundedChannelFullMode.DropWrite });

    /// <summary>When the last accepted snooze ends, on the drill's clock; 0: there was none.</summary>
    public long LastDueNs => Interlocked.Read(ref _lastDueNs);

    private long _lastDueNs;

    /// <summary>Requests to this instance (from 0) that have no answer yet.</summary>
    public int InFlight(int node) => Volatile.Read(ref _inFlight[node]);

    /// <summary>No new events; what is under way goes on to its answer.</summary>
    public void Stop() => _stop.Cancel();

    /// <summary>Returns when all clients have ended, after <see cref="Stop"/>.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        _stop.CancelAfter(TimeSpan.FromSeconds(size.LongestSeconds));
        cluster.Sink.Accepted = receipt =>
        {
            var key = receipt.Title.Split('#')[0];
            if (receipt.Epoch == 1 && key.StartsWith(name + "-", StringComparison.Ordinal) && KeyScript.IsToBeSnoozed(key))
                _toSnooze.Writer.TryWrite(receipt);
        };
        var snoozing = SnoozeAsync(cancel);
        await Task.WhenAll(cluster.Services.Select(service => EventsAsync(service, cancel)));
        cluster.Sink.Accepted = null;
        _toSnooze.Writer.TryComplete();
        await snoozing;
    }

    public void Dispose()
    {
        foreach (var client in _clients) client.Dispose();
        _stop.Dispose();
    }

    private async Task EventsAsync(DrillService service, CancellationToken cancel)
    {
        var random = new Random(seed * 1_000 + service.Number);
        var script = new KeyScript($"{name}-s{service.Number}", random);
        var pace = TimeSpan.FromSeconds((double)cluster.Services.Count / size.EventsPerSecond);
        var route = new Route(service.Number % _clients.Count);
        var started = cluster.Clock.NowNs;
        for (var count = 0; !_stop.IsCancellationRequested; count++)
        {
            var due = started + (long)((count + random.NextDouble()) * pace.TotalNanoseconds);
            if (due > cluster.Clock.NowNs && !await PauseAsync(TimeSpan.FromTicks((due - cluster.Clock.NowNs) / 100))) return;
            var (operation, key, value) = script.Next();
            var answered = await SendAsync(
                route, $"s{service.Number}", operation, key, value, null,
                client => client.EventAsync(service.RoutingKey, operation, key, value, cancel), cancel);
            if (!answered) script.Forget(key);
        }
    }

    private async Task SnoozeAsync(CancellationToken cancel)
    {
        var random = new Random(seed);
        var emails = cluster.Services.ToDictionary(service => service.UserId, service => service.Email, StringComparer.Ordinal);
        var running = new List<Task>();
        await foreach (var page in _toSnooze.Reader.ReadAllAsync(cancel))
        {
            var length = TimeSpan.FromSeconds(random.Next(1, size.SnoozeSecondsMax + 1));
            running.RemoveAll(one => one.IsCompletedSuccessfully);
            running.Add(OneAsync(page, length, new Route(random.Next(_clients.Count))));
        }

        await Task.WhenAll(running);

        async Task OneAsync(Receipt page, TimeSpan length, Route route)
        {
            var key = page.Title.Split('#')[0];
            await SendAsync(
                route, $"{key}-snooze", Operation.Snooze, key, 2, (long)length.TotalMilliseconds,
                client => client.SnoozeAsync(page.IncidentId, length, emails[page.UserId], cluster.NextToken(), cancel), cancel);
            InterlockedMax(cluster.Clock.NowNs + (long)length.TotalNanoseconds);
        }
    }

    /// <summary>True once it was accepted.</summary>
    private async Task<bool> SendAsync(
        Route route, string process, Operation operation, string key, long value, long? delayMs, Func<EventClient, Task<Answer>> sendAsync,
        CancellationToken cancel)
    {
        var began = cluster.Clock.NowNs;
        for (var again = AgainAfter; ; again = again * 2 < AgainAfterMax ? again * 2 : AgainAfterMax)
        {
            var node = route.Node;
            var number = history.Invoke(process, cluster.Nodes[node].NodeName, operation, key, value, delayMs);
            Interlocked.Increment(ref _inFlight[node]);
            var answer = await sendAsync(_clients[node]);
            Interlocked.Decrement(ref _inFlight[node]);
            history.End(number, answer.Outcome, answer.Text);
            if (answer.Outcome == Outcome.Ok) return true;
            if (cluster.Clock.NowNs - began > GiveUpAfter.TotalNanoseconds) return false;
            route.Node = (node + 1) % _clients.Count;
            // The next instance at once; after all of them have failed, later and later.
            if (route.Node == route.First) await Task.Delay(again, cancel);
        }
    }

    private async Task<bool> PauseAsync(TimeSpan length)
    {
        try
        {
            await Task.Delay(length, _stop.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private void InterlockedMax(long due)
    {
        for (var seen = LastDueNs; seen < due; seen = LastDueNs)
            if (Interlocked.CompareExchange(ref _lastDueNs, due, seen) == seen) return;
    }

    /// <summary>Which instance a process asks: the one that answered last.</summary>
    private sealed class Route(int first)
    {
        public int First { get; } = first;

        public int Node { get; set; } = first;
    }
}
