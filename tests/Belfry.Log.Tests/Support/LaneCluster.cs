using System.Text;
using Belfry.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Log.Tests;

/// <summary>
/// A few processes that run lanes over one topic in a simulated world, with every guarantee watching: records are appended all the time,
/// and processes are killed and replaced, frozen, and stopped in order.
/// </summary>
internal sealed class LaneCluster
{
    private const string Topic = "orders";
    private const string Group = "g";
    private readonly LaneOptions _lanes;
    private readonly SimulatedParkedRecordStore _parked = new();
    private readonly Dictionary<(TopicPartition, long), (string Key, long Number)> _records = [];
    private readonly Dictionary<string, long> _numbers = [];
    private readonly Dictionary<SimulatedNode, CancellationTokenSource> _running = [];
    private readonly int _partitions;
    private int _nodeCount;

    public LaneCluster(long seed, LaneOptions? lanes = null, int partitions = 4)
    {
        _partitions = partitions;
        _lanes = lanes ?? new LaneOptions();
        World = new SimulatedWorld(seed);
        Log = new SimulatedLog(World)
        {
            OnCommitted = (source, next) => Commits.Committed(source, next),
            OnAppended = Appended,
            OnExpelled = node => Serial.NodeGone(node!.Name),
        };
        Log.DeclareAsync([new TopicDeclaration(Topic, partitions, CleanUp.Time, TimeSpan.FromDays(7))], default).AsTask().Wait();
    }

    public SimulatedWorld World { get; }
    public SimulatedLog Log { get; }
    public AtLeastOnce Loss { get; } = new();
    public PerKeyOrder Order { get; } = new();
    public OneAtATimePerKey Serial { get; } = new();
    public CommitNeverAhead Commits { get; } = new();
    public int DeadLetters { get; private set; }
    public int HandlerCalls { get; private set; }
    public int ParkedCount => _parked.CountOf(Group);

    /// <summary>The outcome of a call, from the record's text and the attempt. Default: success.</summary>
    public Func<SimulatedNode, string, int, HandlerOutcome> Decide { get; set; } = (_, _, _) => HandlerOutcome.Success;

    /// <summary>What a call waits for besides, from the record's text. Default: nothing.</summary>
    public Func<string, CancellationToken, Task> Hang { get; set; } = (_, _) => Task.CompletedTask;

    /// <summary>The longest a handler takes. Default 50 ms.</summary>
    public TimeSpan HandlerTimeMax { get; set; } = TimeSpan.FromMilliseconds(50);

    public ConsumerOptions Options { get; set; } = new() { PollWait = TimeSpan.FromSeconds(1) };

    /// <summary>What stands between a node and the log. Default: nothing.</summary>
    public Func<IPartitionedLog, IPartitionedLog> Wrap { get; set; } = log => log;

    public Dictionary<SimulatedNode, ConsumerRunner> Runners { get; } = [];

    /// <summary>Of each node, looking every 10 s.</summary>
    public Dictionary<SimulatedNode, ConsumerMonitor> Monitors { get; } = [];

    public SimulatedNode StartNode()
    {
        var node = World.AddNode($"node-{++_nodeCount}", TimeSpan.FromMilliseconds(World.Random.Next(-500, 500)));
        var cancel = new CancellationTokenSource();
        _running.Add(node, cancel);
        var log = Wrap(Log.On(node));
        var runner = new ConsumerRunner(
            log, new ConsumerGroup(Group, [Topic]), (_, sources) => MakeOwner(node, sources[0]), Options, node.Time,
            NullLogger.Instance);
        Runners.Add(node, runner);
        var monitor = new ConsumerMonitor(
            log, [new TopicDeclaration(Topic, _partitions, CleanUp.Time, TimeSpan.FromDays(7))], new ConsumerMonitorOptions(), node.Time,
            NullLogger.Instance);
        monitor.Watch(runner);
        Monitors.Add(node, monitor);
        node.Start(() => Task.WhenAll(runner.RunAsync(cancel.Token), monitor.RunAsync(cancel.Token)));
        return node;
    }

    public void Stop(SimulatedNode node) => World.After(TimeSpan.Zero, $"stop {node.Name}", _running[node].Cancel);

    public void Kill(SimulatedNode node)
    {
        node.Kill();
        Serial.NodeGone(node.Name);
    }

    /// <summary>Freezes the node for a while; past its session it is expelled, and comes back as a zombie.</summary>
    public void Freeze(SimulatedNode node, TimeSpan length)
    {
        node.Freeze();
        World.After(length, "thaw", node.Thaw);
    }

    /// <summary>Appends records of random keys, spread over a time.</summary>
    public void Produce(int count, int keys, TimeSpan over)
    {
        for (var n = 0; n < count; n++)
        {
            var key = $"key-{World.Random.Next(keys)}";
            World.After(over * World.Random.NextDouble(), "produce", () => Append(key));
        }
    }

