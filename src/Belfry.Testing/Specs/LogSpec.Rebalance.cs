using Belfry.Log;
using Shouldly;
using Xunit;

namespace Belfry.Testing;

/// <summary>Several members of one group: shares, revocation, hand-over, co-partitioning.</summary>
public abstract partial class LogSpec
{
    [SkippableFact]
    public virtual async Task Two_members_share_the_partitions_evenly_and_read_all_between_them()
    {
        await DeclareAsync("orders", 4);
        var (one, two) = await TwoMembersAsync("orders");
        await FillAsync("orders", 4, 5);
        await UntilAsync(() => one.Received.Count + two.Received.Count == 20, one, two);
        one.Owned.Overlaps(two.Owned).ShouldBeFalse();
        one.Owned.Count.ShouldBe(2);
        two.Owned.Count.ShouldBe(2);
    }

    [SkippableFact]
    public virtual async Task The_next_owner_reads_nothing_until_the_revocation_has_returned()
    {
        await DeclareAsync("orders", 2);
        await FillAsync("orders", 2, 3);
        var one = Join("g", "orders");
        await UntilAsync(() => one.Received.Count == 6, one);
        var two = Join("g", "orders");
        var calls = 0;
        one.OnRevoked = async (consumer, partitions) =>
        {
            calls++;
            for (var n = 0; n < 5; n++) (await two.PollAsync(TimeSpan.Zero)).ShouldBeEmpty();
            two.Owned.Overlaps(partitions).ShouldBeFalse();
            await consumer.CommitAsync([.. partitions.Select(p => new KeyValuePair<TopicPartition, long>(p, 2))], default);
        };
        await UntilAsync(() => two.Received.Count == 1, one, two);
        calls.ShouldBe(1);
        two.Received.Single().Offset.ShouldBe(2);
    }

    [SkippableFact]
    public virtual async Task A_partition_handed_over_without_a_commit_is_read_again_from_the_committed_offset()
    {
        await DeclareAsync("orders", 2);
        await FillAsync("orders", 2, 3);
        var one = Join("g", "orders");
        await UntilAsync(() => one.Received.Count == 6, one);
        await one.Consumer.CommitAsync([new(At("orders", 0), 1), new(At("orders", 1), 1)], default);
        var two = Join("g", "orders");
        await UntilAsync(() => two.Received.Count == 2, one, two);
        two.Received.Select(r => r.Offset).ShouldBe([1, 2]);
    }

    [SkippableFact]
    public virtual async Task A_partition_that_stays_is_not_read_twice()
    {
        await DeclareAsync("orders", 2);
        await FillAsync("orders", 2, 3);
        var one = Join("g", "orders");
        await UntilAsync(() => one.Received.Count == 6, one);
        one.OnRevoked = (consumer, partitions) =>
            consumer.CommitAsync([.. partitions.Select(p => new KeyValuePair<TopicPartition, long>(p, 3))], default);
        var two = Join("g", "orders");
        await UntilAsync(() => two.Owned.Count == 1 && one.Owned.Count == 1, one, two);
        await FillAsync("orders", 2, 1);
        await UntilAsync(() => one.Received.Count + two.Received.Count == 8, one, two);
        two.Received.Select(r => r.Offset).ShouldBe([3]);
        one.Received.Count(r => r.Offset == 3).ShouldBe(1);
    }

    [SkippableFact]
    public virtual async Task A_commit_of_a_partition_that_moved_away_is_refused()
    {
        await DeclareAsync("orders", 2);
        var (one, two) = await TwoMembersAsync("orders");
        var moved = two.Owned.Single();
        await Should.ThrowAsync<OwnershipLostException>(async () => await one.Consumer.CommitAsync([new(moved, 0)], default));
        (await Log.CommittedAsync(Name("g"), moved, default)).ShouldBeNull();
    }

    [SkippableFact]
    public virtual async Task What_a_member_that_left_had_goes_to_the_others()
    {
        await DeclareAsync("orders", 4);
        var (one, two) = await TwoMembersAsync("orders");
        await LeaveAsync(one);
        await UntilAsync(() => two.Owned.Count == 4, two);
        await FillAsync("orders", 4, 1);
        await UntilAsync(() => two.Received.Count == 4, two);
    }

