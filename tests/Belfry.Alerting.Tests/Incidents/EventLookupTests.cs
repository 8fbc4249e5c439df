using Belfry.Alerting.Events;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.Tests.Events;
using Belfry.Alerting.Tests.Storage;
using static Belfry.Alerting.Tests.Incidents.IncidentDesk;

namespace Belfry.Alerting.Tests.Incidents;

public class EventLookupTests : IAsyncLifetime
{
    private readonly FoldDesk _desk;
    private readonly RefusedEvents _refused = new();
    private IncidentFold _fold = null!;

    public EventLookupTests() : this(TestStore.OnSqlite)
    {
    }

    private protected EventLookupTests(StoreOpener open) => _desk = new FoldDesk(open);

    private EventLookup Lookup => new(_desk.Directory, _desk.Trail, _refused);

    // As after a Redis that was emptied.
    private EventLookup WithoutTrail => new(_desk.Directory, FoldDesk.EmptyTrail(_desk.Time), _refused);

    public async Task InitializeAsync() => _fold = await _desk.TakeOverAsync();

    public async Task DisposeAsync() => await _desk.DisposeAsync();

    [Fact]
    public async Task An_event_is_received_then_processed_and_says_what_it_did()
    {
        var (open, again, resolve) = (_desk.Trigger(), _desk.Trigger(), _desk.Desk.Event(EventAction.Resolve));
        var late = _desk.Desk.Event(EventAction.Acknowledge);
        foreach (var one in (AlertEvent[])[open, again, resolve, late]) _desk.Trail.Received(one);
        await EventTrailTests.WriteAsync(_desk.Trail);
        (await Lookup.FindAsync(open.Id, default))!.Progress.ShouldBe(EventProgress.Received);
        await FoldAsync(open, again, resolve, late);

        var story = (await Lookup.FindAsync(open.Id, default))!;
        (story.Progress, story.Effect, story.Reason, story.Summary).ShouldBe(
            (EventProgress.Processed, EventEffect.Opened, null, "disk full"));
        story.IncidentId.ShouldBe((await _desk.AllAsync()).Single().Incident.Id);
        (story.IntegrationId, story.ServiceId, story.DedupKey).ShouldBe((Inlet, IncidentDesk.ServiceId, "disk"));
        story.ReceivedAt.ShouldBe(open.ReceivedAt);
        (await Lookup.FindAsync(again.Id, default))!.Effect.ShouldBe(EventEffect.Changed);
        (await Lookup.FindAsync(resolve.Id, default))!.Effect.ShouldBe(EventEffect.Changed);
        var ignored = (await Lookup.FindAsync(late.Id, default))!;
        (ignored.Progress, ignored.Effect, ignored.IncidentId).ShouldBe((EventProgress.Processed, null, null));
        ignored.Reason.ShouldBe("No open alert has this dedup key and routing key.");
        (await Lookup.FindAsync(new EventId(Guid.NewGuid()), default)).ShouldBeNull();
    }

    [Fact]
    public async Task Without_the_trail_the_store_answers_all_but_what_is_on_its_way()
    {
        var (done, change, onItsWay) = (_desk.Trigger(), _desk.Desk.Event(EventAction.Change), _desk.Trigger());
        foreach (var one in (AlertEvent[])[done, change, onItsWay]) _desk.Trail.Received(one);
        await FoldAsync(done, change);
        var story = (await WithoutTrail.FindAsync(done.Id, default))!;
        (story.Progress, story.Effect, story.IntegrationId, story.DedupKey).ShouldBe(
            (EventProgress.Processed, EventEffect.Opened, Inlet, "disk"));
        story.IncidentId.ShouldNotBeNull();
        (await WithoutTrail.FindAsync(change.Id, default))!.Effect.ShouldBe(EventEffect.Kept);
        (await WithoutTrail.FindAsync(onItsWay.Id, default)).ShouldBeNull();
        (await WithoutTrail.OfKeyAsync(Inlet, "disk", 10, default)).Select(one => one.Id).ShouldBe([done.Id]);
        (await Lookup.OfKeyAsync(Inlet, "disk", 10, default)).Select(one => (one.Id, one.Progress)).ShouldBe(
            [(onItsWay.Id, EventProgress.Received), (done.Id, EventProgress.Processed)]);
    }

