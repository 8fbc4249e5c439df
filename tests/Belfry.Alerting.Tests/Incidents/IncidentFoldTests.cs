using System.Text;
using Belfry.Alerting.Events;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.Tests.Storage;
using Belfry.Log;
using static Belfry.Alerting.Tests.Incidents.IncidentDesk;

namespace Belfry.Alerting.Tests.Incidents;

public class IncidentFoldTests : IAsyncLifetime
{
    private readonly FoldDesk _desk;

    public IncidentFoldTests() : this(TestStore.OnSqlite)
    {
    }

    private protected IncidentFoldTests(StoreOpener open) => _desk = new FoldDesk(open);

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _desk.DisposeAsync();

    [Fact]
    public async Task A_batch_writes_incidents_states_positions_and_messages_together()
    {
        var fold = await _desk.TakeOverAsync();
        var (first, second) = (_desk.Trigger("a"), _desk.Trigger("b"));
        await fold.FoldAsync([_desk.Record(first), _desk.Record(second)], default);
        var all = await _desk.AllAsync();
        all.Select(row => row.Number).ShouldBe([2, 1]);
        all[1].Incident.Alerts.Single().Newest.Id.ShouldBe(first.Id);
        (await _desk.Directory.EventStateAsync(first.Id, default))!.IncidentId.ShouldBe(all[1].Incident.Id);
        (await _desk.OutboxAsync(_desk.Topics.PlanningAssignments)).Select(record => record.Key)
            .ShouldBe(all.Reverse().Select(row => $"{Ann}/{row.Incident.Id}"));
        (await _desk.OutboxAsync(_desk.Topics.ScheduledTasks)).Count.ShouldBe(4);
        (await _desk.OutboxAsync(_desk.Topics.IncidentLog)).Count.ShouldBe(4);
        await _desk.TakeOverAsync();
        _desk.Positions[new TopicPartition(_desk.Topics.IncomingEvents.Name, 0)].ShouldBe(2);
    }

    [Fact]
    public async Task What_is_stored_is_what_the_core_decided()
    {
        var fold = await _desk.TakeOverAsync();
        var trigger = _desk.Trigger();
        await fold.FoldAsync([_desk.Record(trigger)], default);
        var stored = (await _desk.AllAsync()).Single().Incident;
        var decided = _desk.Desk.Send(trigger)!;
        Serialized(stored).ShouldBe(Serialized(decided));
    }

    [Fact]
    public async Task A_batch_delivered_again_to_a_new_owner_changes_nothing()
    {
        var fold = await _desk.TakeOverAsync();
        LogRecord[] batch = [_desk.Record(_desk.Trigger())];
        await fold.FoldAsync(batch, default);
        var before = Serialized((await _desk.AllAsync()).Single().Incident);
        var messages = (await _desk.OutboxAsync(_desk.Topics.IncidentLog)).Count;
        var next = await _desk.TakeOverAsync();
        await next.FoldAsync(batch, default);
        Serialized((await _desk.AllAsync()).Single().Incident).ShouldBe(before);
        (await _desk.OutboxAsync(_desk.Topics.IncidentLog)).Count.ShouldBe(messages);
    }

    [Fact]
    public async Task An_event_published_twice_at_two_offsets_is_taken_once()
    {
        var fold = await _desk.TakeOverAsync();
        var trigger = _desk.Trigger();
        await fold.FoldAsync([_desk.Record(trigger)], default);
        await fold.FoldAsync([_desk.Record(trigger), _desk.Record(trigger)], default);
        (await _desk.AllAsync()).Single().Incident.Alerts.Single().Triggers.ShouldBe(1);
    }

    [Fact]
    public async Task A_new_owner_goes_on_where_the_former_stopped()
    {
        var fold = await _desk.TakeOverAsync();
        await fold.FoldAsync([_desk.Record(_desk.Trigger("a")), _desk.Record(_desk.Trigger("b"))], default);
        var (number, incident) = (await _desk.AllAsync())[1];
        var next = await _desk.TakeOverAsync();
        await next.FoldAsync(
            [_desk.Record(_desk.Desk.Command(incident.Id, CommandKind.Acknowledge, Bob)), _desk.Record(_desk.Trigger("c"))], default);
        var acknowledged = (await _desk.Directory.FindAsync(incident.Id, default))!;
        (acknowledged.Number, acknowledged.Incident.Status, acknowledged.Incident.AcknowledgedBy).ShouldBe(
            (number, IncidentStatus.Acknowledged, Bob));
        (await _desk.AllAsync())[0].Number.ShouldBe(3);
    }

