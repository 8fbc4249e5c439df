using System.Runtime.InteropServices;

namespace Belfry.Testing;

/// <summary>Why <see cref="SimulatedWorld.Run"/> returned.</summary>
public enum RunEnd
{
    /// <summary>The condition holds.</summary>
    Reached,

    /// <summary>The virtual time is up.</summary>
    TimeUp,

    /// <summary>No event is left: nothing will ever happen again.</summary>
    Idle,

    /// <summary>The bound on events was met: most likely a busy loop.</summary>
    StepsUsedUp,
}

/// <summary>
/// A world on one thread in virtual time: an event queue ordered by (time, seeded tie-break). Continuations, timers and port calls of all
/// nodes are its events, so one seed gives one run, told by <see cref="TraceHash"/>. Not thread-safe: everything happens inside
/// <see cref="Run"/> or on the thread that made the world. Source: reference/reliability.md, section 4.
/// </summary>
/// <remarks>
/// Code that leaves the thread is refused loudly. The usual ways out: awaiting any or all of several tasks, or <c>WaitAsync</c>, directly
/// on a <c>TaskCompletionSource</c> with <c>RunContinuationsAsynchronously</c> (await it in an async method of its own, and combine those);
/// <c>CancelAsync</c>; <c>ConfigureAwait(false)</c>; <c>Task.Run</c>.
/// </remarks>
public sealed class SimulatedWorld
{
    private readonly PriorityQueue<SimulatedEvent, EventOrder> _events = new();
    private readonly List<SimulatedNode> _nodes = [];
    private readonly long _startTicks;
    private SplitMix _ties;
    private SplitMix _faults;
    private int _thread = Environment.CurrentManagedThreadId;
    private long _nowTicks;
    private long _sequence;
    private bool _isRunning;
    private volatile Exception? _failure;

