using Belfry.Alerting.Planning;
using Belfry.Log;
using Belfry.Scheduling;
using Belfry.Testing;
using static Belfry.Alerting.Tests.Planning.PlanningScene;

namespace Belfry.Alerting.Tests.Planning;

public sealed class PlanningFoldTests
{
    private readonly Topics _topics = new("t-", partitions: 1);
    private readonly MemoryLog _log = new();
    private readonly ManualTime _time = new(Start);
    private readonly IReadOnlyList<TopicPartition> _sources;

    public PlanningFoldTests() => _sources = [.. PlanningHop.Group(_topics).Topics.Select(topic => new TopicPartition(topic, 0))];

    [Fact]
    public async Task What_follows_the_committed_offsets_is_folded_with_its_output()
    {
        var fold = await LoadedAsync();
        await PutAsync(Rules(Contact([Mail], Rule(1, Mail), Rule(2, Mail, delay: 5))), Assigned(Assignment()));
        await fold.FoldAsync(All(), default);

        PlanningWire.DecodeNotification(
            _log.Of(_topics.Notifications.Name).ShouldHaveSingleItem().Value).Address.ShouldBe("ada@example.org");
        _log.Of(_topics.Notifications.Name)[0].Key.ShouldBe(Ada.ToString());
        TaskRecords.Decode(_log.Of(_topics.ScheduledTasks.Name).ShouldHaveSingleItem().Value.Span)
            .ShouldBeOfType<TaskDecoding.Decoded>().Change.ShouldBeOfType<TaskChange.Schedule>().Task.DueAt.ShouldBe(Start.AddMinutes(5));
        _log.Of(_topics.IncidentLog.Name).Count.ShouldBe(2);
    }

    [Fact]
    public async Task What_was_committed_is_restored_without_output()
    {
        await PutAsync(Rules(Contact([Mail], Rule(1, Mail, delay: 5))), Assigned(Assignment()));
        CommitAll();
        var fold = await LoadedAsync();
        _log.Of(_topics.Notifications.Name).ShouldBeEmpty();

        await PutAsync(Fired(TimerFeedback(1)));
        await fold.FoldAsync([_log.Of(_topics.PlanningFeedback.Name)[0]], default);
        _log.Of(_topics.Notifications.Name).Count.ShouldBe(1);
    }

    [Fact]
    public async Task Loading_says_where_each_topic_goes_on()
    {
        await PutAsync(Rules(Contact([Mail])), Assigned(Assignment()));
        CommitAll();
        var next = await Fold().LoadAsync(default);
        next[new TopicPartition(_topics.PlanningAssignments.Name, 0)].ShouldBe(1);
        next[new TopicPartition(_topics.PlanningContactRules.Name, 0)].ShouldBe(1);
        next[new TopicPartition(_topics.PlanningFeedback.Name, 0)].ShouldBe(0);
    }