    [Fact]
    public async Task A_former_owner_is_refused_and_writes_nothing()
    {
        var former = await _desk.TakeOverAsync();
        await _desk.TakeOverAsync();
        await Should.ThrowAsync<OwnershipLostException>(async () => await former.FoldAsync([_desk.Record(_desk.Trigger())], default));
        await Should.ThrowAsync<OwnershipLostException>(
            async () => await former.RejectAsync(_desk.Raw(_desk.Topics.IncomingEvents, "x"), "why", default));
        (await _desk.AllAsync()).ShouldBeEmpty();
        (await _desk.OutboxAsync(_desk.Topics.FailedEvents)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_resolved_incident_is_loaded_for_the_command_that_names_it()
    {
        var fold = await _desk.TakeOverAsync();
        await fold.FoldAsync([_desk.Record(_desk.Trigger())], default);
        var incident = (await _desk.AllAsync()).Single().Incident;
        await fold.FoldAsync([_desk.Record(_desk.Desk.Command(incident.Id, CommandKind.Resolve, Ann))], default);
        await fold.FoldAsync([_desk.Record(_desk.Desk.Command(incident.Id, CommandKind.Reopen, Ann))], default);
        var reopened = (await _desk.AllAsync()).Single();
        (reopened.Number, reopened.Incident.Status).ShouldBe((1, IncidentStatus.Triggered));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[1]")]
    [InlineData("\u0000")]
    [InlineData("{\"id\":\"00000000000000000000000000000001\"}")]
    [InlineData("{\"version\":1,\"id\":\"00000000000000000000000000000001\",\"service_id\":null}")]
    public async Task A_poison_record_is_put_aside_with_its_bytes_and_its_neighbours_go_on(string text)
    {
        var fold = await _desk.TakeOverAsync();
        await fold.FoldAsync(
            [_desk.Record(_desk.Trigger("a")), _desk.Raw(_desk.Topics.IncomingEvents, text), _desk.Record(_desk.Trigger("b"))], default);
        (await _desk.AllAsync()).Count.ShouldBe(2);
        var dead = (await _desk.OutboxAsync(_desk.Topics.FailedEvents)).ShouldHaveSingleItem();
        Encoding.UTF8.GetString(dead.Value.Span).ShouldBe(text);
        dead.Headers.Single(pair => pair.Key == "reason").Value.ShouldNotBeEmpty();
        dead.Headers.Single(pair => pair.Key == "source").Value.ShouldBe("incoming-events/0@1");
    }

    [Fact]
    public async Task A_failed_event_is_found_by_its_id_and_may_come_again_repaired()
    {
        var fold = await _desk.TakeOverAsync();
        var trigger = _desk.Trigger();
        await fold.FoldAsync([_desk.Record(trigger with { Version = 7 })], default);
        var failed = (await _desk.Directory.EventStateAsync(trigger.Id, default))!;
        failed.Progress.ShouldBe(EventProgress.Failed);
        failed.Reason.ShouldBe("The record has version 7; this program reads version 1.");
        await fold.FoldAsync([_desk.Record(trigger)], default);
        (await _desk.Directory.EventStateAsync(trigger.Id, default))!.Progress.ShouldBe(EventProgress.Processed);
        (await _desk.AllAsync()).Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_copy_of_a_processed_event_is_known_in_a_later_turn_by_a_later_owner_and_though_its_id_is_old()
    {
        var (trigger, other) = (_desk.Trigger("a"), _desk.Trigger("b"));
        var fold = await _desk.TakeOverAsync();
        await fold.FoldAsync([_desk.Record(trigger), _desk.Record(other)], default);
        await fold.FoldAsync([_desk.Record(trigger)], default);
        var later = await _desk.TakeOverAsync();
        await later.FoldAsync([_desk.Record(trigger), _desk.Record(other)], default);
        (await _desk.AllAsync()).Sum(incident => incident.Incident.Alerts.Sum(alert => alert.Triggers)).ShouldBe(2);
    }

    [Fact]
    public async Task A_poison_copy_of_a_processed_event_does_not_undo_its_state()
    {
        var fold = await _desk.TakeOverAsync();
        var trigger = _desk.Trigger();
        await fold.FoldAsync([_desk.Record(trigger), _desk.Record(trigger with { Version = 7 })], default);
        (await _desk.Directory.EventStateAsync(trigger.Id, default))!.Progress.ShouldBe(EventProgress.Processed);
    }

    [Fact]
    public async Task A_rejected_record_is_put_aside_and_the_position_moves_on()
    {
        var fold = await _desk.TakeOverAsync();
        await fold.RejectAsync(_desk.Record(_desk.Trigger()), "it always throws", default);
        (await _desk.OutboxAsync(_desk.Topics.FailedEvents)).Single().Headers.ShouldContain(
            new KeyValuePair<string, string>("reason", "it always throws"));
        await _desk.TakeOverAsync();
        _desk.Positions.Values.ShouldBe([1]);
    }

    [Fact]
    public async Task Events_of_a_dedup_key_are_found_newest_first()
    {
        var fold = await _desk.TakeOverAsync();
        var (first, second) = (_desk.Trigger("nul\0key"), _desk.Trigger("nul\0key"));
        await fold.FoldAsync([_desk.Record(first), _desk.Record(second), _desk.Record(_desk.Trigger("other"))], default);
        (await _desk.Directory.EventStatesAsync(Inlet, "nul\0key", 10, default)).Select(state => state.Id).ShouldBe([second.Id, first.Id]);
    }

    [Fact]
    public async Task Change_events_are_kept_for_their_service()
    {
        var fold = await _desk.TakeOverAsync();
        var change = _desk.Desk.Event(EventAction.Change);
        await fold.FoldAsync([_desk.Record(change)], default);
        (await _desk.Directory.ChangeEventsAsync(IncidentDesk.ServiceId, 10, default)).Single().Id.ShouldBe(change.Id);
        (await _desk.Directory.ChangeEventsAsync(new ServiceId(Named(21)), 10, default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task What_is_past_its_retention_is_removed()
    {
        var fold = await _desk.TakeOverAsync();
        var old = _desk.Trigger("old");
        await fold.FoldAsync([_desk.Record(old)], default);
        _desk.Time.Advance(IncidentTables.EventStateRetention + TimeSpan.FromHours(2));
        await fold.FoldAsync([_desk.Record(_desk.Trigger("new"))], default);
        (await _desk.Directory.EventStateAsync(old.Id, default)).ShouldBeNull();
        (await _desk.AllAsync()).Count.ShouldBe(2);
    }

    [Fact]
    public async Task A_turn_holds_though_what_is_past_its_retention_cannot_be_removed_and_that_is_tried_again()
    {
        var fold = await _desk.TakeOverAsync();
        var old = _desk.Trigger("old");
        await fold.FoldAsync([_desk.Record(old)], default);
        _desk.Time.Advance(IncidentTables.EventStateRetention + TimeSpan.FromHours(2));
        await _desk.RunAsync("alter table change_event rename to change_event_away");
        await fold.FoldAsync([_desk.Record(_desk.Trigger("new"))], default);
        (await _desk.AllAsync()).Count.ShouldBe(2);
        (await _desk.Directory.EventStateAsync(old.Id, default)).ShouldNotBeNull();

        await _desk.RunAsync("alter table change_event_away rename to change_event");
        _desk.Time.Advance(TimeSpan.FromMinutes(1));
        await fold.FoldAsync([_desk.Record(_desk.Trigger("newer"))], default);
        (await _desk.Directory.EventStateAsync(old.Id, default)).ShouldBeNull();
        await _desk.TakeOverAsync();
        _desk.Positions[new TopicPartition(_desk.Topics.IncomingEvents.Name, 0)].ShouldBe(3);
    }

    [Fact]
    public void Partitions_that_begin_together_do_not_prune_together()
    {
        var waits = Enumerable.Range(0, 12).Select(partition => IncidentFold.FirstPruneAfter(partition, 12)).ToList();
        waits.Zip(waits.Skip(1)).ShouldAllBe(pair => pair.Second - pair.First > TimeSpan.FromMilliseconds(400));
        waits.ShouldAllBe(wait => wait < IncidentFold.PruneAgain);
    }

    [Fact]
    public async Task The_relay_publishes_what_was_committed()
    {
        _desk.Log.Down = false;
        var appended = _desk.Log.Appended;
        var fold = await _desk.TakeOverAsync();
        await fold.FoldAsync([_desk.Record(_desk.Trigger())], default);
        await appended.WaitAsync(TimeSpan.FromSeconds(20));
        _desk.Log.Of(_desk.Topics.IncidentLog).Count.ShouldBe(2);
        _desk.Log.Of(_desk.Topics.PlanningAssignments).Count.ShouldBe(1);
        _desk.Log.Of(_desk.Topics.ScheduledTasks).Count.ShouldBe(2);
    }

    [Fact]
    public async Task Live_pages_are_told_after_the_commit()
    {
        var fold = await _desk.TakeOverAsync();
        var waiting = _desk.Changes.WaitAsync(0, TimeSpan.FromMinutes(1), _desk.Time, default);
        waiting.IsCompleted.ShouldBeFalse();
        await fold.FoldAsync([_desk.Record(_desk.Trigger())], default);
        (await waiting.WaitAsync(TimeSpan.FromSeconds(20))).ShouldBe(1);
    }

    private static string Serialized(Incident incident) =>
        System.Text.Json.JsonSerializer.Serialize(incident, IncidentJson.Default.Incident);
}
