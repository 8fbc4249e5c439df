using Belfry.Deliveries;
using Belfry.Log;
using Belfry.Outbox;
using Belfry.Testing;

namespace Belfry.Simulation.Tests.World;

/// <summary>Which faults a seed has. Each kind alone in some seeds, so that what it excuses excuses nothing elsewhere.</summary>
internal enum Weather
{
    Calm,
    Kills,
    PortFaults,
    BadProviders,
    CutOffs,
    Everything,

    /// <summary>The log answers late those who take events in, and senders go on at once. Every other calm seed.</summary>
    LateLog,
}

/// <summary>Three nodes, what they share, who sends and who answers, and the faults between: one run is one seed.</summary>
internal sealed class AlertingWorld
{
    public static readonly TimeSpan FaultsEnd = TimeSpan.FromMinutes(7);
    public static readonly TimeSpan Settled = TimeSpan.FromMinutes(9);
    public static readonly TimeSpan End = TimeSpan.FromMinutes(16);
    private const int Nodes = 3;
    private static readonly string[] StorePorts = ["store.", "tasks.", "deliveries."];
    private readonly List<AlertingNode> _nodes = [];
    private int _made;
    private bool _cutsOffAtWrite;

    public AlertingWorld(long seed, Action<string>? trace = null)
    {
        Weather = seed % 12 == 6 ? Weather.LateLog : (Weather)(seed % 6);
        World = new SimulatedWorld(seed, SharedState.StartAt) { Trace = trace };
        Observer = new Observer(World, SharedState.Topics);
        Log = new SimulatedLog(World) { OnAppended = Observer.Appended };
        State = SharedState.Create();
        Providers =
        [
            new(World, "email", UnknownOutcomePolicy.AtLeastOnce, Observer),
            new(World, "webhook", UnknownOutcomePolicy.ResendWithKey, Observer),
        ];
        Sender = new Sender(this);
        Responder = new Responder(this);
        State.TakeTouches();
    }

    public Weather Weather { get; }
    public SimulatedWorld World { get; }
    public Observer Observer { get; }
    public SimulatedLog Log { get; }
    public SharedState State { get; }
    public SimulatedTaskStore Tasks { get; } = new();
    public SimulatedDeliveryStore Deliveries { get; } = new();
    public SimulatedParkedRecordStore Parked { get; } = new();
    public IReadOnlyList<Provider> Providers { get; }
    public Sender Sender { get; }
    public Responder Responder { get; }

    /// <summary>How late the log is with what an inlet appends, one way.</summary>
    public TimeSpan LateBy() => Weather != Weather.LateLog || World.Elapsed >= FaultsEnd || World.Random.Next(3) > 0
        ? TimeSpan.Zero
        : TimeSpan.FromMilliseconds(World.Random.Next(1_000));

    public static bool IsPlanned(Exception fault) => fault is LogUnavailableException or StoreUnavailableException;

    /// <summary>Runs the seed to its end; the violations found.</summary>
    public IReadOnlyList<string> Run()
    {
        for (var i = 0; i < Nodes; i++) AddNode();
        Sender.Start();
        Nemesis();
        try
        {
            World.Run(() => Observer.Violations.Count > 0, Settled);
            if (Observer.Violations.Count == 0) Observer.Violations.AddRange(Invariants.WhenSettled(this));
            if (Observer.Violations.Count == 0) World.Run(() => Observer.Violations.Count > 0, End - Settled);
            if (Observer.Violations.Count == 0) Observer.Violations.AddRange(Invariants.AtTheEnd(this));
        }
        catch (SimulationException broken)
        {
            Observer.Violated("simulation", broken.ToString());
        }

        State.Store.Dispose();
        return Observer.Violations;
    }

    public AlertingNode? AnyServing()
    {
        var serving = _nodes.Where(node => !node.Node.IsDead && node.Serves).ToList();
        return serving.Count == 0 ? null : serving[World.Random.Next(serving.Count)];
    }

