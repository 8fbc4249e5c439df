using System.Text;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Events;
using Belfry.Log;
using Belfry.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using static Belfry.Alerting.Tests.Events.EventSamples;

namespace Belfry.Alerting.Tests.Events;

public sealed class EventAcceptorTests
{
    private readonly ManualTime _time = new();
    private readonly AppendLog _log = new();
    private readonly RefusedEvents _refused = new();
    private CatalogSnapshot _catalog = SomeCatalog();

    private EventAcceptor Acceptor => new(
        new EventInlet(_log, null, _time), new Topics(), () => _catalog, new RateLimiter(), _refused,
        new IdSource(() => NewId.Value), _time,
        NullLogger<EventAcceptor>.Instance);

    private ValueTask<AcceptResult> Accept(string json, EventAcceptor? acceptor = null, EventKind kind = EventKind.Alert) =>
        (acceptor ?? Acceptor).AcceptAsync(kind, Encoding.UTF8.GetBytes(json), null, default);

    [Fact]
    public async Task An_accepted_event_is_on_the_log_under_its_service()
    {
        (await Accept(Trigger(top: "\"dedup_key\":\"d\""))).ShouldBe(new AcceptResult.Accepted("d"));
        var record = _log.Records.ShouldHaveSingleItem();
        (record.Topic, record.OrderingKey).ShouldBe(("incoming-events", TheService.ToString()));
        EventRecords.Decode(record.Value.Span).DedupKey.ShouldBe("d");
    }

    [Fact]
    public async Task A_change_event_is_answered_without_dedup_key() =>
        (await Accept(Trigger(), kind: EventKind.Change)).ShouldBe(new AcceptResult.Accepted(null));

    [Fact]
    public async Task Over_its_limit_an_integration_is_refused_with_the_time_to_wait_and_nothing_is_appended()
    {
        _catalog = SomeCatalog(limit: 2);
        var acceptor = Acceptor;
        await Accept(Trigger(), acceptor);
        await Accept(Trigger(), acceptor);
        var limited = (await Accept(Trigger(), acceptor)).ShouldBeOfType<AcceptResult.Limited>();
        limited.RetryAfter.ShouldBe(TimeSpan.FromSeconds(61));
        _log.Records.Count.ShouldBe(2);
        _refused.Of(Inlet).ShouldHaveSingleItem().Reason.ShouldBe(RefusalReason.RateLimited);
    }

    [Fact]
    public async Task A_log_that_fails_gives_unavailable_and_never_an_exception()
    {
        _log.Fault = new LogUnavailableException("disk full");
        (await Accept(Trigger())).ShouldBeOfType<AcceptResult.Unavailable>();
    }

    [Fact]
    public async Task A_refused_event_is_shown_with_its_reasons_on_its_integration()
    {
        await Accept(Trigger("\"severity\":\"\"", "\"dedup_key\":\"d\""));
        var refused = _refused.Of(Inlet).ShouldHaveSingleItem();
        refused.Errors.ShouldBe(["'payload.severity' is missing or blank"]);
        (refused.DedupKey, refused.Summary).ShouldBe(("d", "Disk full"));
        await Accept("nonsense");
        _refused.Of(null).ShouldHaveSingleItem().Errors.ShouldBe(["JSON parse error"]);
        _refused.Count(RefusalReason.Unrecognized).ShouldBe(1);
    }

    [Fact]
    public void Only_the_last_50_are_kept_and_a_line_is_due_once_a_minute()
    {
        long Add(int seconds) =>
            _refused.Add(Inlet, new RefusedEvent(Now.AddSeconds(seconds), RefusalReason.Invalid, ["e"], null, $"{seconds}"));
        Add(0).ShouldBe(1);
        for (var second = 1; second < 60; second++) Add(second).ShouldBe(0);
        Add(60).ShouldBe(60);
        var kept = _refused.Of(Inlet);
        (kept.Count, kept[0].Summary, kept[^1].Summary).ShouldBe((50, "60", "11"));
    }

    private sealed class AppendLog : IPartitionedLog
    {
        public List<OutgoingRecord> Records { get; } = [];
        public Exception? Fault { get; set; }

        public ValueTask AppendAsync(IReadOnlyList<OutgoingRecord> records, CancellationToken cancel)
        {
            if (Fault is not null) return ValueTask.FromException(Fault);
            Records.AddRange(records);
            return ValueTask.CompletedTask;
        }

        public ValueTask DeclareAsync(IReadOnlyList<TopicDeclaration> topics, CancellationToken cancel) =>
            throw new NotSupportedException();
        public ILogConsumer OpenConsumer(ConsumerGroup group) => throw new NotSupportedException();
        public ValueTask<IReadOnlyList<LogRecord>> ReadAsync(TopicPartition source, long fromOffset, int max, CancellationToken cancel) =>
            throw new NotSupportedException();
        public ValueTask<(long Start, long End)> OffsetsAsync(TopicPartition source, CancellationToken cancel) =>
            throw new NotSupportedException();
        public ValueTask<long?> CommittedAsync(string group, TopicPartition source, CancellationToken cancel) =>
            throw new NotSupportedException();
    }
}
