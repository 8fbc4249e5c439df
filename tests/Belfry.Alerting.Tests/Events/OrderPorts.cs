using System.Data.Common;
using Belfry.Alerting.Events;
using Belfry.Log;
using Belfry.Outbox;
using Belfry.Sqlite;
using Belfry.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Alerting.Tests.Events;

internal enum PortMood
{
    Good,
    Late,
    Away,
}

/// <summary>A process that takes events, in virtual time: its inlet, its detour, the relay's loop.</summary>
internal sealed class OrderProcess
{
    private readonly EventInlet _inlet;

    public OrderProcess(SimulatedNode node, OrderPorts ports)
    {
        Node = node;
        var log = new OrderPorts.NodeLog(ports, node);
        var detour = new EventDetour(new OrderPorts.NodeStore(ports, node), log, node.Time, NullLogger.Instance);
        _inlet = new EventInlet(log, detour, node.Time);
        node.Start(async () =>
        {
            await detour.LookAsync(CancellationToken.None);
            Serves = true;
            await detour.RunAsync(CancellationToken.None);
        });
    }

    public SimulatedNode Node { get; }
    public bool Serves { get; private set; }

    /// <summary>What HTTP does: true for 202.</summary>
    public void Accept(OutgoingRecord record, Action<bool> answered) => Node.Start(async () =>
    {
        try
        {
            await _inlet.AppendAsync(record, CancellationToken.None);
            answered(true);
        }
        catch (Exception fault) when (fault is LogUnavailableException or StoreUnavailableException or TimeoutException)
        {
            answered(false);
        }
    });
}

/// <summary>A log and a store that processes share, and what is wrong with them.</summary>
internal sealed class OrderPorts : IDisposable
{
    public const string Topic = "incoming-events";

    /// <summary>When the server ends a frozen process's session.</summary>
    private static readonly TimeSpan HoldIdleMax = TimeSpan.FromSeconds(8);

    /// <summary>Of so many looks fewer are late than make a store count as away, in whatever order they end.</summary>
    private const int LooksWindow = 14;
    private const int LateLooksMax = 4;
    private readonly SimulatedWorld _world;
    private readonly SimulatedLog _log;
    private readonly SqliteMemoryOutboxStore _store = new();
    private (SimulatedNode Node, DateTimeOffset Since)? _holder;

    public OrderPorts(SimulatedWorld world, SimulatedLog log)
    {
        (_world, _log) = (world, log);
        _log.DeclareAsync([new TopicDeclaration(Topic, 1, CleanUp.Time, TimeSpan.FromDays(1))], CancellationToken.None)
            .IsCompletedSuccessfully.ShouldBeTrue();
    }

    public PortMood LogMood { get; set; }
    public bool StoreIsLate { get; set; }

    /// <summary>Nothing is answered any more; looks hang until they are given up.</summary>
    public bool StoreHangs { get; set; }

    /// <summary>Of each look, half of it before the store has looked.</summary>
    public TimeSpan LooksTake { get; set; }

    /// <summary>Transactions that wrote events to the lane.</summary>
    public int Detours { get; private set; }

    public void Dispose() => _store.Dispose();

    private TimeSpan Sometimes(double chance, TimeSpan max) =>
        _world.Random.NextDouble() < chance ? max * _world.Random.NextDouble() : TimeSpan.Zero;

    private static T Now<T>(ValueTask<T> answer) =>
        answer.IsCompleted ? answer.GetAwaiter().GetResult() : throw new InvalidOperationException("A shared store must answer at once.");

    public sealed class NodeLog(OrderPorts ports, SimulatedNode node) : ForwardingLog(ports._log.On(node))
    {
        public override async ValueTask AppendAsync(IReadOnlyList<OutgoingRecord> records, CancellationToken cancel)
        {
            var mood = ports.LogMood;
            if (mood == PortMood.Away) throw new LogUnavailableException("away");
            if (mood == PortMood.Late) await Task.Delay(ports.Sometimes(0.5, TimeSpan.FromSeconds(1)), node.Time, CancellationToken.None);
            await base.AppendAsync(records, CancellationToken.None);
            if (mood == PortMood.Late) await Task.Delay(ports.Sometimes(0.5, TimeSpan.FromSeconds(1)), node.Time, CancellationToken.None);
        }
    }