    [SkippableFact]
    public virtual async Task A_pause_does_not_outlive_the_ownership()
    {
        await DeclareAsync("orders", 2);
        var one = Join("g", "orders");
        await UntilAsync(() => one.Owned.Count == 2, one);
        foreach (var partition in one.Owned) one.Consumer.Pause(partition);
        var two = Join("g", "orders");
        await UntilAsync(() => two.Owned.Count == 1 && one.Owned.Count == 1, one, two);
        var moved = two.Owned.Single();
        await LeaveAsync(two);
        await UntilAsync(() => one.Owned.Count == 2, one);
        await FillAsync("orders", 2, 2);
        await UntilAsync(() => one.OffsetsOf(moved).Count() == 2, one);
        // What the other partition's pause is worth ends with a loss of its ownership as well, which a log may bring at any time.
        one.Received.Where(r => !one.EverLost.Contains(r.Source)).ShouldAllBe(r => r.Source == moved);
    }

    [SkippableFact]
    public virtual async Task More_members_than_partitions_leaves_some_without_any()
    {
        await DeclareAsync("orders", 1);
        var (one, two) = (Join("g", "orders"), Join("g", "orders"));
        await AppendAsync("orders", "0", "1");
        await UntilAsync(() => one.Received.Count + two.Received.Count >= 2, one, two);
        for (var n = 0; n < 5; n++)
        {
            await one.PollAsync(PollWait);
            await two.PollAsync(PollWait);
        }

        (one.Owned.Count + two.Owned.Count).ShouldBe(1);
    }

    [SkippableFact]
    public virtual async Task Co_partitioned_topics_give_partition_n_of_all_to_one_member()
    {
        await DeclareAsync("orders", 4);
        await DeclareAsync("bills", 4);
        var group = new ConsumerGroup(Name("g"), [Name("orders"), Name("bills")], CoPartitioned: true);
        var one = Join(group);
        await UntilAsync(() => one.Owned.Count == 8, one);
        var two = Join(group);
        await UntilAsync(() => one.Owned.Count == 4 && two.Owned.Count == 4, one, two);
        foreach (var member in new[] { one, two })
        {
            var orders = member.Owned.Where(p => p.Topic == Name("orders")).Select(p => p.Partition);
            orders.ShouldBe(member.Owned.Where(p => p.Topic == Name("bills")).Select(p => p.Partition));
        }

        await FillAsync("orders", 4, 1);
        await FillAsync("bills", 4, 1);
        await UntilAsync(() => one.Received.Count == 4 && two.Received.Count == 4, one, two);
    }

    [SkippableFact]
    public virtual async Task Members_may_come_and_go_again_and_again_without_losing_a_partition()
    {
        await DeclareAsync("orders", 3);
        var stays = Join("g", "orders");
        for (var round = 0; round < 3; round++)
        {
            var guest = Join("g", "orders");
            await UntilAsync(() => guest.Owned.Count >= 1 && guest.Owned.Count + stays.Owned.Count == 3, stays, guest);
            await LeaveAsync(guest);
            await UntilAsync(() => stays.Owned.Count == 3, stays);
        }

        await FillAsync("orders", 3, 1);
        await UntilAsync(() => stays.Received.Count == 3, stays);
    }

    protected SpecMember Join(string group, params string[] topics) => Join(new ConsumerGroup(Name(group), [.. topics.Select(Name)]));

    protected SpecMember Join(ConsumerGroup group)
    {
        var member = new SpecMember(Log.OpenConsumer(group));
        _members.Add(member);
        return member;
    }

    protected async Task LeaveAsync(SpecMember member)
    {
        _members.Remove(member);
        await member.DisposeAsync();
    }

    /// <summary>Two members of group "g" that have settled: every partition owned, each owning at least one.</summary>
    protected async Task<(SpecMember One, SpecMember Two)> TwoMembersAsync(string topic)
    {
        var one = Join("g", topic);
        await UntilAsync(() => one.Owned.Count > 0, one);
        var total = one.Owned.Count;
        var two = Join("g", topic);
        await UntilAsync(() => two.Owned.Count == total / 2 && one.Owned.Count + two.Owned.Count == total, one, two);
        return (one, two);
    }

    protected Task UntilAsync(Func<bool> reached, params SpecMember[] members) => UntilAsync(reached, 500, members);

    /// <summary>Polls the members in turn until the condition holds, at most for <see cref="Patience"/>.</summary>
    protected async Task UntilAsync(Func<bool> reached, int max, params SpecMember[] members)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!reached())
        {
            if (TimeProvider.System.GetElapsedTime(started) > Patience) throw new TimeoutException(Describe(members));
            foreach (var member in members) await member.PollAsync(PollWait, max);
            await Task.Yield();
        }
    }

    private static string Describe(SpecMember[] members) => "Not reached; " + string.Join("; ", members.Select((m, at) =>
        $"member {at} owns [{string.Join(", ", m.Owned)}] and received [{string.Join(", ", m.Received.TakeLast(20))}]"));
}
