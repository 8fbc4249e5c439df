using System.Text;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Events;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.Tests.Events;
using Belfry.Alerting.Tests.Storage;
using Belfry.Log;
using Belfry.Sqlite;
using Belfry.Testing;
using static Belfry.Alerting.Tests.Incidents.IncidentDesk;

namespace Belfry.Alerting.Tests.Incidents;

public sealed class FailedEventsTests : IAsyncLifetime
{
    private static readonly Actor By = new(Eve, "eve", "127.0.0.1");
    private readonly string _folder = Directory.CreateTempSubdirectory("belfry-failed").FullName;
    private readonly Topics _topics = new(partitions: 3);
    private readonly ManualTime _time = new();
    private readonly TestStore _store = TestStore.OnSqlite([.. FoldDesk.SchemaSteps, .. CatalogSchema.Steps]);
    private readonly IncidentDesk _desk = new();
    private SqliteFile _file = null!;
    private SqliteLog _log = null!;
    private EventTrail _trail = null!;
    private FailedEvents _failed = null!;

    public async Task InitializeAsync()
    {
        _file = SqliteFile.Open(Path.Combine(_folder, "log.db"), new SqliteFileOptions());
        _log = await SqliteLog.OpenAsync(_file, _time);
        await _log.DeclareAsync(_topics.All, default);
        _trail = FoldDesk.EmptyTrail(_time);
        _failed = new FailedEvents(_log, _store.Store, _topics, _trail);
    }

