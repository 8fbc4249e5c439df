using Belfry.Testing;

namespace Belfry.Log.Tests;

public sealed class ConsumerMonitorTests
{
    private readonly LaneCluster _cluster = new(1, partitions: 1);
    private StallingLog _log = null!;

    public ConsumerMonitorTests() => _cluster.Wrap = log => _log = new StallingLog(log);

    [Fact]
    public void A_poll_that_does_not_come_back_is_told_within_ten_seconds_and_its_consumer_replaced_within_fifteen()
    {
        var node = Started();
        _cluster.Append("before");
        _cluster.World.Run(() => _cluster.HandlerCalls == 1);
        _log.HangsPolls = true;
        _cluster.World.Run(length: TimeSpan.FromSeconds(1.1));
        _cluster.Append("after");
        var hungAt = _cluster.World.Elapsed;
        _cluster.World.Run(() => Health(node).FailsLiveness || _log.Opened == 2, TimeSpan.FromSeconds(30)).ShouldBe(RunEnd.Reached);
        (_cluster.World.Elapsed - hungAt).ShouldBeLessThanOrEqualTo(TimeSpan.FromSeconds(10.1));
        _cluster.World.Run(() => _log.Opened == 2, TimeSpan.FromSeconds(30)).ShouldBe(RunEnd.Reached);
        (_cluster.World.Elapsed - hungAt).ShouldBeLessThanOrEqualTo(TimeSpan.FromSeconds(15));
        _log.HangsPolls = false;
        _cluster.Settle(TimeSpan.FromSeconds(20));
        Health(node).FailsLiveness.ShouldBeFalse();
        _cluster.Runners[node].Status.Rebuilds.ShouldBeGreaterThanOrEqualTo(1);
    }

    [Fact]
    public void A_stop_does_not_wait_for_a_poll_that_hangs_and_drains_all_the_same()
    {
        _cluster.HandlerTimeMax = TimeSpan.FromSeconds(2);
        var node = Started();
        _log.HangsPolls = true;
        for (var n = 0; n < 20; n++) _cluster.Append($"key-{n}");
        _cluster.World.Run(() => _cluster.HandlerCalls == 20, TimeSpan.FromSeconds(30)).ShouldBe(RunEnd.Reached);
        _cluster.World.Run(() => Health(node).Partitions is [{ RunningFor: not null }], TimeSpan.FromSeconds(1));
        var stoppedAt = _cluster.World.Elapsed;
        _cluster.Stop(node);
        _cluster.World.Run(() => !_cluster.Runners[node].Status.IsRunning, TimeSpan.FromSeconds(30)).ShouldBe(RunEnd.Reached);
        (_cluster.World.Elapsed - stoppedAt).ShouldBeLessThanOrEqualTo(TimeSpan.FromSeconds(6.1));
        _cluster.Serial.Verify();
    }

    [Fact]
    public void What_runs_of_a_consumer_that_is_given_up_ends_before_another_member_begins_it()
    {
        _cluster.HandlerTimeMax = TimeSpan.FromSeconds(4.5);
        var node = Started();
        var stalling = _log;
        for (var n = 0; n < 20; n++) _cluster.Append($"key-{n}");
        _cluster.World.Run(() => _cluster.HandlerCalls == 20, TimeSpan.FromSeconds(30)).ShouldBe(RunEnd.Reached);
        stalling.HangsPolls = true;
        // The next poll hangs.
        _cluster.World.Run(length: TimeSpan.FromSeconds(1.1));
        _cluster.StartNode();
        _cluster.Stop(node);
        _cluster.World.Run(() => !_cluster.Runners[node].Status.IsRunning, TimeSpan.FromSeconds(30)).ShouldBe(RunEnd.Reached);
        _cluster.Settle(TimeSpan.FromSeconds(30));
        _cluster.HandlerCalls.ShouldBeGreaterThan(20, "what ran at the first was not committed");
        _cluster.Verify();
    }

    [Fact]
    public void Consumers_that_hang_one_after_another_are_opened_ever_more_seldom_and_it_is_told_all_the_while()
    {
        var node = Started();
        _log.HangsPolls = true;
        _cluster.World.Run(length: TimeSpan.FromMinutes(5));
        Health(node).FailsLiveness.ShouldBeTrue();
        var opened = _log.Opened;
        opened.ShouldBeGreaterThanOrEqualTo(6);
        _cluster.World.Run(length: TimeSpan.FromHours(1));
        (_log.Opened - opened).ShouldBeInRange(30, 60);
        Health(node).FailsLiveness.ShouldBeTrue();
        _log.HangsPolls = false;
        _cluster.Append("after");
        _cluster.Settle(TimeSpan.FromMinutes(3));
    }

