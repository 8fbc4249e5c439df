using Belfry.Alerting.Events;
using Belfry.Log;
using Belfry.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using static Belfry.Alerting.Tests.Events.EventSamples;

namespace Belfry.Alerting.Tests.Events;

public class EventTrailTests
{
    private readonly ManualTime _time = new(Now);
    private readonly MemoryHintStore _hints;
    private readonly EventTrail _trail;

    public EventTrailTests()
    {
        _hints = new MemoryHintStore(new MemoryHintStoreOptions(), _time);
        _trail = new EventTrail(_hints, _time, NullLogger.Instance);
    }

    [Fact]
    public async Task A_received_event_is_found_by_its_id_and_by_its_key()
    {
        var received = Accepted(Trigger(top: "\"dedup_key\":\"disk é\""));
        _trail.Received(received);
        await WriteAsync(_trail);
        var mark = (await _trail.FindAsync(received.Id, default))!;
        mark.ShouldBe(EventMark.Of(received, EventProgress.Received, Now));
        (mark.DedupKey, mark.Summary, mark.ServiceId).ShouldBe(("disk é", "Disk full", TheService));
        (await _trail.ReceivedAsync(Inlet, "disk é", default)).ShouldBe([mark]);
        (await _trail.ReceivedAsync(Inlet, "disk", default)).ShouldBeEmpty();
        (await _trail.ReceivedAsync(new IntegrationId(Guid.Empty), "disk é", default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Of_a_failed_record_that_was_not_readable_what_was_received_is_still_known()
    {
        var received = Accepted(Trigger());
        _trail.Received(received);
        _trail.Moved(new EventMark { Id = received.Id, Progress = EventProgress.Failed, At = Now.AddSeconds(1), Reason = "not readable" });
        await WriteAsync(_trail);
        var mark = (await _trail.FindAsync(received.Id, default))!;
        (mark.Progress, mark.Reason, mark.Summary).ShouldBe((EventProgress.Failed, "not readable", "Disk full"));

        _trail.Moved(EventMark.Of(received, EventProgress.Received, Now.AddSeconds(2)));
        await WriteAsync(_trail);
        (await _trail.FindAsync(received.Id, default))!.Progress.ShouldBe(EventProgress.Received);
    }

    [Fact]
    public async Task What_has_ended_is_left_to_the_store_soon_and_what_has_not_after_a_day()
    {
        var (open, ended) = (Accepted(Trigger()), Accepted(Trigger()) with { Id = new EventId(Guid.NewGuid()) });
        _trail.Received(open);
        _trail.Received(ended);
        _trail.Ended(ended.Id);
        await WriteAsync(_trail);
        (await _trail.FindAsync(ended.Id, default)).ShouldBe(EventMark.Of(ended, EventProgress.Received, Now));
        _time.Advance(TimeSpan.FromMinutes(10));
        (await _trail.FindAsync(ended.Id, default)).ShouldBeNull();
        (await _trail.FindAsync(open.Id, default)).ShouldNotBeNull();
        _time.Advance(TimeSpan.FromHours(24));
        (await _trail.FindAsync(open.Id, default)).ShouldBeNull();
    }

    [Fact]
    public async Task A_receipt_that_is_noted_after_the_end_is_not_kept_for_a_day()
    {
        var received = Accepted(Trigger());
        _trail.Ended(received.Id);
        _trail.Received(received);
        await WriteAsync(_trail);
        (await _trail.FindAsync(received.Id, default)).ShouldBeNull("the store knows what came of it");
    }

    [Fact]
    public async Task The_last_50_refused_events_are_kept_by_integration_in_full()
    {
        for (var i = 0; i < 60; i++)
            _trail.Refused(Inlet, new RefusedEvent(Now.AddSeconds(i), RefusalReason.RateLimited, ["a", "b"], "d", $"{i}"));
        _trail.Refused(null, new RefusedEvent(Now, RefusalReason.TooLarge, [new string('e', 300)], null, null));
        await WriteAsync(_trail);
        var kept = (await _trail.RefusedAsync(Inlet, default))!;
        (kept.Count, kept[0].Summary, kept[^1].Summary).ShouldBe((50, "59", "10"));
        (kept[0].At, kept[0].Reason, kept[0].DedupKey).ShouldBe((Now.AddSeconds(59), RefusalReason.RateLimited, "d"));
        kept[0].Errors.ShouldBe(["a", "b"]);
        (await _trail.RefusedAsync(null, default))!.ShouldHaveSingleItem().Errors.ShouldBe([new string('e', 200)]);
    }

    [Fact]
    public async Task The_longest_texts_fit_into_a_hint()
    {
        var text = string.Concat(Enumerable.Repeat("\U0001F600", 1_024));
        var longest = Accepted(Trigger()) with { Summary = text, DedupKey = text[..510] };
        _trail.Moved(EventMark.Of(longest, EventProgress.Received, Now));
        _trail.Moved(EventMark.Of(longest, EventProgress.Failed, Now.AddSeconds(1)) with { Reason = text });
        _trail.Refused(Inlet, new RefusedEvent(Now, RefusalReason.Invalid, [.. Enumerable.Repeat(text, 20)], text, text));
        await WriteAsync(_trail);
        (await _trail.FindAsync(longest.Id, default))!.Summary!.Length.ShouldBe(400);
        (await _trail.RefusedAsync(Inlet, default))!.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Notes_that_nobody_writes_are_dropped_with_a_count()
    {
        var received = Accepted(Trigger());
        for (var i = 0; i < EventTrail.WaitingMax + 7; i++) _trail.Received(received);
        _trail.Dropped.ShouldBe(7);
        await WriteAsync(_trail);
        _trail.Received(received);
        _trail.Dropped.ShouldBe(7);
    }

    [Fact]
    public async Task What_cannot_be_read_is_no_note()
    {
        var id = new EventId(Guid.NewGuid());
        var bad = new Hint
        {
            Kind = HintKind.Value, Key = $"event:{id}", Bytes = "{\"id\":7}"u8.ToArray(), KeptFor = TimeSpan.FromMinutes(1),
        };
        await _hints.WriteAsync([bad, bad with { Kind = HintKind.Entry, Key = $"refused:{Inlet}" }], default);
        (await _trail.FindAsync(id, default)).ShouldBeNull();
        (await _trail.RefusedAsync(Inlet, default)).ShouldBe([]);
    }

    [Fact]
    public async Task In_one_process_what_was_received_is_found_at_once_and_leaves_no_note()
    {
        var trail = new EventTrail(_hints, _time, NullLogger.Instance, isOfOneProcess: true);
        var (first, second) = (Accepted(Trigger()), Accepted(Trigger()) with { Id = new EventId(Guid.NewGuid()) });
        trail.Received(first);
        trail.Received(second);
        trail.Ended(first.Id);
        await WriteAsync(trail);
        (await trail.FindAsync(first.Id, default)).ShouldBe(EventMark.Of(first, EventProgress.Received, Now));
        (await trail.ReceivedAsync(Inlet, first.DedupKey, default)).Select(mark => mark.Id).ShouldBe([second.Id, first.Id]);
        (await trail.ReceivedAsync(new IntegrationId(Guid.Empty), first.DedupKey, default)).ShouldBeEmpty();
        _hints.Bytes.ShouldBe(0);
    }

    [Fact]
    public async Task In_one_process_a_failed_event_is_failed_until_it_is_put_back_on_its_way()
    {
        var trail = new EventTrail(_hints, _time, NullLogger.Instance, isOfOneProcess: true);
        var received = Accepted(Trigger());
        trail.Received(received);
        trail.Moved(new EventMark { Id = received.Id, Progress = EventProgress.Failed, At = Now.AddSeconds(1), Reason = "not readable" });
        await WriteAsync(trail);
        var mark = (await trail.FindAsync(received.Id, default))!;
        (mark.Progress, mark.Reason, mark.Summary).ShouldBe((EventProgress.Failed, "not readable", "Disk full"));

        trail.Moved(EventMark.Of(received, EventProgress.Received, Now.AddSeconds(2)));
        await WriteAsync(trail);
        (await trail.FindAsync(received.Id, default))!.Progress.ShouldBe(EventProgress.Received);
    }

    /// <summary>Writes what waits: over hints in memory nothing is awaited before all of it is written.</summary>
    internal static async Task WriteAsync(EventTrail trail)
    {
        using var stop = new CancellationTokenSource();
        var running = trail.RunAsync(stop.Token);
        await stop.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(running);
    }
}
