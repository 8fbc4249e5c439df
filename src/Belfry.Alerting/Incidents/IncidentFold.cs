using Belfry.Alerting.Catalog;
using Belfry.Alerting.Events;
using Belfry.Alerting.Storage;
using Belfry.Log;
using Belfry.Outbox;
using Microsoft.Extensions.Logging;

namespace Belfry.Alerting.Incidents;

/// <summary>What the incident folds of all partitions share.</summary>
internal sealed record IncidentPorts(
    IPartitionedLog Log, IOutboxStore Store, SqlDialect Dialect, Topics Topics, Func<CatalogSnapshot> Catalog, IncidentChanges Changes,
    TimeProvider Time, ILogger Logger, TimeSpan LookAgain, EventTrail? Trail = null);

/// <summary>
/// The owner's fold of one partition: decode, ask what is known, let the core decide, and write everything that follows in one fenced
/// transaction. Runs the relay of its own outbox lane, so order of publishing is the partition's.
/// </summary>
internal sealed partial class IncidentFold(int partition, IncidentPorts ports) : IBatchFold
{
    public const string Scope = "incidents";
    private static readonly TimeSpan PruneInterval = TimeSpan.FromHours(1);

    // While lots are full: what comes in must not outrun what goes, nor turns wait for it.
    internal static readonly TimeSpan PruneAgain = TimeSpan.FromSeconds(5);

    // After one that failed.
    private static readonly TimeSpan PruneRest = TimeSpan.FromMinutes(1);

    private readonly PartitionFence _fence = new(Scope, partition);
    private readonly IncidentDecoder _decoder = new(ports.Topics, partition);
    private readonly OutboxRelay _relay =
        new(ports.Store, ports.Log, LaneOf(partition), ports.Time, ports.Logger) { LookAgain = ports.LookAgain };
    private readonly CancellationTokenSource _stop = new();
    private readonly Dictionary<IncidentId, long> _numbers = [];
    private readonly KnownIds _known = new();
    private IncidentCore _core = new();
    private Task? _relaying;
    private DateTimeOffset? _pruneAt;

    public static string LaneOf(int partition) => $"{Scope}/{partition}";

    public async ValueTask<IReadOnlyDictionary<TopicPartition, long>> LoadAsync(CancellationToken cancel)
    {
        var (positions, open, newest) = await ports.Store.WriteAsync(tx =>
        {
            _fence.TakeOver(tx.Connection);
            return ValueTask.FromResult((
                _fence.Positions(tx.Connection), IncidentTables.Open(tx.Connection, partition), IncidentTables.Newest(tx.Connection)));
        }, cancel);
        _core = new IncidentCore();
        _known.Load(newest);
        _numbers.Clear();
        Admit(open);
        _relaying ??= _relay.RunAsync(_stop.Token);
        _relay.Poke();
        return positions;
    }

    public async ValueTask FoldAsync(IReadOnlyList<LogRecord> batch, CancellationToken cancel)
    {
        var inputs = batch.Select(_decoder.Decode).ToList();
        var (taken, named) = await ReadKnownAsync(inputs, cancel);
        Admit(named);
        var turn = new IncidentTurn(ports.Time.GetUtcNow(), ports.Catalog(), taken);
        foreach (var input in inputs)
            if (input.Event is { } alertEvent) _core.Take(alertEvent, turn);
            else if (input.Command is { } command) _core.Take(command, turn);
        var faults = inputs.Where(input => input.Fault is not null).Select(input => (input.Record, input.Fault!)).ToList();
        await CommitAsync(batch, turn, faults, cancel);
        if (ports.Trail is { } trail) IncidentMarks.Note(trail, inputs, turn);
        await PruneAsync(turn.Now, cancel);
    }

    public async ValueTask RejectAsync(LogRecord record, string reason, CancellationToken cancel)
    {
        var turn = new IncidentTurn(ports.Time.GetUtcNow(), ports.Catalog(), []);
        await CommitAsync([record], turn, [(record, reason)], cancel);
        if (ports.Trail is { } trail) IncidentMarks.Note(trail, [_decoder.Decode(record) with { Fault = reason }], turn);
    }

    public async ValueTask StopAsync(CancellationToken cancel)
    {
        _stop.Cancel();
        if (_relaying is null) return;
        try
        {
            await _relaying.OrCancelledAsync(cancel);
        }
        catch (OperationCanceledException)
        {
            // Either the relay has ended, which was asked for, or the drain's bound has passed; what is left waits in the outbox.
        }
    }