    public async Task DisposeAsync()
    {
        await _file.DisposeAsync();
        _store.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Nothing_failed_is_an_empty_list()
    {
        var page = (await _failed.ListAsync(null, 10, default))!;
        (page.Items.Count, page.Next).ShouldBe((0, null));
    }

    [Fact]
    public async Task The_list_goes_over_all_partitions_newest_first_and_page_by_page_to_its_end()
    {
        for (var i = 0; i < 25; i++) await FailAsync(Encoding.UTF8.GetBytes($"{i}"), key: $"service-{i % 7}");
        List<string> seen = [];
        string? from = null;
        do
        {
            var page = (await _failed.ListAsync(from, 4, default))!;
            page.Items.Count.ShouldBeInRange(0, 4);
            seen.AddRange(page.Items.Select(one => one.Start));
            from = page.Next;

            // What fails meanwhile is on no later page.
            await FailAsync("later"u8.ToArray());
        }
        while (from is not null);

        seen.ShouldBe(Enumerable.Range(0, 25).Reverse().Select(i => $"{i}"));
    }

    [Theory]
    [InlineData("x")]
    [InlineData("3-1")]
    [InlineData("1-2.1-3")]
    [InlineData("1-2-3")]
    [InlineData("-1-2")]
    public async Task A_place_to_go_on_from_that_the_list_never_gave_is_refused(string from) =>
        (await _failed.ListAsync(from, 10, default)).ShouldBeNull();

    [Fact]
    public async Task A_failed_event_shows_why_where_from_and_how_it_begins()
    {
        var text = "{\"id\":7, " + string.Concat(Enumerable.Repeat("é", 2_000));
        await FailAsync(Encoding.UTF8.GetBytes(text));
        var failed = (await _failed.ListAsync(null, 10, default))!.Items.Single();
        (failed.Reason, failed.Source, failed.IsCommand).ShouldBe(("broken", "incoming-events/0@5", false));
        failed.FailedAt.ShouldBe(_time.GetUtcNow());
        failed.SizeBytes.ShouldBe(4_009);
        failed.Start.ShouldBe(text[..(9 + 1_019)]);
    }

    [Fact]
    public async Task A_replayed_event_is_on_its_topic_as_it_was_under_its_id_and_the_audit_log_says_who()
    {
        var trigger = _desk.Event(EventAction.Trigger);
        var value = EventRecords.Encode(trigger, _topics).Value.ToArray();
        var failed = await FailAsync(value);
        var replayed = (await _failed.ReplayAsync(failed.Partition, failed.Offset, By, _time.GetUtcNow(), default))!;
        replayed.Id.ShouldBe(trigger.Id);
        var record = (await OfAsync(_topics.IncomingEvents)).ShouldHaveSingleItem();
        record.Value.ToArray().ShouldBe(value);
        record.Key.ShouldBe(IncidentDesk.ServiceId.ToString());
        record.Headers.ShouldBe([new("trace", "t"), new("event-id", trigger.Id.ToString())]);
        var entry = (await new AuditLog(_store.Store).ListAsync(0, 10, default)).Items.ShouldHaveSingleItem();
        (entry.Action, entry.Kind, entry.ObjectId, entry.By.UserId).ShouldBe(
            ("replay", "failed_event", $"{failed.Partition}/{failed.Offset}", Eve));
        await EventTrailTests.WriteAsync(_trail);
        (await _trail.FindAsync(trigger.Id, default))!.Progress.ShouldBe(EventProgress.Received);
    }

    [Fact]
    public async Task A_command_goes_back_to_the_commands()
    {
        var failed = await FailAsync("{}"u8.ToArray(), source: "incident-commands/1@3");
        (await _failed.ReplayAsync(failed.Partition, failed.Offset, By, _time.GetUtcNow(), default))!.IsCommand.ShouldBeTrue();
        (await OfAsync(_topics.IncidentCommands)).Count.ShouldBe(1);
        (await OfAsync(_topics.IncomingEvents)).ShouldBeEmpty();
    }

    [Theory]
    [InlineData(0, 99)]
    [InlineData(3, 0)]
    [InlineData(-1, 0)]
    [InlineData(0, -1)]
    public async Task What_is_not_there_is_not_replayed(int partition, long offset)
    {
        await FailAsync("{}"u8.ToArray());
        (await _failed.ReplayAsync(partition, offset, By, _time.GetUtcNow(), default)).ShouldBeNull();
        (await OfAsync(_topics.IncomingEvents)).ShouldBeEmpty();
        (await new AuditLog(_store.Store).ListAsync(0, 10, default)).Total.ShouldBe(0);
    }

    [Fact]
    public async Task A_record_that_cannot_be_read_keeps_one_id_however_often_it_fails_and_comes_again()
    {
        await using var desk = new FoldDesk(TestStore.OnSqlite);
        var fold = await desk.TakeOverAsync();
        var first = desk.Raw(desk.Topics.IncomingEvents, "no json");
        await fold.FoldAsync([first], default);
        var id = IncidentDecoder.IdOf(first);
        for (var again = 1; again <= 2; again++)
        {
            var dead = (await desk.OutboxAsync(desk.Topics.FailedEvents))[^1];
            await _log.AppendAsync([dead], default);
            var failed = (await _failed.ListAsync(null, 1, default))!.Items.Single();
            failed.Id.ShouldBe(id);
            failed.Reason.ShouldStartWith("The record is not readable");
            await _failed.ReplayAsync(failed.Partition, failed.Offset, By, _time.GetUtcNow(), default);
            var replayed = (await OfAsync(_topics.IncomingEvents))[^1];
            await fold.FoldAsync([desk.Raw(desk.Topics.IncomingEvents, "no json") with { Headers = replayed.Headers }], default);
            (await desk.OutboxAsync(desk.Topics.FailedEvents)).Count.ShouldBe(1 + again);
        }

        (await desk.Directory.EventStatesAsync([id], default)).ShouldHaveSingleItem().Progress.ShouldBe(EventProgress.Failed);
    }

    [Fact]
    public async Task Replaying_twice_has_one_effect()
    {
        await using var desk = new FoldDesk(TestStore.OnSqlite);
        var fold = await desk.TakeOverAsync();
        var trigger = desk.Trigger();
        await fold.RejectAsync(desk.Record(trigger), "a bug that was mended", default);
        var dead = (await desk.OutboxAsync(desk.Topics.FailedEvents)).Single();
        await _log.AppendAsync([dead], default);
        var failed = (await _failed.ListAsync(null, 1, default))!.Items.Single();
        for (var i = 0; i < 2; i++) await _failed.ReplayAsync(failed.Partition, failed.Offset, By, _time.GetUtcNow(), default);
        foreach (var replayed in await OfAsync(_topics.IncomingEvents))
            await fold.FoldAsync([desk.Raw(desk.Topics.IncomingEvents, replayed.Value.ToArray())], default);
        (await desk.AllAsync()).Single().Incident.Alerts.Single().Triggers.ShouldBe(1);
        (await desk.Directory.EventStateAsync(trigger.Id, default))!.Progress.ShouldBe(EventProgress.Processed);
    }

    private async Task<FailedEvent> FailAsync(byte[] value, string? key = null, string source = "incoming-events/0@5")
    {
        _time.Advance(TimeSpan.FromSeconds(1));
        await _log.AppendAsync(
        [
            new OutgoingRecord
            {
                Topic = _topics.FailedEvents.Name, OrderingKey = key ?? IncidentDesk.ServiceId.ToString(), Value = value,
                Headers = [new("trace", "t"), new("reason", "broken"), new("source", source)],
            },
        ], default);
        return (await _failed.ListAsync(null, 1, default))!.Items.Single();
    }

    private async Task<IReadOnlyList<LogRecord>> OfAsync(TopicDeclaration topic)
    {
        List<LogRecord> records = [];
        for (var partition = 0; partition < topic.Partitions; partition++)
            records.AddRange(await _log.ReadAsync(new TopicPartition(topic.Name, partition), 0, 100, default));
        return records;
    }
}