    [Fact]
    public void A_drain_at_a_revocation_is_no_stalled_poll()
    {
        var cluster = new LaneCluster(1, partitions: 2) { HandlerTimeMax = TimeSpan.FromSeconds(45) };
        cluster.Options = cluster.Options with { DrainBudget = TimeSpan.FromSeconds(20) };
        var node = cluster.StartNode();
        for (var n = 0; n < 50; n++) cluster.Append($"key-{n}");
        cluster.World.Run(() => cluster.HandlerCalls == 50);
        var second = cluster.StartNode();
        cluster.World.Run(() => cluster.Monitors[node].Healths[0].FailsLiveness, TimeSpan.FromSeconds(40)).ShouldBe(RunEnd.TimeUp);
        cluster.Runners[second].Status.Partitions.Count.ShouldBe(1, "there was a revocation");
        cluster.Runners[node].Status.Rebuilds.ShouldBe(0);
    }

    [Fact]
    public void A_process_that_was_frozen_is_live_and_keeps_its_consumer()
    {
        var node = Started();
        _cluster.Append("before");
        _cluster.World.Run(() => _cluster.HandlerCalls == 1);
        for (var n = 0; n < 5; n++)
        {
            _cluster.World.Run(length: TimeSpan.FromSeconds(30.7));
            _cluster.Freeze(node, TimeSpan.FromSeconds(60));
            _cluster.World.Run(() => !node.IsFrozen && Health(node).FailsLiveness, TimeSpan.FromSeconds(90)).ShouldBe(RunEnd.TimeUp);
        }

        _cluster.Append("after");
        _cluster.Settle(TimeSpan.FromSeconds(20));
        (_cluster.Runners[node].Status.Rebuilds, _log.Opened).ShouldBe((0, 1));
    }

    [Fact]
    public void A_leaked_pause_is_ended_without_a_new_consumer()
    {
        var node = StartedPaused();
        _cluster.World.Run(() => Health(node).Class == StallClass.Fetch, TimeSpan.FromMinutes(3)).ShouldBe(RunEnd.Reached);
        _cluster.Settle(TimeSpan.FromSeconds(20));
        _log.Opened.ShouldBe(1);
        _cluster.World.Run(() => Health(node).Class == StallClass.None, TimeSpan.FromSeconds(20)).ShouldBe(RunEnd.Reached);
        Health(node).Partitions.Single().Lag.ShouldBe(0);
    }

    [Fact]
    public void A_consumer_that_fetches_nothing_any_more_is_replaced_and_nothing_is_lost()
    {
        var node = StartedPaused();
        _log.LosesResumes = true;
        _cluster.World.Run(() => Health(node).Class == StallClass.Fetch, TimeSpan.FromMinutes(3)).ShouldBe(RunEnd.Reached);
        _log.FetchesNothing = false;
        _cluster.Settle(TimeSpan.FromMinutes(1));
        _log.Opened.ShouldBe(2);
        Health(node).FailsLiveness.ShouldBeFalse();
    }

    [Fact]
    public void Where_a_second_consumer_fetches_nothing_either_another_process_must_help()
    {
        var node = StartedPaused();
        _log.LosesResumes = true;
        _cluster.World.Run(() => Health(node).FailsLiveness, TimeSpan.FromMinutes(2)).ShouldBe(RunEnd.TimeUp);
        _cluster.World.Run(() => Health(node).FailsLiveness, TimeSpan.FromMinutes(3)).ShouldBe(RunEnd.Reached);
        Health(node).Class.ShouldBe(StallClass.Fetch);
        _log.FetchesNothing = false;
        _cluster.Settle(TimeSpan.FromMinutes(3));
        _cluster.World.Run(() => !Health(node).FailsLiveness, TimeSpan.FromSeconds(20)).ShouldBe(RunEnd.Reached);
    }

    [Fact]
    public void A_handler_that_never_returns_is_told_and_the_rest_of_its_partition_goes_on()
    {
        var hang = new TaskCompletionSource();
        var node = Started();
        _cluster.Hang = (text, _) => text.StartsWith("bad", StringComparison.Ordinal) ? hang.Task : Task.CompletedTask;
        _cluster.Append("bad");
        _cluster.World.Run(() => Health(node).Class == StallClass.Handler, TimeSpan.FromMinutes(3)).ShouldBe(RunEnd.Reached);
        for (var n = 0; n < 200; n++) _cluster.World.After(TimeSpan.FromSeconds(n), "produce", () => _cluster.Append("good"));
        _cluster.World.Run(() => Health(node).Class == StallClass.Head, TimeSpan.FromMinutes(3)).ShouldBe(RunEnd.Reached);
        Health(node).Partitions.Single().RunningFor.ShouldNotBeNull().ShouldBeGreaterThan(TimeSpan.FromSeconds(60));
        Health(node).FailsLiveness.ShouldBeFalse();
        _cluster.World.Run(length: TimeSpan.FromMinutes(4));
        _cluster.Loss.Missing.ShouldBe(1);
    }