    private async ValueTask CommitAsync(
        IReadOnlyList<LogRecord> batch, IncidentTurn turn, IReadOnlyList<(LogRecord Record, string Reason)> faults,
        CancellationToken cancel)
    {
        var records = IncidentRecords.Of(turn, ports.Topics);
        records.AddRange(faults.Select(fault => IncidentRecords.DeadLetter(fault.Record, fault.Reason, ports.Topics)));
        List<EventState> states = [.. turn.States, .. faults.Select(fault => FailedState(fault.Record, fault.Reason, turn.Now))];
        var documents = turn.Changed.Select(IncidentTables.Document).ToList();
        var created = turn.Changed.Where(incident => !_numbers.ContainsKey(incident.Id)).ToList();
        var firstNumber = await ports.Store.WriteAsync(async tx =>
        {
            _fence.Check(tx.Connection);
            var first = created.Count == 0 ? 0 : IncidentTables.TakeNumbers(tx.Connection, created.Count);
            IncidentTables.Write(tx.Connection, partition, [.. Numbered(turn.Changed, first).Zip(documents)]);
            IncidentTables.Write(tx.Connection, partition, states);
            IncidentTables.Write(tx.Connection, partition, turn.ChangeEvents);
            _fence.SavePositions(tx.Connection, batch);
            if (records.Count > 0) await tx.AddAsync(LaneOf(partition), records);
            return first;
        }, cancel);
        foreach (var incident in created) _numbers[incident.Id] = firstNumber++;
        foreach (var incident in turn.Changed)
            if (incident.Status == IncidentStatus.Resolved) _numbers.Remove(incident.Id);
        foreach (var state in states)
            if (state.Progress != EventProgress.Failed) _known.Add(state.Id);
        _core.End();
        _relay.Poke();
        ports.Changes.Poke();
    }

    /// <summary>
    /// In a transaction of its own, for the turn's keeps all partitions from taking numbers until it ends. What fails is tried again after
    /// a while: the turn has been committed.
    /// </summary>
    private async ValueTask PruneAsync(DateTimeOffset now, CancellationToken cancel)
    {
        _pruneAt ??= now + FirstPruneAfter(partition, ports.Topics.IncomingEvents.Partitions);
        if (now < _pruneAt) return;
        try
        {
            var leftSome = await ports.Store.WriteAsync(
                tx => ValueTask.FromResult(IncidentTables.Prune(tx.Connection, ports.Dialect, partition, now)), cancel);
            _pruneAt = now + (leftSome ? PruneAgain : PruneInterval);
        }
        catch (Exception fault)
        {
            _pruneAt = now + PruneRest;
            if (!cancel.IsCancellationRequested) LogNotPruned(ports.Logger, fault, partition, PruneRest);
        }
    }

    /// <summary>Partitions that begin together prune one after another, and so they go on.</summary>
    internal static TimeSpan FirstPruneAfter(int partition, int partitions) => PruneAgain * partition / partitions;

    /// <summary>The ids taken before, and the incidents that commands name and memory lacks. Only this owner writes either.</summary>
    private async ValueTask<(IReadOnlySet<EventId> Taken, IReadOnlyList<NumberedIncident> Named)> ReadKnownAsync(
        IReadOnlyList<DecodedInput> inputs, CancellationToken cancel)
    {
        var taken = new HashSet<EventId>();
        var asked = new HashSet<EventId>();
        foreach (var id in inputs.Select(input => input.Id).OfType<EventId>())
            if (_known.WasTaken(id) is not { } wasTaken) asked.Add(id);
            else if (wasTaken) taken.Add(id);
        var absent = inputs.Where(input => input.Command is not null).Select(input => input.Command!.IncidentId).Distinct()
            .Where(id => _core.Find(id) is null).ToList();
        if (asked.Count == 0 && absent.Count == 0) return (taken, []);
        var (processed, named) = await ports.Store.ReadAsync(connection => ValueTask.FromResult((
            asked.Count == 0 ? [] : IncidentTables.Processed(connection, ports.Dialect, asked),
            absent.Count == 0 ? [] : IncidentTables.Named(connection, ports.Dialect, partition, absent))), cancel);
        taken.UnionWith(processed);
        return (taken, named);
    }

    private void Admit(IReadOnlyList<NumberedIncident> incidents)
    {
        foreach (var (number, incident) in incidents)
        {
            _core.Admit(incident);
            _numbers[incident.Id] = number;
        }
    }

    private List<NumberedIncident> Numbered(IReadOnlyList<Incident> changed, long firstNew)
    {
        var numbered = new List<NumberedIncident>(changed.Count);
        foreach (var incident in changed)
            numbered.Add(new NumberedIncident(_numbers.TryGetValue(incident.Id, out var number) ? number : firstNew++, incident));
        return numbered;
    }

    private static EventState FailedState(LogRecord record, string reason, DateTimeOffset now) =>
        new(IncidentDecoder.IdOf(record), null, "", EventProgress.Failed, reason, null, now);

    [LoggerMessage(132, LogLevel.Warning, "What is past its retention in partition {Partition} could not be removed; again in {Wait}")]
    private static partial void LogNotPruned(ILogger logger, Exception fault, int partition, TimeSpan wait);
}