    public sealed class NodeStore(OrderPorts ports, SimulatedNode node) : IOutboxStore
    {
        private readonly Queue<bool> _lateLooks = new(Enumerable.Repeat(false, LooksWindow));

        public async ValueTask<T> WriteAsync<T>(Func<OutboxTransaction, ValueTask<T>> work, CancellationToken cancel)
        {
            await LateAsync(TimeSpan.FromMilliseconds(500), CancellationToken.None);
            await HangAsync(CancellationToken.None);
            return await node.CallAsync("write", () =>
            {
                ports.Detours++;
                return Now(ports._store.WriteAsync(work, CancellationToken.None));
            });
        }

        public ValueTask<T> ReadAsync<T>(Func<DbConnection, ValueTask<T>> read, CancellationToken cancel) =>
            throw new NotSupportedException();

        public async ValueTask<IReadOnlyList<OutboxMessage>> PendingAsync(string lane, int max, CancellationToken cancel)
        {
            await HangAsync(cancel);
            return await node.CallAsync("pending", () => Now(ports._store.PendingAsync(lane, max, CancellationToken.None)));
        }

        /// <summary>Late before the store has looked, or after: the answer is old then.</summary>
        public async ValueTask<PendingKeys> PendingKeysAsync(string lane, int max, CancellationToken cancel)
        {
            _lateLooks.Dequeue();
            var late = ports.StoreIsLate && _lateLooks.Count(wasLate => wasLate) < LateLooksMax;
            _lateLooks.Enqueue(late);
            if (late) await LateAsync(TimeSpan.FromMilliseconds(700), cancel);
            await HangAsync(cancel);
            if (ports.LooksTake > TimeSpan.Zero) await Task.Delay(ports.LooksTake / 2, node.Time, cancel);
            var seen = await node.CallAsync("keys", () =>
                Now(((IOutboxStore)ports._store).PendingKeysAsync(lane, max, CancellationToken.None)));
            if (late) await LateAsync(TimeSpan.FromMilliseconds(700), cancel);
            if (ports.LooksTake > TimeSpan.Zero) await Task.Delay(ports.LooksTake / 2, node.Time, cancel);
            return seen;
        }

        public async ValueTask DeleteAsync(string lane, IReadOnlyList<long> sequences, CancellationToken cancel) =>
            await node.CallAsync("delete", () =>
                ports._store.DeleteAsync(lane, sequences, CancellationToken.None).IsCompletedSuccessfully.ShouldBeTrue());

        public async ValueTask<IAsyncDisposable?> TryHoldLaneAsync(string lane, CancellationToken cancel) =>
            await node.CallAsync<IAsyncDisposable?>("hold", () =>
            {
                if (ports._holder is var (holder, since) && holder != node && !holder.IsDead
                    && !(holder.IsFrozen && ports._world.Now - since > HoldIdleMax))
                    return null;
                ports._holder = (node, ports._world.Now);
                return new Hold(ports, node);
            });

        private async ValueTask HangAsync(CancellationToken cancel)
        {
            if (ports.StoreHangs) await new TaskCompletionSource().Task.OrCancelledAsync(cancel);
        }

        private async ValueTask LateAsync(TimeSpan max, CancellationToken cancel)
        {
            if (ports.StoreIsLate) await Task.Delay(ports.Sometimes(0.5, max), node.Time, cancel);
        }
    }

    private sealed class Hold(OrderPorts ports, SimulatedNode node) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            if (ports._holder?.Node == node) ports._holder = null;
            return ValueTask.CompletedTask;
        }
    }
}
