using Belfry.Log;
using Belfry.Testing;
using Confluent.Kafka;
using Partitioner = Belfry.Log.Partitioner;
using TopicPartition = Belfry.Log.TopicPartition;

namespace Belfry.Kafka.Tests;

/// <summary>What a broker's errors become, over a mock cluster inside the native client.</summary>
public sealed class KafkaFaultTests : IAsyncLifetime
{
    private const int Brokers = 3;
    private const int CoordinatorLoads = 14;
    private const int CoordinatorNotAvailable = 15;
    private const int NotCoordinator = 16;
    private const int UnknownMember = 25;
    private const int RebalanceInProgress = 27;
    private const int NotLeader = 6;
    private const int NotEnoughReplicas = 19;
    private const int TopicAuthorizationFailed = 29;
    private const int OutOfOrderSequence = 45;
    private ProducerRegistry _registry = null!;
    private readonly List<SpecMember> _members = [];
    private MockCluster _cluster = null!;
    private KafkaLog _log = null!;

    private static readonly TopicPartition First = new("orders", 0);

    /// <summary>For what a test waits out.</summary>
    private static readonly TimeSpan SoonOver = TimeSpan.FromSeconds(3);

    /// <summary>An answer under way for so long is not there yet, even where the machine stands still meanwhile.</summary>
    private static readonly TimeSpan LongTrip = TimeSpan.FromSeconds(8);

    /// <summary>A rebalance of the mock takes a session less a second: for tests that wait for one.</summary>
    private static readonly TimeSpan ShortSession = TimeSpan.FromSeconds(7);

    [SkippableFact]
    public async Task An_append_that_is_not_acknowledged_in_time_is_unavailable_and_later_ones_succeed()
    {
        await OpenAsync(Options() with { AppendTimeout = SoonOver });
        _cluster.FailOn(ApiKey.Produce, NotEnoughReplicas);
        await Should.ThrowAsync<LogUnavailableException>(async () => await AppendAsync("lost"));
        _cluster.Mend(ApiKey.Produce);
        await TestLog.EventuallyAsync(() => AppendAsync("kept"));
        // Once more for each time that it was not acknowledged in time.
        (await TextsAsync()).Distinct().ShouldBe(["kept"]);
        _registry.Created.ShouldBe(1);
    }

    [SkippableFact]
    public async Task An_append_to_brokers_that_are_down_is_unavailable_in_time()
    {
        await OpenAsync(Options() with { AppendTimeout = SoonOver });
        _cluster.AllDown();
        await Should.ThrowAsync<LogUnavailableException>(async () => await AppendAsync("lost"));
        _cluster.AllUp();
        await TestLog.EventuallyAsync(() => AppendAsync("kept"));
        (await TextsAsync()).ShouldContain("kept");
    }

    [SkippableFact]
    public async Task A_slow_append_can_be_cancelled()
    {
        await OpenAsync(Patient());
        _cluster.SetRoundTrip(LongTrip);
        using var cancel = new CancellationTokenSource();
        var append = _log.AppendAsync([TestLog.Record("orders", "slow")], cancel.Token).AsTask();
        await cancel.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(append);
        _cluster.SetRoundTrip(TimeSpan.Zero);
    }

