using Belfry.Log;
using Belfry.Testing;

namespace Belfry.Kafka.Tests;

/// <summary>The seam's suite over a mock cluster of three brokers.</summary>
public sealed class MockLogTests : MockLogSpec
{
    [SkippableFact]
    public override Task The_next_owner_reads_nothing_until_the_revocation_has_returned()
    {
        LetTheLeaderHearLast();
        return base.The_next_owner_reads_nothing_until_the_revocation_has_returned();
    }

    [SkippableFact]
    public override Task A_partition_that_stays_is_not_read_twice()
    {
        LetTheLeaderHearLast();
        return base.A_partition_that_stays_is_not_read_twice();
    }

    /// <summary>
    /// The mock answers a member with "invalid request" that asks for its share (SyncGroup) after the group's leader did, which brokers do
    /// not; it joins once more, and meanwhile the mock refuses commits, which brokers do not either. So the leader, which is the first
    /// member, hears of the second rebalance, its second request to join and the third of all, later than the other.
    /// </summary>
    private void LetTheLeaderHearLast()
    {
        Cluster.MoveCoordinator(Name("g"), 1);
        Cluster.DelayThird(ApiKey.JoinGroup, 1, TimeSpan.FromSeconds(1));
    }
}

/// <summary>
/// The same while many requests of each kind are answered with an error that a broker gives for a moment, or with an ended connection, and
/// every answer takes its time. Whoever heeds "unavailable, retryable" notices nothing but the delay.
/// </summary>
public sealed class MockLogUnderErrorsTests : MockLogSpec
{
    private const int Transport = -195;
    private const int LeaderNotAvailable = 5;
    private const int NotLeader = 6;
    private const int RequestTimedOut = 7;
    private const int CoordinatorLoads = 14;
    private const int NotEnoughReplicas = 19;
    private const int RebalanceInProgress = 27;
    private const int Rounds = 200;

    // 0 is a request that is served. All of these pass, by Kafka's protocol: the client, or the caller, asks again.
    private static readonly Dictionary<ApiKey, int[]> Always = new()
    {
        // No ended connections here: the mock takes a repetition for a new batch, but of transactions.
        [ApiKey.Produce] = [NotEnoughReplicas, 0, 0, RequestTimedOut, 0, 0, 0, NotLeader, 0, 0, 0],
        [ApiKey.Fetch] = [0, 0, NotLeader, 0, 0, 0, 0, Transport, 0, 0, 0, 0, LeaderNotAvailable, 0, 0],
        [ApiKey.ListOffsets] = [LeaderNotAvailable, 0, 0, NotLeader, 0, 0, Transport, 0, 0],
        [ApiKey.OffsetCommit] = [CoordinatorLoads, 0, 0, RequestTimedOut, 0],
        [ApiKey.OffsetFetch] = [CoordinatorLoads, 0, 0, 0],
    };

    /// <summary>This suite takes the longest of all as it is.</summary>
    protected override TimeSpan Session => TimeSpan.FromSeconds(2.5);

    internal override Task TroubleAsync(MockCluster cluster, MockedLog log, CancellationToken cancel)
    {
        // Once, for it makes the group form anew. No more of that kind, nor any that makes a member look for its coordinator later on: the
        // mock ends the process when one that waits to be let in comes by another connection. KafkaFaultTests has what can be had.
        cluster.Fail(ApiKey.SyncGroup, RebalanceInProgress);
        foreach (var (key, errors) in Always)
            for (var n = 0; n < Rounds; n++) cluster.Fail(key, errors);
        cluster.SetRoundTrip(TimeSpan.FromMilliseconds(5));
        return Task.CompletedTask;
    }

    [Fact(Skip = NoCommitWhileForming)]
    public override Task A_partition_that_stays_is_not_read_twice() => Task.CompletedTask;

    [Fact(Skip = NoCommitWhileForming)]
    public override Task The_next_owner_reads_nothing_until_the_revocation_has_returned() => Task.CompletedTask;
}

/// <summary>
/// The same while every 0.7 s all partitions get another leader. Not the groups: the mock ends the process when a member that waits
/// to be let in knocks at another coordinator; <see cref="KafkaFaultTests"/> moves one under a group that has formed.
/// </summary>
public sealed class MockLogOnTheMoveTests : MockLogSpec
{
    private const string NoEpochOfCommits =
        "the mock does not know where a leader's epoch ended that wrote nothing, and the client takes an offset for cut off";