    [Fact]
    public async Task Events_of_a_key_are_merged_newest_first_and_each_once()
    {
        var now = _desk.Time.GetUtcNow();
        var events = Enumerable.Range(0, 6).Select(i => _desk.Trigger() with { ReceivedAt = now.AddSeconds(i) }).ToList();
        foreach (var one in events) _desk.Trail.Received(one);
        await FoldAsync([.. events.Take(4)]);
        var found = await Lookup.OfKeyAsync(Inlet, "disk", 10, default);
        found.Select(one => one.Id).ShouldBe(events.AsEnumerable().Reverse().Select(one => one.Id));
        found.Count(one => one.Progress == EventProgress.Processed).ShouldBe(4);
        (await Lookup.OfKeyAsync(Inlet, "disk", 1, default)).Single().Id.ShouldBe(events[^1].Id);
        (await Lookup.OfKeyAsync(OtherInlet, "disk", 10, default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_failed_event_says_why_until_it_is_on_its_way_again_and_then_how_that_ended()
    {
        var trigger = _desk.Trigger();
        _desk.Trail.Received(trigger);
        await FoldAsync(trigger with { Version = 7 });
        foreach (var lookup in (EventLookup[])[Lookup, WithoutTrail])
        {
            var story = (await lookup.FindAsync(trigger.Id, default))!;
            (story.Progress, story.Reason).ShouldBe(
                (EventProgress.Failed, "The record has version 7; this program reads version 1."));
        }

        (await Lookup.FindAsync(trigger.Id, default))!.DedupKey.ShouldBe("disk");
        _desk.Time.Advance(TimeSpan.FromSeconds(1));
        _desk.Trail.Moved(EventMark.Of(trigger, EventProgress.Received, _desk.Time.GetUtcNow()));
        await EventTrailTests.WriteAsync(_desk.Trail);
        (await Lookup.FindAsync(trigger.Id, default))!.Progress.ShouldBe(EventProgress.Received);
        (await WithoutTrail.FindAsync(trigger.Id, default))!.Progress.ShouldBe(EventProgress.Failed);
        _desk.Time.Advance(TimeSpan.FromSeconds(1));
        await FoldAsync(trigger);
        (await Lookup.FindAsync(trigger.Id, default))!.Progress.ShouldBe(EventProgress.Processed);
    }

    [Fact]
    public async Task A_record_that_was_rejected_is_noted_with_the_reason()
    {
        var trigger = _desk.Trigger();
        await _fold.RejectAsync(_desk.Record(trigger), "it always throws", default);
        await EventTrailTests.WriteAsync(_desk.Trail);
        var mark = (await _desk.Trail.FindAsync(trigger.Id, default))!;
        (mark.Progress, mark.Reason, mark.DedupKey).ShouldBe((EventProgress.Failed, "it always throws", "disk"));
    }

    [Fact]
    public async Task Commands_are_no_events()
    {
        await FoldAsync(_desk.Trigger());
        var command = _desk.Desk.Command((await _desk.AllAsync()).Single().Incident.Id, CommandKind.Acknowledge, Bob);
        await _fold.FoldAsync([_desk.Record(command)], default);
        (await _desk.Directory.EventStateAsync(command.Id, default)).ShouldNotBeNull();
        (await Lookup.FindAsync(command.Id, default)).ShouldBeNull();
    }

    [Fact]
    public async Task Refused_events_are_those_of_all_processes_and_without_the_trail_ones_own()
    {
        var now = _desk.Time.GetUtcNow();
        RefusedEvent Refused(int second) => new(now.AddSeconds(second), RefusalReason.Invalid, ["e"], "d", $"{second}");
        var mine = Refused(1);
        _refused.Add(Inlet, mine);
        foreach (var one in (RefusedEvent[])[Refused(0), mine, Refused(2)]) _desk.Trail.Refused(Inlet, one);
        await EventTrailTests.WriteAsync(_desk.Trail);
        (await Lookup.RefusedAsync(Inlet, default)).Select(one => one.Summary).ShouldBe(["2", "1", "0"]);
        (await WithoutTrail.RefusedAsync(Inlet, default)).Select(one => one.Summary).ShouldBe(["1"]);
        (await Lookup.RefusedAsync(OtherInlet, default)).ShouldBeEmpty();
    }

    private async Task FoldAsync(params AlertEvent[] events)
    {
        await _fold.FoldAsync([.. events.Select(_desk.Record)], default);
        await EventTrailTests.WriteAsync(_desk.Trail);
    }
}
