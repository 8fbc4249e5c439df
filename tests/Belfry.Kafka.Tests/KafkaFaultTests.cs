using Belfry.Log;
using Belfry.Testing;

namespace Belfry.Kafka.Tests;

/// <summary>What a broker's errors become, over a mock cluster inside the native client.</summary>
public sealed class KafkaFaultTests : IAsyncLifetime
{
    private const int NotCoordinator = 16;
    private const int UnknownMember = 25;
    private const int NotEnoughReplicas = 19;
    private const int TopicAuthorizationFailed = 29;
    private const int OutOfOrderSequence = 45;
    private readonly ProducerRegistry _registry = new();
    private readonly List<SpecMember> _members = [];
    private MockCluster _cluster = null!;
    private KafkaLog _log = null!;

    private static readonly TopicPartition First = new("orders", 0);

    [SkippableFact]
    public async Task An_append_that_is_not_acknowledged_in_time_is_unavailable_and_later_ones_succeed()
    {
        _cluster.FailOn(ApiKey.Produce, NotEnoughReplicas);
        await Should.ThrowAsync<LogUnavailableException>(async () => await AppendAsync("lost"));
        _cluster.Mend(ApiKey.Produce);
        await AppendAsync("kept");
        (await TextsAsync()).ShouldBe(["kept"]);
        _registry.Created.ShouldBe(1);
    }

    [SkippableFact]
    public async Task An_append_to_brokers_that_are_down_is_unavailable_in_time()
    {
        _cluster.Down();
        await Should.ThrowAsync<LogUnavailableException>(async () => await AppendAsync("lost"));
        _cluster.Up();
        await AppendAsync("kept");
        (await TextsAsync()).ShouldContain("kept");
    }

    [SkippableFact]
    public async Task A_committed_offset_asked_of_a_broker_that_no_longer_coordinates_the_group_ends_no_process()
    {
        for (var round = 0; round < 3; round++)
        {
            _cluster.FailOn(ApiKey.OffsetFetch, NotCoordinator);
            await Should.ThrowAsync<LogUnavailableException>(async () => await _log.CommittedAsync("g", First, default));
            _cluster.Mend(ApiKey.OffsetFetch);
            (await _log.CommittedAsync("g", First, default)).ShouldBeNull();
        }
    }

    [SkippableFact]
    public async Task A_slow_append_can_be_cancelled()
    {
        _cluster.SetRoundTrip(TimeSpan.FromSeconds(1.5));
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
        await AppendAsync("0");
        _cluster.SetRoundTrip(TimeSpan.FromSeconds(1.5));
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
    public async Task A_member_that_the_group_forgot_loses_all_commits_nothing_and_joins_again()
    {
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
    public async Task A_pause_does_not_outlive_a_lost_assignment()
    {
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
        await AppendAsync("0");
        await using var consumer = _log.OpenConsumer(new ConsumerGroup("g", ["orders"]));
        var broken = new BrokenListener();
        await Should.ThrowAsync<FormatException>(async () =>
        {
            for (var n = 0; n < 400; n++) await consumer.PollAsync(broken, 10, TimeSpan.FromMilliseconds(50), default);
        });
        await Should.ThrowAsync<ObjectDisposedException>(async () => await consumer.PollAsync(broken, 10, TimeSpan.Zero, default));
        var member = Join();
        await TestLog.UntilAsync(() => member.Received.Count == 1, member);
    }

    [SkippableFact]
    public async Task A_lone_member_without_brokers_is_told_so_and_goes_on_when_they_are_back()
    {
        var member = await MemberAsync(1);
        _cluster.Down();
        await Should.ThrowAsync<LogUnavailableException>(async () =>
        {
            for (var n = 0; n < 400; n++) await member.PollAsync(TimeSpan.FromMilliseconds(50));
        });
        _cluster.Up();
        await AppendAsync("back");
        await TestLog.UntilAsync(() => member.Received.Any(r => TestLog.Text(r) == "back"), member);
    }

    public async Task InitializeAsync()
    {
        _cluster = new MockCluster();
        _cluster.CreateTopic("orders", 2);
        _log = TestLog.Open(Options(), _registry);
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
        AppendTimeout = TimeSpan.FromSeconds(3),
        RequestTimeout = TimeSpan.FromSeconds(5),
        CloseTimeout = TimeSpan.FromSeconds(5),
    };

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