    [Fact]
    public async Task A_turn_whose_output_was_not_taken_is_repeated_with_the_same_ids()
    {
        var fold = await LoadedAsync();
        await PutAsync(Rules(Contact([Mail], Rule(1, Mail))), Assigned(Assignment()));
        _log.FailAppends = 1;
        await Should.ThrowAsync<LogUnavailableException>(async () => await fold.FoldAsync(All(), default));
        await fold.LoadAsync(default);
        await fold.FoldAsync(All(), default);
        _log.Of(_topics.Notifications.Name).Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_load_after_a_failed_turn_keeps_what_was_folded_but_not_yet_committed()
    {
        var fold = await LoadedAsync();
        await PutAsync(Rules(Contact([Mail], Rule(1, Mail, delay: 5))), Assigned(Assignment()));
        await fold.FoldAsync(All(), default);
        await PutAsync(Fired(TimerFeedback(1)));
        var timer = _log.Of(_topics.PlanningFeedback.Name)[0];
        _log.FailAppends = 1;
        await Should.ThrowAsync<LogUnavailableException>(async () => await fold.FoldAsync([timer], default));

        await fold.LoadAsync(default);
        await fold.FoldAsync([timer], default);
        _log.Of(_topics.Notifications.Name).Count.ShouldBe(1);
    }

    [Fact]
    public async Task An_owner_that_died_after_its_output_makes_the_next_one_repeat_the_same_ids()
    {
        await PutAsync(Rules(Contact([Mail], Rule(1, Mail))), Assigned(Assignment()));
        await (await LoadedAsync()).FoldAsync(All(), default);
        _time.Advance(TimeSpan.FromHours(1));
        await (await LoadedAsync()).FoldAsync(All(), default);

        var notifications = _log.Of(_topics.Notifications.Name);
        notifications.Count.ShouldBe(2);
        notifications[1].Value.ToArray().ShouldBe(notifications[0].Value.ToArray());
    }

    [Fact]
    public async Task A_record_that_cannot_be_read_is_a_fault_and_its_rejection_keeps_the_bytes()
    {
        var fold = await LoadedAsync();
        await PutAsync(new OutgoingRecord { Topic = _topics.PlanningAssignments.Name, OrderingKey = "k", Value = new byte[] { 0, 1, 2 } });
        var record = _log.Of(_topics.PlanningAssignments.Name)[0];
        var fault = await Should.ThrowAsync<FormatException>(async () => await fold.FoldAsync([record], default));
        await fold.RejectAsync(record, fault.Message, default);

        var dead = _log.Of(_topics.NotificationsDeadLetters.Name).ShouldHaveSingleItem();
        dead.Value.ToArray().ShouldBe([0, 1, 2]);
        dead.Headers.ShouldContain(new KeyValuePair<string, string>("reason", fault.Message));
        dead.Headers.ShouldContain(new KeyValuePair<string, string>("source", "t-planning-assignments/0@0"));
    }

    [Theory]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("{\"version\":2}")]
    [InlineData("[1]")]
    [InlineData("")]
    public async Task A_notification_to_come_is_not_lost_behind_an_unreadable_record(string json)
    {
        await PutAsync(new OutgoingRecord
        {
            Topic = _topics.PlanningContactRules.Name, OrderingKey = "no id", Value = System.Text.Encoding.UTF8.GetBytes(json),
        });
        CommitAll();
        var fold = await LoadedAsync();
        await PutAsync(Rules(Contact([Mail], Rule(1, Mail))), Assigned(Assignment()));
        await fold.FoldAsync([_log.Of(_topics.PlanningContactRules.Name)[1], _log.Of(_topics.PlanningAssignments.Name)[0]], default);
        _log.Of(_topics.Notifications.Name).Count.ShouldBe(1);
    }

