using System.Text;
using System.Text.Json;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Events;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.Storage;
using Belfry.Alerting.Tests.Storage;
using Belfry.Alerting.Timeline;
using Belfry.Log;
using Belfry.Outbox;
using Belfry.Testing;
using Dapper;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Alerting.Tests.Incidents;

/// <summary>
/// A fold of the only partition over a store in memory. The log is down unless a test says otherwise, so the outbox can be read.
/// </summary>
internal sealed class FoldDesk : IAsyncDisposable
{
    private readonly TestStore _store;
    private readonly List<IncidentFold> _folds = [];
    private readonly Dictionary<string, long> _offsets = [];

    public Topics Topics { get; } = new(partitions: 1);
    public IOutboxStore Store => _store.Store;
    public ListLog Log { get; }
    public ManualTime Time { get; } = new();
    public IncidentChanges Changes { get; } = new();
    public IncidentDesk Desk { get; } = new();
    public IncidentDirectory Directory { get; }

    public FoldDesk(StoreOpener open)
    {
        _store = open(SchemaSteps);
        Log = new ListLog([.. Topics.All]) { Down = true };
        Directory = new IncidentDirectory(Store);
        Desk.Now = Time.GetUtcNow();
        Trail = EmptyTrail(Time);
    }

    /// <summary>The fold's; it is written when a test says so.</summary>
    public EventTrail Trail { get; set; }

    public static EventTrail EmptyTrail(TimeProvider time) =>
        new(new MemoryHintStore(new MemoryHintStoreOptions(), time), time, NullLogger.Instance);

    public async Task<IncidentFold> TakeOverAsync()
    {
        var ports = new IncidentPorts(
            Log, Store, _store.Dialect, Topics, () => Desk.Catalog, Changes, Time, NullLogger.Instance, TimeSpan.FromSeconds(5),
            Trail);
        var fold = new IncidentFold(0, ports);
        _folds.Add(fold);
        Positions = await fold.LoadAsync(default);
        return fold;
    }

    public IReadOnlyDictionary<TopicPartition, long> Positions { get; private set; } = new Dictionary<TopicPartition, long>();

    public LogRecord Record(AlertEvent alertEvent) =>
        Raw(Topics.IncomingEvents, JsonSerializer.SerializeToUtf8Bytes(alertEvent, IncidentJson.Default.AlertEvent));

    public LogRecord Record(IncidentCommand command) =>
        Raw(Topics.IncidentCommands, JsonSerializer.SerializeToUtf8Bytes(command, IncidentJson.Default.IncidentCommand));

    public LogRecord Raw(TopicDeclaration topic, byte[] value)
    {
        var offset = _offsets[topic.Name] = _offsets.GetValueOrDefault(topic.Name, -1) + 1;
        return new LogRecord
        {
            Source = new TopicPartition(topic.Name, 0), Offset = offset, AppendedAt = Time.GetUtcNow(),
            Key = IncidentDesk.ServiceId.ToString(), Value = value,
        };
    }

    public LogRecord Raw(TopicDeclaration topic, string text) => Raw(topic, Encoding.UTF8.GetBytes(text));

    public AlertEvent Trigger(string key = "disk", Severity severity = Severity.Critical) => Desk.Event(EventAction.Trigger, key, severity);

    public async Task<IReadOnlyList<OutgoingRecord>> OutboxAsync(TopicDeclaration topic) =>
        [
            .. (await Store.PendingAsync(IncidentFold.LaneOf(0), 10_000, default)).Select(message => message.Record)
                .Where(record => record.Topic == topic.Name),
        ];

    public async Task<IReadOnlyList<NumberedIncident>> AllAsync() =>
        (await Directory.ListAsync(new IncidentFilter(), 0, 250, default)).Items;

    /// <summary>What somebody does to the database meanwhile.</summary>
    public async Task RunAsync(string sql) => await Store.WriteAsync(tx => ValueTask.FromResult(tx.Connection.Execute(sql)), default);

    public async ValueTask DisposeAsync()
    {
        foreach (var fold in _folds) await fold.StopAsync(default);
        _store.Dispose();
    }

    public static IReadOnlyList<SchemaStep> SchemaSteps { get; } = [.. IncidentsSchema.Steps, .. TimelineSchema.Steps];
}