    [Fact]
    public void A_log_that_tells_no_offsets_makes_the_state_unknown_and_stops_nobody()
    {
        var node = Started();
        _log.TellsNoOffsets = true;
        for (var n = 0; n < 10; n++) _cluster.Append($"key-{n}");
        _cluster.World.Run(() => Health(node).Class == StallClass.Unknown, TimeSpan.FromMinutes(3)).ShouldBe(RunEnd.Reached);
        _cluster.Settle(TimeSpan.FromSeconds(10));
        _cluster.World.Run(() => Health(node) is { IsUnhealthy: true } or { FailsLiveness: true }, TimeSpan.FromMinutes(10))
            .ShouldBe(RunEnd.TimeUp);
    }

    [Fact]
    public void A_log_that_answers_slowly_is_asked_a_few_questions_at_once_and_all_partitions_are_known_within_one_look()
    {
        const int Partitions = 24;
        var cluster = new LaneCluster(1, partitions: Partitions) { Wrap = log => _log = new StallingLog(log) };
        var node = cluster.StartNode();
        cluster.World.Run(() => cluster.Runners[node].Status.Partitions.Count == Partitions, TimeSpan.FromSeconds(20));
        _log.BeforeOffsets = () => Task.Delay(TimeSpan.FromSeconds(1), node.Time, default);
        cluster.World.Run(length: TimeSpan.FromSeconds(30));
        var before = _log.Questions.Asked;
        cluster.World.Run(() => _log.Questions.Asked > before, TimeSpan.FromSeconds(20));
        cluster.World.Run(() => _log.Questions.Asked == before + Partitions, TimeSpan.FromSeconds(9)).ShouldBe(RunEnd.Reached);
        _log.Questions.TogetherMax.ShouldBe(3);
        cluster.World.Run(length: TimeSpan.FromSeconds(3));
        cluster.Monitors[node].Healths.Single().Partitions.Count(partition => partition.End is not null).ShouldBe(Partitions);
    }

    [Fact]
    public void A_log_that_does_not_answer_is_asked_no_more_than_three_questions_a_look_and_the_look_ends_with_one_limit()
    {
        var cluster = new LaneCluster(1, partitions: 24) { Wrap = log => _log = new StallingLog(log) };
        var node = cluster.StartNode();
        cluster.World.Run(length: TimeSpan.FromSeconds(20));
        _log.TellsNoOffsets = true;
        var before = _log.Questions.Asked;
        cluster.World.Run(() => _log.Questions.Asked > before, TimeSpan.FromSeconds(20)).ShouldBe(RunEnd.Reached);
        cluster.World.Run(length: TimeSpan.FromSeconds(36));
        (_log.Questions.Asked - before).ShouldBe(4 * 3, "looks are 10 s apart, and each of these takes 2 s");
    }

    [Fact]
    public void A_log_that_is_down_for_an_hour_is_never_unhealthy()
    {
        var node = Started();
        _cluster.World.Faults = new FaultPlan { FailBefore = 1 };
        _cluster.Append("a");
        _cluster.World.Run(() => Health(node) is { IsUnhealthy: true } or { FailsLiveness: true }, TimeSpan.FromHours(1))
            .ShouldBe(RunEnd.TimeUp);
        _cluster.World.Faults = FaultPlan.None;
        _cluster.Settle(TimeSpan.FromSeconds(20));
    }

    [Fact]
    public void Records_behind_and_their_age_are_told()
    {
        _cluster.HandlerTimeMax = TimeSpan.FromHours(1);
        var node = Started();
        for (var n = 0; n < 300; n++) _cluster.Append($"key-{n}");
        _cluster.World.Run(length: TimeSpan.FromSeconds(31));
        var partition = Health(node).Partitions.Single();
        partition.End.ShouldBe(300);
        partition.Lag.ShouldNotBeNull().ShouldBeInRange(280, 300);
        partition.LagTime.ShouldNotBeNull().TotalSeconds.ShouldBeInRange(20, 32);
    }

    private SimulatedNode Started()
    {
        var node = _cluster.StartNode();
        _cluster.World.Run(() => _cluster.Runners[node].Status.Partitions.Count > 0, TimeSpan.FromSeconds(20)).ShouldBe(RunEnd.Reached);
        return node;
    }

    private SimulatedNode StartedPaused()
    {
        _cluster.Wrap = log => _log = new StallingLog(log) { FetchesNothing = true };
        var node = Started();
        for (var n = 0; n < 10; n++) _cluster.Append($"key-{n}");
        return node;
    }

    private ConsumerHealth Health(SimulatedNode node) => _cluster.Monitors[node].Healths.Single();
}