    [SkippableFact]
    public async Task Errors_that_pass_are_retried_and_every_record_arrives_once_in_order()
    {
        _cluster.Fail(ApiKey.Produce, NotEnoughReplicas, NotEnoughReplicas, 7, NotEnoughReplicas);
        await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => AppendAsync("a", "b", "c")));
        var texts = await TextsAsync();
        texts.Count.ShouldBe(60);
        texts.Chunk(3).ShouldAllBe(chunk => string.Concat(chunk) == "abc");
    }

    [SkippableFact]
    public async Task A_producer_with_a_fatal_error_is_made_anew_and_what_it_held_fails()
    {
        await OpenAsync(Patient());
        await AppendAsync("0");
        _cluster.SetRoundTrip(LongTrip);
        var held = AppendAsync("held");
        MockCluster.MakeFatal(TestLog.NativeHandle(_log), OutOfOrderSequence);
        await Should.ThrowAsync<LogUnavailableException>(held);
        _cluster.SetRoundTrip(TimeSpan.Zero);
        await AppendAsync("1");
        var texts = await TextsAsync();
        texts[0].ShouldBe("0");
        texts[^1].ShouldBe("1");
        _registry.Created.ShouldBe(2);
        _registry.Alive.ShouldBe(1);
    }

    [SkippableFact]
    public async Task A_full_queue_holds_the_appends_back_and_loses_none()
    {
        await using var log = TestLog.Open(Options() with
        {
            ClientSettings = new Dictionary<string, string> { ["queue.buffering.max.messages"] = "5" },
        });
        await log.DeclareAsync([TestLog.Topic("orders", 2)], default);
        var appends = Enumerable.Range(0, 10).Select(call => log.AppendAsync(
            [.. Enumerable.Range(0, 20).Select(n => TestLog.Record("orders", $"{call}:{n}"))], default).AsTask());
        await Task.WhenAll(appends);
        var texts = await TextsAsync();
        texts.Count.ShouldBe(200);
        foreach (var call in texts.GroupBy(text => text.Split(':')[0]))
            call.Select(text => int.Parse(text.Split(':')[1])).ShouldBe(Enumerable.Range(0, 20));
    }

    /// <summary>The client's call for both ends at once says (3, 3) of three records when one of its two requests fails in time.</summary>
    [SkippableFact]
    public async Task A_partition_never_looks_empty_because_the_question_for_one_of_its_ends_failed()
    {
        await AppendAsync("0", "1", "2");
        var answers = 0;
        for (var round = 0; round < 40; round++)
        {
            _cluster.Mend(ApiKey.ListOffsets);
            _cluster.Fail(ApiKey.ListOffsets, [.. Enumerable.Repeat(0, round % 3), NotLeader]);
            try
            {
                (await _log.OffsetsAsync(First, default)).ShouldBe((0, 3));
                (await _log.ReadAsync(First, 0, 10, default)).Count.ShouldBe(3);
                answers++;
            }
            catch (LogUnavailableException)
            {
                // Says that it does not know.
            }
        }

        _cluster.Mend(ApiKey.ListOffsets);
        (await _log.OffsetsAsync(First, default)).ShouldBe((0, 3));
        answers.ShouldBeLessThan(40, "requests did fail");
    }

    [SkippableFact]
    public async Task One_commit_that_fails_is_unavailable_and_the_next_succeeds()
    {
        var member = await MemberAsync(2);
        _cluster.Fail(ApiKey.OffsetCommit, TopicAuthorizationFailed);
        await Should.ThrowAsync<LogUnavailableException>(async () => await member.Consumer.CommitAsync([new(First, 1)], default));
        member.Owned.Count.ShouldBe(2);
        await member.Consumer.CommitAsync([new(First, 2)], default);
        (await _log.CommittedAsync("g", First, default)).ShouldBe(2);
    }

    [SkippableFact]
    public async Task Polls_go_on_while_a_commit_waits_for_its_answer()
    {
        await OpenAsync(Patient());
        var member = await MemberAsync(2);
        _cluster.SetRoundTrip(LongTrip);
        var commit = member.Consumer.CommitAsync([new(First, 1)], default).AsTask();
        await member.PollAsync(TimeSpan.FromMilliseconds(20));
        commit.IsCompleted.ShouldBeFalse();
        await commit;
        _cluster.SetRoundTrip(TimeSpan.Zero);
        (await _log.CommittedAsync("g", First, default)).ShouldBe(1);
    }

    [SkippableFact]
    public async Task A_member_that_the_group_forgot_loses_all_commits_nothing_and_joins_again()
    {
        await OpenAsync(Options() with { SessionTimeout = ShortSession });
        var member = await MemberAsync(2);
        _cluster.Fail(ApiKey.OffsetCommit, UnknownMember);
        await Should.ThrowAsync<OwnershipLostException>(async () => await member.Consumer.CommitAsync([new(First, 1)], default));
        _cluster.Fail(ApiKey.Heartbeat, UnknownMember);
        await TestLog.UntilAsync(() => member.EverLost.Count == 2, member);
        await TestLog.UntilAsync(() => member.EverAssigned.Count == 4, member);
        member.EverRevoked.ShouldBeEmpty();
        (await _log.CommittedAsync("g", First, default)).ShouldBeNull();
        await TestLog.UntilAsync(() => member.Received.Count == 8, member);
    }

    [SkippableFact]
    public async Task A_group_that_cannot_form_at_once_forms_in_the_end_and_reads_each_record_once()
    {
        await OpenAsync(Options() with { SessionTimeout = ShortSession });
        _cluster.Fail(ApiKey.FindCoordinator, CoordinatorNotAvailable);
        _cluster.Fail(ApiKey.JoinGroup, CoordinatorLoads, NotCoordinator);
        _cluster.Fail(ApiKey.SyncGroup, RebalanceInProgress);
        _cluster.Fail(ApiKey.OffsetFetch, CoordinatorLoads);
        var member = await MemberAsync(3);
        member.EverLost.ShouldBeEmpty();
        member.OffsetsOf(First).ShouldBe([0, 1, 2]);
    }

    [SkippableFact]
    public async Task A_pause_does_not_outlive_a_lost_assignment()
    {
        await OpenAsync(Options() with { SessionTimeout = ShortSession });
        var member = await MemberAsync(1);
        member.Consumer.Pause(First);
        await member.PollAsync(TimeSpan.FromMilliseconds(20));
        _cluster.Fail(ApiKey.Heartbeat, UnknownMember);
        await TestLog.UntilAsync(() => member.EverLost.Contains(First) && member.EverAssigned.Count == 4, member);
        await AppendAsync("after");
        await TestLog.UntilAsync(() => member.Received.Any(r => r.Source == First && TestLog.Text(r) == "after"), member);
    }

    [SkippableFact]
    public async Task A_listener_that_throws_ends_the_consumer_and_the_next_one_gets_all()
    {
        await OpenAsync(Options() with { SessionTimeout = ShortSession });
        await AppendAsync("0");
        await using var consumer = _log.OpenConsumer(new ConsumerGroup("g", ["orders"]));
        var broken = new BrokenListener();
        await Should.ThrowAsync<FormatException>(async () =>
        {
            for (var n = 0; n < 1_200; n++) await consumer.PollAsync(broken, 10, TimeSpan.FromMilliseconds(50), default);
        });
        await Should.ThrowAsync<ObjectDisposedException>(async () => await consumer.PollAsync(broken, 10, TimeSpan.Zero, default));
        var member = Join();
        await TestLog.UntilAsync(() => member.Received.Count == 1, member);
    }

    [SkippableFact]
    public async Task A_lone_member_without_brokers_is_told_so_and_goes_on_when_they_are_back()
    {
        var member = await MemberAsync(1);
        _cluster.AllDown();
        await Should.ThrowAsync<LogUnavailableException>(async () =>
        {
            for (var n = 0; n < 1_200; n++) await member.PollAsync(TimeSpan.FromMilliseconds(50));
        });
        _cluster.AllUp();
        await TestLog.EventuallyAsync(() => AppendAsync("back"));
        await TestLog.UntilAsync(() => member.Received.Any(r => TestLog.Text(r) == "back"), member);
    }

    [SkippableFact]
    public async Task A_coordinator_that_moves_under_a_group_is_followed_and_nothing_is_read_twice()
    {
        var member = await MemberAsync(1);
        for (var round = 1; round <= 3; round++)
        {
            _cluster.MoveCoordinator("g", 1 + (round % Brokers));
            await AppendAsync($"round {round}");
            await TestLog.UntilAsync(() => member.Received.Count == 2 + round, member);
            var next = member.Received[^1].Offset + 1;
            await CommittedAsync(member, next);
            (await _log.CommittedAsync("g", First, default)).ShouldBe(next);
        }

        member.EverLost.ShouldBeEmpty();
        member.EverRevoked.ShouldBeEmpty();
    }

    [SkippableFact]
    public async Task Brokers_that_go_and_come_by_turns_cost_no_record_and_no_order()
    {
        var member = await MemberAsync(1);
        for (var round = 0; round < Brokers; round++)
        {
            var broker = 1 + round;
            for (var n = 0; n < 2; n++) _cluster.MoveLeader("orders", n, broker);
            await AppendAsync($"{2 * round}");
            _cluster.Down(broker);
            var append = AppendAsync($"{(2 * round) + 1}");
            for (var n = 0; n < 2; n++) _cluster.MoveLeader("orders", n, 1 + ((round + 1) % Brokers));
            _cluster.Up(broker);
            await append;
        }

        await TestLog.UntilAsync(() => member.Received.Count(r => r.Source == First) >= 1 + (2 * Brokers), member);
        (await TextsAsync()).Where(text => !text.Contains(':', StringComparison.Ordinal)).ShouldBe(
            Enumerable.Range(0, 2 * Brokers).Select(n => $"{n}"));
        member.OffsetsOf(First).Distinct().ShouldBe(Enumerable.Range(0, 1 + (2 * Brokers)).Select(n => (long)n));
    }

    [SkippableFact]
    public async Task A_committed_offset_is_told_again_once_the_brokers_are_back()
    {
        await OpenAsync(Options() with { RequestTimeout = SoonOver });
        var member = await MemberAsync(2);
        await member.Consumer.CommitAsync([new(First, 2)], default);
        (await _log.CommittedAsync("g", First, default)).ShouldBe(2);
        _cluster.AllDown();
        await Should.ThrowAsync<LogUnavailableException>(async () => await _log.CommittedAsync("g", First, default));
        _cluster.AllUp();
        await TestLog.EventuallyAsync(async () => (await _log.CommittedAsync("g", First, default)).ShouldBe(2));
    }

    public async Task InitializeAsync()
    {
        _cluster = new MockCluster(Brokers);
        _cluster.CreateTopic("orders", 2);
        await OpenAsync(Options());
    }

    private async Task OpenAsync(KafkaLogOptions options)
    {
        if (_log is not null) await _log.DisposeAsync();
        _registry = new ProducerRegistry();
        _log = TestLog.Open(options, _registry);
        await _log.DeclareAsync([TestLog.Topic("orders", 2)], default);
    }

    public async Task DisposeAsync()
    {
        foreach (var member in _members) await member.DisposeAsync();
        await _log.DisposeAsync();
        _cluster.Dispose();
    }

    private KafkaLogOptions Options() => TestLog.Options(_cluster.Bootstrap) with
    {
        SessionTimeout = TimeSpan.FromSeconds(20),
        AppendTimeout = TimeSpan.FromSeconds(15),
        RequestTimeout = TimeSpan.FromSeconds(20),
        CloseTimeout = TimeSpan.FromSeconds(5),
    };

    /// <summary>Outlasts <see cref="LongTrip"/>.</summary>
    private KafkaLogOptions Patient()
    {
        var patience = TimeSpan.FromSeconds(30);
        return Options() with { AppendTimeout = patience, RequestTimeout = patience, BrokerAnswerMax = patience };
    }

    private SpecMember Join()
    {
        var member = new SpecMember(_log.OpenConsumer(new ConsumerGroup("g", ["orders"])));
        _members.Add(member);
        return member;
    }

    /// <summary>A member that owns both partitions and has read <paramref name="each"/> records of both.</summary>
    private async Task<SpecMember> MemberAsync(int each)
    {
        await TestLog.FillAsync(_log, "orders", 2, each);
        var member = Join();
        await TestLog.UntilAsync(() => member.Received.Count == 2 * each, member);
        return member;
    }

    /// <summary>As the runner does: a commit that fails is made again.</summary>
    private async Task CommittedAsync(SpecMember member, long next)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                await member.Consumer.CommitAsync([new(First, next)], default);
                return;
            }
            catch (LogUnavailableException) when (tries < 20)
            {
                await member.PollAsync(TimeSpan.FromMilliseconds(50));
            }
        }
    }

    /// <summary>All under one key whose partition is the first.</summary>
    private Task AppendAsync(params string[] values) =>
        _log.AppendAsync([.. values.Select(value => TestLog.Record("orders", value, Key))], default).AsTask();

    private static string Key { get; } =
        Enumerable.Range(0, 100).Select(n => $"key-{n}").First(key => Partitioner.PartitionOf(key, 2) == 0);

    private async Task<List<string>> TextsAsync()
    {
        var records = new List<LogRecord>();
        for (var n = 0; n < 2; n++) records.AddRange(await _log.ReadAsync(new TopicPartition("orders", n), 0, 1_000, default));
        return [.. records.Select(TestLog.Text)];
    }

    private sealed class BrokenListener : IAssignmentListener
    {
        public void Assigned(IReadOnlyList<TopicPartition> partitions) => throw new FormatException("mine");

        public ValueTask RevokedAsync(ILogConsumer consumer, IReadOnlyList<TopicPartition> partitions) => ValueTask.CompletedTask;

        public void Lost(IReadOnlyList<TopicPartition> partitions)
        {
        }
    }
}