    public SimulatedWorld(long seed, DateTimeOffset? startAt = null)
    {
        Seed = seed;
        _startTicks = (startAt ?? new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero)).UtcTicks;
        _nowTicks = _startTicks;
        _ties = new SplitMix(seed);
        _faults = new SplitMix(seed ^ 0x5deece66d);
        Random = new Random(HashCode32(seed));
    }

    public long Seed { get; }

    /// <summary>Seeded choices of the scenario; those of the kernel are apart, so that asking here shifts no tie-break.</summary>
    public Random Random { get; }

    /// <summary>True time; nodes see it through their clock offsets.</summary>
    public DateTimeOffset Now => new(_nowTicks, TimeSpan.Zero);

    /// <summary>Virtual time since the start.</summary>
    public TimeSpan Elapsed => new(_nowTicks - _startTicks);

    /// <summary>Events run so far.</summary>
    public long Steps { get; private set; }

    /// <summary>FNV-1a over every event's time, node, kind and name: equal for equal runs.</summary>
    public ulong TraceHash { get; private set; } = 14695981039346656037;

    /// <summary>What the ports do to calls; may be changed at any time, as to heal the world.</summary>
    public FaultPlan Faults { get; set; } = FaultPlan.None;

    /// <summary>Takes a readable line for each named event (call, fault, kill, note). Null, the default, costs nothing.</summary>
    public Action<string>? Trace { get; set; }

    public IReadOnlyList<SimulatedNode> Nodes => _nodes;

    public SimulatedNode AddNode(string name, TimeSpan clockOffset = default)
    {
        var node = new SimulatedNode(this, name, _nodes.Count + 1, clockOffset);
        _nodes.Add(node);
        return node;
    }

    /// <summary>Runs an action of the scenario after a virtual time, outside any node.</summary>
    public void After(TimeSpan delay, string name, Action action)
    {
        Adopt();
        Enqueue(delay, null, EventKind.Script, static s => ((NamedAction)s!).Run(), new NamedAction(this, name, action));
    }

    /// <summary>Runs events until the condition holds, the virtual time from here is up, nothing is left, or too many events ran.</summary>
    /// <exception cref="SimulationException">Code left the thread, or a node's own task failed.</exception>
    public RunEnd Run(Func<bool>? until = null, TimeSpan? length = null, long stepsMax = 20_000_000)
    {
        Adopt();
        _isRunning = true;
        var outer = SynchronizationContext.Current;
        var endTicks = length is { } l ? _nowTicks + l.Ticks : long.MaxValue;
        try
        {
            for (long step = 0; ; step++)
            {
                if (_failure is { } failure) throw Failure(failure);
                if (until?.Invoke() == true) return RunEnd.Reached;
                if (step == stepsMax) return RunEnd.StepsUsedUp;
                if (!_events.TryPeek(out var next, out var order)) return Idle(endTicks);
                if (order.AtTicks > endTicks)
                {
                    _nowTicks = endTicks;
                    return RunEnd.TimeUp;
                }

                _events.Dequeue();
                _nowTicks = order.AtTicks;
                RunOne(next);
            }
        }
        finally
        {
            _isRunning = false;
            SynchronizationContext.SetSynchronizationContext(outer);
        }
    }

    /// <summary>Puts a named fact into the trace and its hash.</summary>
    public void Note(string what, SimulatedNode? node = null)
    {
        foreach (var c in what) Mix(c);
        Trace?.Invoke($"{Elapsed:hh\\:mm\\:ss\\.fffffff} {node?.Name ?? "world"} {what}");
    }

    /// <summary>Between runs another thread may take over: a test runner may set up and run on different ones.</summary>
    internal void Adopt()
    {
        if (!_isRunning) _thread = Environment.CurrentManagedThreadId;
    }

    internal void Enqueue(TimeSpan delay, SimulatedNode? node, EventKind kind, SendOrPostCallback callback, object? state)
    {
        if (Environment.CurrentManagedThreadId != _thread)
        {
            LeftTheThread(node);
            return;
        }

        var at = _nowTicks + Math.Max(0, delay.Ticks);
        _events.Enqueue(new SimulatedEvent(node, kind, callback, state), new EventOrder(at, (uint)_ties.Next(), _sequence++));
    }

    /// <summary>A seeded number from 0 up to, not including, 1: for the kernel's own faults and latencies.</summary>
    internal double NextFault() => _faults.NextDouble();

    internal void Fail(Exception failure) => _failure ??= failure;

    internal static int HashCode32(long seed) => (int)new SplitMix(seed).Next() & int.MaxValue;

    private void RunOne(in SimulatedEvent next)
    {
        Steps++;
        if (next.Node is { } node)
        {
            if (node.IsDead) return;
            if (node.IsFrozen)
            {
                node.HoldBack(next);
                return;
            }
        }

        Mix((ulong)_nowTicks);
        Mix(((ulong)(next.Node?.Number ?? 0) << 8) | (ulong)next.Kind);
        SynchronizationContext.SetSynchronizationContext(next.Node?.Context);
        try
        {
            next.Callback(next.State);
        }
        catch (Exception failure)
        {
            Fail(failure);
        }
    }

    private RunEnd Idle(long endTicks)
    {
        if (endTicks != long.MaxValue) _nowTicks = endTicks;
        return endTicks == long.MaxValue ? RunEnd.Idle : RunEnd.TimeUp;
    }

    /// <summary>Noted for the run to throw; thrown here, on a thread of the pool, it would end the process.</summary>
    private void LeftTheThread(SimulatedNode? node) =>
        Fail(new InvalidOperationException(
            $"Code of node '{node?.Name ?? "world"}' runs on another thread; " +
            $"see the remarks of {nameof(SimulatedWorld)} for the usual ways out.\n" +
            Environment.StackTrace));

    private SimulationException Failure(Exception inner) =>
        new($"Seed {Seed}, at {Elapsed} after {Steps} events: {inner.GetType().Name}: {inner.Message}", inner);

    private void Mix(ulong value) => TraceHash = unchecked((TraceHash ^ value) * 1099511628211);

    private sealed class NamedAction(SimulatedWorld world, string name, Action action)
    {
        public void Run()
        {
            world.Note(name);
            action();
        }
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct EventOrder(long AtTicks, uint Tie, long Sequence) : IComparable<EventOrder>
    {
        public int CompareTo(EventOrder other)
        {
            if (AtTicks != other.AtTicks) return AtTicks < other.AtTicks ? -1 : 1;
            if (Tie != other.Tie) return Tie < other.Tie ? -1 : 1;
            return Sequence.CompareTo(other.Sequence);
        }
    }
}

/// <summary>The simulation failed by itself: its seed, its time, and why.</summary>
public sealed class SimulationException(string message, Exception inner) : Exception(message, inner);

internal enum EventKind
{
    Continuation = 1,
    Timer,
    Call,
    Script,
}

internal readonly record struct SimulatedEvent(SimulatedNode? Node, EventKind Kind, SendOrPostCallback Callback, object? State);

/// <summary>
/// SplitMix64: small, fast, and the same on every runtime (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators).
/// </summary>
internal struct SplitMix(long seed)
{
    private ulong _state = unchecked((ulong)seed);

    public ulong Next()
    {
        unchecked
        {
            var z = _state += 0x9e3779b97f4a7c15;
            z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
            z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
            return z ^ (z >> 31);
        }
    }

    public double NextDouble() => (Next() >> 11) * (1.0 / (1UL << 53));
}
