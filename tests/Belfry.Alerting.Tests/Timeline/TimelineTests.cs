using System.Text.Json;
using Belfry.Alerting.Tests.Incidents;
using Belfry.Alerting.Tests.Storage;
using Belfry.Alerting.Timeline;
using Belfry.Log;
using Belfry.Outbox;
using Dapper;
using static Belfry.Alerting.Tests.Incidents.IncidentDesk;

namespace Belfry.Alerting.Tests.Timeline;

public class TimelineTests : IDisposable
{
    private static readonly IncidentId First = new(Named(1)), Second = new(Named(2));

    private readonly TestStore _opened;
    private readonly IOutboxStore _store;
    private readonly Topics _topics = new(partitions: 2);
    private readonly ListLog _log;
    private readonly TimelineReader _reader;
    private int _told;

    public TimelineTests() : this(TestStore.OnSqlite)
    {
    }

    private protected TimelineTests(StoreOpener open)
    {
        _opened = open(FoldDesk.SchemaSteps);
        _store = _opened.Store;
        _log = new ListLog([.. _topics.All]);
        _reader = new TimelineReader(_store);
    }

    public void Dispose() => _opened.Dispose();

    [Fact]
    public async Task Entries_are_numbered_per_incident_from_one_without_gaps()
    {
        await AppendAsync(Entry(1, First), Entry(2, Second), Entry(3, First), Entry(4, First));
        await FoldAllAsync();
        var (entries, total) = await _reader.ListAsync(First, 0, 10, default);
        entries.Select(entry => (entry.Sequence, entry.Entry.Id.Value)).ShouldBe([(1, Named(1)), (2, Named(3)), (3, Named(4))]);
        total.ShouldBe(3);
        _told.ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task An_entry_published_twice_is_folded_once()
    {
        await AppendAsync(Entry(1, First), Entry(1, First));
        await FoldAllAsync();
        await AppendAsync(Entry(1, First), Entry(2, First));
        await FoldAllAsync();
        (await _reader.ListAsync(First, 0, 10, default)).Entries.Select(entry => entry.Sequence).ShouldBe([1, 2]);
    }

    [Fact]
    public async Task All_entries_come_newest_first_in_pages()
    {
        await AppendAsync(Entry(1, First), Entry(2, Second), Entry(3, First));
        await FoldAllAsync();
        var (entries, total) = await _reader.ListAsync(null, 1, 1, default);
        (entries.Single().Entry.Id.Value, total).ShouldBe((Named(2), 3));
    }

    [Fact]
    public async Task An_entry_is_found_by_its_id_as_it_was_written()
    {
        await AppendAsync(Entry(1, First) with { Details = JsonSerializer.SerializeToElement(new { level = 2 }) });
        await FoldAllAsync();
        (await _reader.FindAsync(new EventId(Named(1)), default))!.Entry.Details!.Value.GetProperty("level").GetInt32().ShouldBe(2);
        (await _reader.FindAsync(new EventId(Named(9)), default)).ShouldBeNull();
    }

    [Fact]
    public async Task A_record_that_cannot_be_read_is_put_aside_and_the_rest_goes_on()
    {
        await AppendAsync(Entry(1, First));
        await _log.AppendAsync(
            [new OutgoingRecord { Topic = _topics.IncidentLog.Name, OrderingKey = First.ToString(), Value = "{"u8.ToArray() }], default);
        await AppendAsync(Entry(2, First));
        await FoldAllAsync();
        (await _reader.ListAsync(First, 0, 10, default)).Total.ShouldBe(2);
        (await CountAsync("timeline_rejected")).ShouldBe(1);
    }

    [Fact]
    public async Task A_former_owner_is_refused()
    {
        await AppendAsync(Entry(1, First));
        var record = _log.Of(_topics.IncidentLog).Single();
        var former = new TimelineFold(record.Source.Partition, _store, () => { });
        await former.LoadAsync(default);
        await FoldAllAsync();
        await Should.ThrowAsync<OwnershipLostException>(async () => await former.FoldAsync([record], default));
    }

    [Fact]
    public async Task The_stored_timeline_equals_a_new_fold_of_the_log()
    {
        await AppendAsync([.. Enumerable.Range(1, 40).Select(n => Entry(n, n % 3 == 0 ? First : new IncidentId(Named(n % 7))))]);
        await FoldAllAsync();
        await AppendAsync(Entry(99, Second));
        var compared = await Rebuilder.CompareAsync(default);
        compared.Equal.ShouldBeTrue();
        (compared.Entries, compared.Differing.Count).ShouldBe((40, 0));
    }

    [Theory]
    [InlineData("update timeline_entry set document = replace(document, 'said', 'sung') where sequence = 2")]
    [InlineData("delete from timeline_entry where sequence = 2")]
    [InlineData("update timeline_entry set sequence = 7 where sequence = 2")]
    public async Task A_tampered_timeline_differs_and_a_rebuild_repairs_it(string tamper)
    {
        await AppendAsync(Entry(1, First), Entry(2, Second), Entry(3, First));
        await FoldAllAsync();
        await _store.WriteAsync(tx => ValueTask.FromResult(tx.Connection.Execute(tamper)), default);
        var compared = await Rebuilder.CompareAsync(default);
        (compared.Equal, compared.Differing.Single()).ShouldBe((false, First));
        (await Rebuilder.RebuildAsync(default)).ShouldBe(3);
        (await Rebuilder.CompareAsync(default)).Equal.ShouldBeTrue();
        (await _reader.ListAsync(First, 0, 10, default)).Entries.Select(entry => entry.Sequence).ShouldBe([1, 2]);
    }

    private TimelineRebuilder Rebuilder => new(_log, _store, _topics);

    private static LogEntry Entry(int n, IncidentId incident) => new()
    {
        Id = new EventId(Named(n)), IncidentId = incident, ServiceId = IncidentDesk.ServiceId, Type = LogEntryTypes.Annotate,
        At = DateTimeOffset.UnixEpoch.AddSeconds(n), Channel = "api", Summary = $"said {n}",
    };

    private ValueTask AppendAsync(params LogEntry[] entries) => _log.AppendAsync(
    [
        .. entries.Select(entry => new OutgoingRecord
        {
            Topic = _topics.IncidentLog.Name, OrderingKey = entry.IncidentId.ToString(),
            Value = JsonSerializer.SerializeToUtf8Bytes(entry, TimelineJson.Default.LogEntry),
        }),
    ], default);

    private async Task FoldAllAsync()
    {
        for (var partition = 0; partition < _topics.IncidentLog.Partitions; partition++)
        {
            var fold = new TimelineFold(partition, _store, () => _told++);
            var source = new TopicPartition(_topics.IncidentLog.Name, partition);
            var from = (await fold.LoadAsync(default)).GetValueOrDefault(source);
            var batch = await _log.ReadAsync(source, from, 1_000, default);
            if (batch.Count > 0) await fold.FoldAsync(batch, default);
        }
    }

    private ValueTask<long> CountAsync(string table) =>
        _store.ReadAsync(connection => ValueTask.FromResult(connection.ExecuteScalar<long>($"select count(*) from {table}")), default);
}