    /// <summary>A record numbered within its key, under that key.</summary>
    public void Append(string key)
    {
        var number = _numbers.GetValueOrDefault(key);
        _numbers[key] = number + 1;
        Log.AppendAsync([new OutgoingRecord { Topic = Topic, OrderingKey = key, Value = Encoding.UTF8.GetBytes($"{key}#{number}") }],
            default)
            .IsCompletedSuccessfully.ShouldBeTrue();
    }

    /// <summary>Demands that everything is handled, committed and unparked within a virtual time, then verifies every guarantee.</summary>
    public void Settle(TimeSpan within)
    {
        var end = World.Run(() => World.Steps % 64 == 0 && IsQuiet(), within);
        end.ShouldBe(RunEnd.Reached, $"seed {World.Seed}: {Loss.Missing} missing, {ParkedCount} parked, lag {Lag()}");
        Verify();
    }

    public void Verify()
    {
        Loss.Verify();
        Order.Verify();
        Serial.Verify();
        Commits.Verify();
    }

    public bool IsQuiet() => Loss.Missing == 0 && ParkedCount == 0 && Lag() == 0;

    public long Lag() => Enumerable.Range(0, _partitions).Select(n => new TopicPartition(Topic, n))
        .Sum(p => Log.OffsetsAsync(p, default).Result.End - (Log.CommittedAsync(Group, p, default).Result ?? 0));

    private LaneOwner MakeOwner(SimulatedNode node, TopicPartition source) => new(
        Group, source, (record, attempt, cancel) => HandleAsync(node, record, attempt, cancel), r => r.Key,
        (record, reason, attempts, _) => DeadLetterAsync(node, record), new ObservedParking(_parked.On(node), Commits), _lanes, node.Random,
        node.Time, NullLogger.Instance);

    private void Appended(TopicPartition source, long offset, OutgoingRecord record)
    {
        var text = Encoding.UTF8.GetString(record.Value.Span);
        _records.Add((source, offset), (record.OrderingKey, long.Parse(text[(text.IndexOf('#') + 1)..])));
        Commits.Appended(source, offset);
        Loss.Accepted($"{source}@{offset}");
    }

    private async ValueTask<HandlerOutcome> HandleAsync(SimulatedNode node, LogRecord record, int attempt, CancellationToken cancel)
    {
        HandlerCalls++;
        var (key, number) = _records[(record.Source, record.Offset)];
        Order.Started(key, number);
        // A zombie runs on until it hears that it was expelled; against that stand fences, not this guarantee.
        if (Log.OwnerOf(Group, record.Source) == node) Serial.Started(key, node.Name, $"{record}");
        try
        {
            await Task.Delay(HandlerTimeMax * node.Random.NextDouble(), node.Time, cancel);
            await Hang(Encoding.UTF8.GetString(record.Value.Span), cancel);
            var outcome = Decide(node, Encoding.UTF8.GetString(record.Value.Span), attempt);
            if (outcome is HandlerOutcome.Done) Over(record, key, number);
            return outcome;
        }
        finally
        {
            Serial.Ended(key, node.Name, $"{record}");
        }
    }

    private async ValueTask DeadLetterAsync(SimulatedNode node, LogRecord record)
    {
        await node.CallAsync("dead-letter", () => { DeadLetters++; });
        var (key, number) = _records[(record.Source, record.Offset)];
        Over(record, key, number);
    }

    private void Over(LogRecord record, string key, long number)
    {
        Order.Ended(key, number);
        Commits.Done(record.Source, record.Offset);
        Loss.Handled($"{record}");
    }

    /// <summary>A record in the store counts as done for the commit; it is still to be handled.</summary>
    private sealed class ObservedParking(IParkedRecordStore inner, CommitNeverAhead commits) : IParkedRecordStore
    {
        public ValueTask<long> TakeOverAsync(string group, TopicPartition source, CancellationToken cancel) =>
            inner.TakeOverAsync(group, source, cancel);

        public async ValueTask ApplyAsync(
            string group, TopicPartition source, long epoch,
            IReadOnlyList<ParkedRecord> parked, IReadOnlyList<long> doneOffsets, CancellationToken cancel)
        {
            await inner.ApplyAsync(group, source, epoch, parked, doneOffsets, cancel);
            foreach (var record in parked) commits.Done(source, record.Record.Offset);
        }

        public async ValueTask<IReadOnlyList<ParkedRecord>> LoadAsync(
            string group, TopicPartition source, long fromOffset, int max, CancellationToken cancel)
        {
            var loaded = await inner.LoadAsync(group, source, fromOffset, max, cancel);
            foreach (var record in loaded) commits.Done(source, record.Record.Offset);
            return loaded;
        }
    }
}