    /// <summary>Whoever is cut off now, between deciding and writing, writes what another has come to own.</summary>
    public void BeforeWrite(SimulatedNode node)
    {
        if (!_cutsOffAtWrite || World.Elapsed >= FaultsEnd) return;
        _cutsOffAtWrite = false;
        CutOff(node, TimeSpan.FromSeconds(15 + World.Random.Next(20)));
    }

    public void AfterWrite(SimulatedNode node, IReadOnlyList<OutgoingRecord> promised)
    {
        Observer.Touched(node, State.TakeTouches());
        foreach (var record in promised) Observer.Promised(record);
    }

    private void AddNode()
    {
        var node = new AlertingNode(this, World.AddNode($"n{++_made}"));
        _nodes.Add(node);
        node.Start();
    }

    private void Nemesis()
    {
        var (kills, ports, providers, cuts) = Weather switch
        {
            Weather.Kills => (8, 0, 0, 0),
            Weather.PortFaults => (0, 4, 0, 0),
            Weather.BadProviders => (0, 0, 4, 0),
            Weather.CutOffs => (0, 0, 0, 6),
            Weather.Everything => (5, 3, 3, 3),
            _ => (0, 0, 0, 0),
        };
        for (var i = 0; i < kills; i++) Sometime("kill", Kill);
        for (var i = 0; i < ports; i++) Sometime("rough ports", RoughPorts);
        for (var i = 0; i < providers; i++) Sometime("bad providers", BadProviders);
        for (var i = 0; i < cuts; i++) Sometime("cut off", CutOff);
        World.After(FaultsEnd, "heal", Heal);

        // So that a kill meets sends under way.
        if (Weather == Weather.Kills)
            foreach (var provider in Providers) provider.Mood = ProviderMood.Leisurely;
        if (Weather == Weather.Calm && World.Seed % 12 == 0) Providers[0].Stuck = State.Users[2].Email;
    }

    private void Sometime(string name, Action fault) =>
        World.After(FaultsEnd * World.Random.NextDouble() * 0.95, name, () =>
        {
            if (World.Elapsed < FaultsEnd) fault();
        });

    private void Kill()
    {
        var alive = _nodes.Where(node => !node.Node.IsDead).ToList();
        if (alive.Count == 0) return;
        alive[World.Random.Next(alive.Count)].Node.Kill();
        World.After(TimeSpan.FromSeconds(1 + World.Random.Next(20)), "restart", AddNode);
    }

    private void RoughPorts()
    {
        World.Faults = FaultPlan.Rough with { MakeFault = Fault };
        World.After(TimeSpan.FromSeconds(5 + World.Random.Next(40)), "ports heal", () => World.Faults = FaultPlan.None);
    }

    private void BadProviders()
    {
        foreach (var provider in Providers) provider.Mood = ProviderMood.Bad;
        World.After(TimeSpan.FromSeconds(10 + World.Random.Next(60)), "providers heal", () =>
        {
            foreach (var provider in Providers) provider.Mood = ProviderMood.Good;
        });
    }

    private void CutOff()
    {
        if (Weather == Weather.CutOffs && World.Random.Next(2) == 0)
        {
            _cutsOffAtWrite = true;
            return;
        }

        var alive = _nodes.Where(node => !node.Node.IsDead && !node.Node.IsFrozen).ToList();
        if (alive.Count == 0) return;
        var node = alive[World.Random.Next(alive.Count)].Node;
        CutOff(node, TimeSpan.FromSeconds(1 + World.Random.Next(25)));
    }

    private void CutOff(SimulatedNode node, TimeSpan length)
    {
        Observer.OwnersWereCutOff = true;
        node.Freeze();
        World.After(length, "thaw", node.Thaw);
    }

    private void Heal()
    {
        World.Faults = FaultPlan.None;
        foreach (var provider in Providers) (provider.Mood, provider.Stuck) = (ProviderMood.Good, null);
        foreach (var node in _nodes) node.Node.Thaw();
        while (_nodes.Count(node => !node.Node.IsDead) < Nodes) AddNode();
    }

    private static Exception Fault(string call) =>
        StorePorts.Any(port => call.StartsWith(port, StringComparison.Ordinal))
            ? new StoreUnavailableException($"'{call}' failed by plan")
            : new LogUnavailableException($"'{call}' failed by plan");
}
