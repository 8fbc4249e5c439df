namespace Belfry.Testing;

/// <summary>
/// One process of a <see cref="SimulatedWorld"/>: its own synchronization context (continuations are events of the world) and its own
/// clock. Killed, it never runs again, at whatever await it was; frozen, all of it is held back until it thaws, as a zombie. A restart
/// is a new node.
/// </summary>
public sealed class SimulatedNode
{
    private readonly SimulatedWorld _world;
    private readonly List<SimulatedEvent> _heldBack = [];

    internal SimulatedNode(SimulatedWorld world, string name, int number, TimeSpan clockOffset)
    {
        _world = world;
        Name = name;
        Number = number;
        Context = new NodeContext(this);
        Time = new SimulatedTime(this, clockOffset);
        Random = new Random(SimulatedWorld.HashCode32(world.Seed + (number * 7919L)));
    }

    public string Name { get; }

    public SimulatedWorld World => _world;

    /// <summary>Virtual time plus this node's clock offset. Its timers die with the node.</summary>
    public TimeProvider Time { get; }

    /// <summary>Seeded by world and node: what a node's own code takes as its random source.</summary>
    public Random Random { get; }

    public bool IsDead { get; private set; }

    public bool IsFrozen { get; private set; }

    /// <summary>True time of the last sign of life: now while running, else when it died or froze.</summary>
    internal DateTimeOffset SeenAt => IsDead || IsFrozen ? _seenAt : _world.Now;

    internal int Number { get; }

    internal SynchronizationContext Context { get; }

    /// <summary>Raised when it dies or freezes: from here on nobody hears of it.</summary>
    internal event Action? Silenced;

    /// <summary>Raised on thaw, before anything held back goes on; told since when the node was frozen.</summary>
    internal event Action<DateTimeOffset>? Thawing;

    private DateTimeOffset _seenAt;

    /// <summary>
    /// Starts an async method inside the node. When it fails, so does <see cref="SimulatedWorld.Run"/>; when it ends, it ends.
    /// </summary>
    public void Start(Func<Task> body)
    {
        _world.Adopt();
        _world.Enqueue(TimeSpan.Zero, this, EventKind.Continuation, static s => ((Body)s!).Run(), new Body(this, body));
    }

    /// <summary>Kills the process: nothing of it runs again. What it has asked of others may still happen.</summary>
    public void Kill()
    {
        if (IsDead) return;
        _seenAt = SeenAt;
        IsDead = true;
        _heldBack.Clear();
        _world.Note("killed", this);
        Silenced?.Invoke();
    }

    /// <summary>Holds back everything the process would do.</summary>
    public void Freeze()
    {
        if (IsDead || IsFrozen) return;
        _seenAt = _world.Now;
        IsFrozen = true;
        _world.Note("frozen", this);
        Silenced?.Invoke();
    }

    /// <summary>Lets the process go on where it was, not knowing that time has passed.</summary>
    public void Thaw()
    {
        if (IsDead || !IsFrozen) return;
        IsFrozen = false;
        _world.Note("thawed", this);
        Thawing?.Invoke(_seenAt);
        foreach (var held in _heldBack) _world.Enqueue(TimeSpan.Zero, this, held.Kind, held.Callback, held.State);
        _heldBack.Clear();
    }

    /// <summary>
    /// A call to something outside the node: latency, <paramref name="apply"/> over there, latency, answer; with the faults of
    /// <see cref="SimulatedWorld.Faults"/>. What <paramref name="apply"/> throws is the answer. A node that dies meanwhile hears nothing.
    /// </summary>
    public Task<T> CallAsync<T>(string name, Func<T> apply)
    {
        var plan = _world.Faults;
        var dice = _world.NextFault();
        var call = new Call<T>(this, name, apply)
        {
            Fault = dice < plan.FailBefore ? plan.MakeFault(name) : null,
            FaultAfter = dice >= plan.FailBefore && dice < plan.FailBefore + plan.FailAfter ? plan.MakeFault(name) : null,
            WayBack = Latency(plan) + (dice > 1 - plan.Slow ? plan.SlowBy / 2 : TimeSpan.Zero),
        };
        var wayThere = Latency(plan) + (dice > 1 - plan.Slow ? plan.SlowBy / 2 : TimeSpan.Zero);
        _world.Enqueue(wayThere, null, EventKind.Call, static s => ((Call<T>)s!).Arrive(), call);
        return call.Answer;
    }

    /// <inheritdoc cref="CallAsync{T}(string, Func{T})"/>
    public Task CallAsync(string name, Action apply) => CallAsync(name, () =>
    {
        apply();
        return true;
    });

    internal void HoldBack(in SimulatedEvent held) => _heldBack.Add(held);

    internal void Post(SendOrPostCallback callback, object? state)
    {
        if (!IsDead) _world.Enqueue(TimeSpan.Zero, this, EventKind.Continuation, callback, state);
    }

    private TimeSpan Latency(FaultPlan plan) => plan.LatencyMin + ((plan.LatencyMax - plan.LatencyMin) * _world.NextFault());

    private sealed class Body(SimulatedNode node, Func<Task> body)
    {
        public void Run() => _ = RunAsync();

        private async Task RunAsync()
        {
            try
            {
                await body();
            }
            catch (Exception failure)
            {
                node._world.Fail(failure);
            }
        }
    }

    private sealed class Call<T>(SimulatedNode node, string name, Func<T> apply)
    {
        private readonly TaskCompletionSource<T> _answer = new();
        private Exception? _failure;
        private T _result = default!;

        public Task<T> Answer => _answer.Task;
        public required Exception? Fault { get; init; }
        public required Exception? FaultAfter { get; init; }
        public required TimeSpan WayBack { get; init; }

        public void Arrive()
        {
            _failure = Fault;
            if (_failure is null) Apply();
            _failure ??= FaultAfter;
            node._world.Note(_failure is null ? name : $"{name}: {_failure.GetType().Name}", node);
            node._world.Enqueue(WayBack, node, EventKind.Call, static s => ((Call<T>)s!).Return(), this);
        }

        private void Apply()
        {
            try
            {
                _result = apply();
            }
            catch (Exception failure)
            {
                _failure = failure;
            }
        }

        private void Return()
        {
            if (_failure is null) _answer.SetResult(_result);
            else _answer.SetException(_failure);
        }
    }

    private sealed class NodeContext(SimulatedNode node) : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state) => node.Post(d, state);

        public override void Send(SendOrPostCallback d, object? state) =>
            throw new NotSupportedException($"Node '{node.Name}': a blocking Send has no place in the simulator.");

        public override SynchronizationContext CreateCopy() => this;
    }
}