    // Not what the client waits before it asks a leader again for a partition's start, 500 ms: it would come too late each time.
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(700);

    [Fact(Skip = NoEpochOfCommits)]
    public override Task A_partition_handed_over_without_a_commit_is_read_again_from_the_committed_offset() => Task.CompletedTask;

    [Fact(Skip = NoEpochOfCommits)]
    public override Task A_group_whose_next_record_was_removed_goes_on_with_the_first_that_remains() => Task.CompletedTask;

    [Fact(Skip = NoEpochOfCommits)]
    public override Task A_group_resumes_at_its_committed_offset() => Task.CompletedTask;

    [Fact(Skip = NoCommitWhileForming)]
    public override Task A_partition_that_stays_is_not_read_twice() => Task.CompletedTask;

    [Fact(Skip = NoCommitWhileForming)]
    public override Task The_next_owner_reads_nothing_until_the_revocation_has_returned() => Task.CompletedTask;

    internal override async Task TroubleAsync(MockCluster cluster, MockedLog log, CancellationToken cancel)
    {
        for (var step = 0; !cancel.IsCancellationRequested; step++)
        {
            foreach (var topic in log.Topics)
                for (var n = 0; n < topic.Partitions; n++) cluster.MoveLeader(topic.Name, n, 1 + ((step + n) % Brokers));
            await Task.WhenAny(Task.Delay(Rest, Time, cancel));
        }
    }
}

public abstract class MockLogSpec : LogSpec
{
    protected const int Brokers = 3;
    protected static readonly TimeProvider Time = TimeProvider.System;
    protected const string NoCommitWhileForming =
        "members join anew in this weather, and the mock refuses the commits of a group that forms, which brokers accept";

    private const string NoCompaction = "the mock cluster does not compact";
    private readonly CancellationTokenSource _end = new();
    private Task _trouble = Task.CompletedTask;
    private MockCluster? _cluster;
    private KafkaLog? _kafka;
    private MockedLog? _mocked;

    internal MockCluster Cluster => _cluster!;

    /// <summary>
    /// A rebalance of the mock takes a session less a second, and who has not heard of it by then is out: as on a machine that stands still
    /// for longer. Each second more costs a suite nearly a minute.
    /// </summary>
    protected virtual TimeSpan Session => TimeSpan.FromSeconds(4);

    protected override TimeSpan PollWait => TimeSpan.FromMilliseconds(20);

    protected override TimeSpan Patience => TimeSpan.FromSeconds(60);

    protected override Task<IPartitionedLog> OpenAsync()
    {
        _cluster = new MockCluster(Brokers);
        _kafka = TestLog.Open(TestLog.Options(_cluster.Bootstrap) with
        {
            SessionTimeout = Session,
            HeartbeatInterval = TimeSpan.FromMilliseconds(100),
            ClientSettings = new Dictionary<string, string>
            {
                ["retry.backoff.ms"] = "20",
                ["reconnect.backoff.ms"] = "20",

                // The mock knows no sequences: it would take a batch that follows one it has refused, as no broker does, and the client
                // then counts both as taken.
                ["max.in.flight"] = "1",
            },
        });
        _mocked = new MockedLog(_kafka, _cluster, Time);
        _trouble = TroubleAsync(_cluster, _mocked, _end.Token);
        return Task.FromResult<IPartitionedLog>(new PatientLog(_mocked, Time));
    }

    /// <summary>What befalls the cluster, from the start on or until cancelled.</summary>
    internal virtual Task TroubleAsync(MockCluster cluster, MockedLog log, CancellationToken cancel) => Task.CompletedTask;

    protected override Task PassAsync(TimeSpan length) => Task.Delay(length, Time);

    protected override Task CleanAsync() => _mocked!.RemoveAgedAsync(Log);

    protected override async Task CloseAsync()
    {
        await _end.CancelAsync();
        await _trouble;
        _end.Dispose();
        if (_kafka is not null) await _kafka.DisposeAsync();
        _cluster?.Dispose();
    }

    [Fact(Skip = NoCompaction)]
    public override Task Compaction_keeps_the_newest_record_of_each_key_at_its_offset() => Task.CompletedTask;

    [Fact(Skip = NoCompaction)]
    public override Task Compaction_never_ages_out_the_newest_record() => Task.CompletedTask;

    [Fact(Skip = NoCompaction)]
    public override Task A_tombstone_stays_for_the_retention_and_then_goes() => Task.CompletedTask;
}