    [Fact]
    public async Task Tombstones_remove_rules_and_assignments()
    {
        var fold = await LoadedAsync();
        await PutAsync(
            Rules(Contact([Mail], Rule(1, Mail, delay: 5))), Assigned(Assignment()),
            new OutgoingRecord
            {
                Topic = _topics.PlanningContactRules.Name, OrderingKey = Ada.ToString(), Value = ReadOnlyMemory<byte>.Empty,
            });
        await fold.FoldAsync(All(), default);
        await PutAsync(Fired(TimerFeedback(1)));
        await fold.FoldAsync(_log.Of(_topics.PlanningFeedback.Name), default);
        _log.Of(_topics.Notifications.Name).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_tombstone_tells_up_to_which_epoch_an_assignment_is_over()
    {
        var fold = await LoadedAsync();
        await PutAsync(
            Rules(Contact([Mail], Rule(1, Mail))), PlanningWire.Tombstone(_topics, Ada, Fire, 3), Assigned(Assignment(epoch: 2)),
            Assigned(Assignment(epoch: 4)));
        await fold.FoldAsync(All(), default);
        PlanningWire.DecodeNotification(_log.Of(_topics.Notifications.Name).ShouldHaveSingleItem().Value).Epoch.ShouldBe(4);
    }

    [Theory]
    [InlineData("no slash", "1")]
    [InlineData("a/b", "1")]
    [InlineData("0190000000007000800000000000000a/01900000000070008000000000000001", "-1")]
    [InlineData("0190000000007000800000000000000a/01900000000070008000000000000001", "many")]
    public void A_tombstone_that_cannot_be_read_is_a_fault(string key, string epoch) =>
        Should.Throw<FormatException>(() => PlanningWire.DecodeTombstone(new LogRecord
        {
            Source = _sources[0], Offset = 0, AppendedAt = Start, Key = key, Value = default, Headers = [new("epoch", epoch)],
        }));

    [Fact]
    public async Task A_due_rule_timer_becomes_feedback_to_the_users_owner()
    {
        var task = new PlanningScene();
        task.Rules(Contact([Mail], Rule(1, Mail, delay: 5)));
        var timer = task.Assign(epoch: 3).Timers().Single();
        var handler = new PlanningRuleHandler(_log, _topics);
        (await handler.RunAsync(new DueTask(timer, 1, 1), default)).ShouldBe(TaskOutcome.Success);
        (await handler.RunAsync(new DueTask(timer, 2, 1), default)).ShouldBe(TaskOutcome.Success);

        var records = _log.Of(_topics.PlanningFeedback.Name);
        var feedback = PlanningWire.DecodeFeedback(records[0].Value);
        (feedback.UserId, feedback.IncidentId, feedback.Epoch, feedback.RuleId, feedback.At).ShouldBe(
            (Ada, Fire, 3L, RuleId(1), timer.DueAt));
        records[0].Key.ShouldBe(Ada.ToString());
        PlanningWire.DecodeFeedback(records[1].Value).Id.ShouldBe(feedback.Id);
    }

    [Fact]
    public async Task A_timer_waits_for_a_log_that_is_down_and_fails_on_a_payload_that_is_none()
    {
        var scene = new PlanningScene();
        scene.Rules(Contact([Mail], Rule(1, Mail, delay: 5)));
        var timer = scene.Assign().Timers().Single();
        var handler = new PlanningRuleHandler(_log, _topics);
        _log.FailAppends = 1;
        (await handler.RunAsync(new DueTask(timer, 1, 1), default)).ShouldBeOfType<TaskOutcome.Retry>();
        (await handler.RunAsync(new DueTask(timer with { Payload = new byte[] { 1 } }, 1, 1), default)).ShouldBeOfType<TaskOutcome.Fail>();
    }

    private PlanningFold Fold() => new(PlanningHop.Group(_topics).Name, _sources, _log, _topics, _time);

    private async Task<PlanningFold> LoadedAsync()
    {
        var fold = Fold();
        await fold.LoadAsync(default);
        return fold;
    }

    private async Task PutAsync(params OutgoingRecord[] records) => await _log.AppendAsync(records, default);

    private IReadOnlyList<LogRecord> All() =>
        [
            .. _log.Of(_topics.PlanningContactRules.Name).Take(1), .. _log.Of(_topics.PlanningAssignments.Name),
            .. _log.Of(_topics.PlanningContactRules.Name).Skip(1),
        ];

    private void CommitAll()
    {
        foreach (var source in _sources) _log.Commit(source, _log.Of(source.Topic).Count);
    }

    private OutgoingRecord Rules(ContactRules rules) =>
        new() { Topic = _topics.PlanningContactRules.Name, OrderingKey = rules.UserId.ToString(), Value = PlanningWire.Encode(rules) };

    private OutgoingRecord Assigned(Assignment assignment) => new()
    {
        Topic = _topics.PlanningAssignments.Name, OrderingKey = assignment.UserId.ToString(),
        Key = $"{assignment.UserId}/{assignment.IncidentId}", Value = PlanningWire.Encode(assignment),
    };

    private OutgoingRecord Fired(PlanningFeedback feedback) =>
        new() { Topic = _topics.PlanningFeedback.Name, OrderingKey = feedback.UserId.ToString(), Value = PlanningWire.Encode(feedback) };
}
