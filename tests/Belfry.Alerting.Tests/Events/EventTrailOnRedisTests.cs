using System.Diagnostics;
using System.Text;
using Belfry.Alerting.Events;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.Tests.Incidents;
using Belfry.Alerting.Tests.Storage;
using Belfry.Redis;
using Belfry.Redis.Tests;
using Microsoft.Extensions.Logging.Abstractions;
using static Belfry.Alerting.Tests.Events.EventSamples;

namespace Belfry.Alerting.Tests.Events;

/// <summary>Two processes on one Redis, and what happens to accepting and looking up when it has trouble.</summary>
public sealed class EventTrailOnRedisTests : IAsyncLifetime
{
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _running = [];
    private readonly List<RedisHintStore> _hints = [];
    private readonly ListLog _log = new([.. new Topics(partitions: 1).All]);
    private readonly RefusedEvents _refused = new();
    private FoldDesk _desk = null!;
    private IncidentFold _fold = null!;
    private RedisServer? _redis;
    private EventAcceptor _acceptor = null!;
    private EventTrail _trail = null!;
    private EventLookup _elsewhere = null!;

    public async Task InitializeAsync()
    {
        if (RedisServer.Missing is not null && Environment.GetEnvironmentVariable("CI") != "true") return;
        _redis = await RedisServer.StartAsync();
        _desk = new FoldDesk(TestStore.OnSqlite);
        await BeginAsync(OutageRig.Options(_redis.Configuration));
    }

    private async Task BeginAsync(RedisOptions options)
    {
        _trail = await OpenAsync(options);
        _acceptor = new EventAcceptor(
            new EventInlet(_log, null, TimeProvider.System), new Topics(partitions: 1), () => SomeCatalog(limit: 1_000_000),
            new RateLimiter(), _refused, new IdSource(Guid.CreateVersion7), TimeProvider.System, NullLogger<EventAcceptor>.Instance,
            _trail);
        _desk.Trail = await OpenAsync(options);
        _fold = await _desk.TakeOverAsync();
        _elsewhere = new EventLookup(_desk.Directory, _desk.Trail, new RefusedEvents());
    }

    public async Task DisposeAsync()
    {
        await _stop.CancelAsync();
        foreach (var running in _running) await Should.ThrowAsync<OperationCanceledException>(running);
        foreach (var hints in _hints) await hints.DisposeAsync();
        if (_desk is not null) await _desk.DisposeAsync();
        if (_redis is not null) await _redis.DisposeAsync();
    }

    [OwnRedisFact]
    public async Task What_one_process_accepts_or_refuses_another_shows()
    {
        var accepted = await AcceptAsync("shared");
        await ProgressIsAsync(accepted.Id, EventProgress.Received);
        (await _elsewhere.OfKeyAsync(Inlet, "shared", 10, default)).ShouldHaveSingleItem().Summary.ShouldBe("Disk full");
        await FoldAsync(accepted);
        await ProgressIsAsync(accepted.Id, EventProgress.Processed);
        await _acceptor.AcceptAsync(EventKind.Alert, Encoding.UTF8.GetBytes(Trigger("\"severity\":\"\"")), null, default);
        await Eventually.IsAsync(async () => (await _elsewhere.RefusedAsync(Inlet, default)).Count, 1);
    }

    [OwnRedisFact]
    public async Task An_emptied_redis_loses_only_what_is_on_its_way()
    {
        var (done, onItsWay) = (await AcceptAsync("done"), await AcceptAsync("on its way"));
        await FoldAsync(done);
        await ProgressIsAsync(onItsWay.Id, EventProgress.Received);
        await _redis!.RunAsync("FLUSHALL");
        (await _elsewhere.FindAsync(onItsWay.Id, default)).ShouldBeNull();
        await AnswersFromTheStoreAsync(done);
        await FoldAsync(onItsWay);
        await ProgressIsAsync(onItsWay.Id, EventProgress.Processed);
    }

    [OwnRedisFact]
    public async Task While_redis_is_dead_events_are_accepted_and_looked_up_and_later_ones_are_shared_again()
    {
        var done = await AcceptAsync("before");
        await FoldAsync(done);
        await _redis!.KillAsync();
        var meanwhile = await AcceptAsync("meanwhile");
        await FoldAsync(meanwhile);
        await AnswersFromTheStoreAsync(done);
        await AnswersFromTheStoreAsync(meanwhile);
        await _acceptor.AcceptAsync(EventKind.Alert, "nonsense"u8.ToArray(), null, default);
        (await new EventLookup(_desk.Directory, _trail, _refused).RefusedAsync(null, default)).Count.ShouldBe(1);
        await Eventually.TrueAsync(() => Task.FromResult(_trail.Dropped >= 2));

        await _redis.StartAgainAsync();
        await Eventually.TrueAsync(async () =>
        {
            var later = await AcceptAsync("later");
            return await _elsewhere.FindAsync(later.Id, default) is { Progress: EventProgress.Received };
        });
    }

    [OwnRedisFact]
    public async Task A_frozen_redis_delays_no_event_and_its_notes_are_dropped()
    {
        await BeginAsync(OutageRig.Options(_redis!.Configuration) with { AnswerTimeout = TimeSpan.FromSeconds(2) });
        var done = await AcceptAsync("before");
        await FoldAsync(done);
        await ProgressIsAsync(done.Id, EventProgress.Processed);
        _redis.Freeze();
        try
        {
            // A note that waited for its answer, 2 s here, would take an hour.
            var watch = Stopwatch.StartNew();
            for (var i = 0; i < 2_000; i++) await AcceptAsync("frozen");
            watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(20));
            await AnswersFromTheStoreAsync(done);
            await Eventually.TrueAsync(() => Task.FromResult(_trail.Dropped > 0));
        }
        finally
        {
            _redis.Thaw();
        }
    }

    private async Task<EventTrail> OpenAsync(RedisOptions options)
    {
        var hints = await RedisHintStore.OpenAsync(options, TimeProvider.System, NullLogger.Instance, default);
        _hints.Add(hints);
        var trail = new EventTrail(hints, TimeProvider.System, NullLogger.Instance);
        _running.Add(trail.RunAsync(_stop.Token));
        return trail;
    }

    private async Task<AlertEvent> AcceptAsync(string dedupKey)
    {
        var body = Encoding.UTF8.GetBytes(Trigger(top: $"\"dedup_key\":\"{dedupKey}\""));
        (await _acceptor.AcceptAsync(EventKind.Alert, body, null, default)).ShouldBe(new AcceptResult.Accepted(dedupKey));
        return EventRecords.Decode(_log.Of(_desk.Topics.IncomingEvents)[^1].Value.Span);
    }

    private ValueTask FoldAsync(AlertEvent alertEvent) => _fold.FoldAsync([_desk.Record(alertEvent)], default);

    private Task ProgressIsAsync(EventId id, EventProgress progress) =>
        Eventually.IsAsync(async () => (await _elsewhere.FindAsync(id, default))?.Progress, progress);

    private async Task AnswersFromTheStoreAsync(AlertEvent alertEvent)
    {
        var story = (await _elsewhere.FindAsync(alertEvent.Id, default))!;
        (story.Progress, story.DedupKey, story.Effect).ShouldBe((EventProgress.Processed, alertEvent.DedupKey, EventEffect.Opened));
        (await _elsewhere.OfKeyAsync(Inlet, alertEvent.DedupKey, 10, default)).ShouldHaveSingleItem().Id.ShouldBe(alertEvent.Id);
    }
}
