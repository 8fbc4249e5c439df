using Belfry.Log;
using Shouldly;
using Xunit;

namespace Belfry.Testing;

/// <summary>Consumer groups: assignment, positions, pauses, hand-over.</summary>
public abstract partial class LogSpec
{
    [SkippableFact]
    public virtual async Task The_first_polls_assign_all_partitions_to_a_lone_member()
    {
        await DeclareAsync("orders", 3);
        var member = Join("g", "orders");
        member.Owned.ShouldBeEmpty();
        await UntilAsync(() => member.Owned.Count == 3, member);
        member.Owned.ShouldBe([At("orders", 0), At("orders", 1), At("orders", 2)]);
    }

    [SkippableFact]
    public virtual async Task A_group_that_never_committed_starts_at_the_start()
    {
        await DeclareAsync("orders", 2);
        await FillAsync("orders", 2, 5);
        var member = Join("g", "orders");
        await UntilAsync(() => member.Received.Count == 10, member);
        member.Received.Where(r => r.Source.Partition == 0).Select(Text).ShouldBe(["0:0", "0:1", "0:2", "0:3", "0:4"]);
        (await Log.CommittedAsync(Name("g"), At("orders", 0), default)).ShouldBeNull();
    }

    [SkippableFact]
    public virtual async Task Polls_hand_out_every_record_once_in_order_and_never_more_than_the_maximum()
    {
        await DeclareAsync("orders", 1);
        await AppendAsync("orders", [.. Enumerable.Range(0, 50).Select(n => $"{n}")]);
        var member = Join("g", "orders");
        await UntilAsync(() => member.Received.Count >= 50, 7, member);
        member.Received.Select(Text).ShouldBe(Enumerable.Range(0, 50).Select(n => $"{n}"));
    }

    [SkippableFact]
    public virtual async Task A_record_appended_later_is_handed_out()
    {
        await DeclareAsync("orders", 1);
        var member = Join("g", "orders");
        await UntilAsync(() => member.Owned.Count == 1, member);
        await AppendAsync("orders", "1");
        await UntilAsync(() => member.Received.Count == 1, member);
        await AppendAsync("orders", "2");
        await UntilAsync(() => member.Received.Count == 2, member);
        member.Received.Select(Text).ShouldBe(["1", "2"]);
    }

    [SkippableFact]
    public virtual async Task A_waiting_poll_wakes_when_a_record_is_appended()
    {
        await DeclareAsync("orders", 1);
        var member = Join("g", "orders");
        await UntilAsync(() => member.Owned.Count == 1, member);
        var poll = member.PollAsync(TimeSpan.FromMinutes(10));
        await AppendAsync("orders", "1");
        var records = await poll.WaitAsync(Patience, TimeProvider.System);
        records.Select(Text).ShouldBe(["1"]);
    }

    [SkippableFact]
    public virtual async Task A_poll_without_records_returns_empty_after_its_wait()
    {
        await DeclareAsync("orders", 1);
        var member = Join("g", "orders");
        await UntilAsync(() => member.Owned.Count == 1, member);
        var poll = member.PollAsync(TimeSpan.FromMilliseconds(50));
        await PassAsync(TimeSpan.FromMilliseconds(50));
        (await poll.WaitAsync(Patience, TimeProvider.System)).ShouldBeEmpty();
    }

    [SkippableFact]
    public virtual async Task A_waiting_poll_can_be_cancelled_and_loses_nothing()
    {
        await DeclareAsync("orders", 1);
        var member = Join("g", "orders");
        await UntilAsync(() => member.Owned.Count == 1, member);
        using var cancel = new CancellationTokenSource();
        var poll = member.PollAsync(TimeSpan.FromMinutes(10), cancel: cancel.Token);
        await cancel.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(async () => await poll.WaitAsync(Patience, TimeProvider.System));
        await AppendAsync("orders", "1");
        await UntilAsync(() => member.Received.Count == 1, member);
    }

    [SkippableFact]
    public virtual async Task A_group_resumes_at_its_committed_offset()
    {
        await DeclareAsync("orders", 1);
        await AppendAsync("orders", "0", "1", "2", "3");
        var first = Join("g", "orders");
        await UntilAsync(() => first.Received.Count == 4, first);
        await first.Consumer.CommitAsync([new(At("orders", 0), first.Received[1].Offset + 1)], default);
        await LeaveAsync(first);
        (await Log.CommittedAsync(Name("g"), At("orders", 0), default)).ShouldBe(first.Received[1].Offset + 1);
        var second = Join("g", "orders");
        await UntilAsync(() => second.Received.Count == 2, second);
        second.Received.Select(Text).ShouldBe(["2", "3"]);
    }

    [SkippableFact]
    public virtual async Task Leaving_commits_nothing_by_itself_and_does_not_call_the_listener()
    {
        await DeclareAsync("orders", 1);
        await AppendAsync("orders", "0");
        var first = Join("g", "orders");
        await UntilAsync(() => first.Received.Count == 1, first);
        await LeaveAsync(first);
        first.EverRevoked.ShouldBeEmpty();
        first.EverLost.ShouldBeEmpty();
        (await Log.CommittedAsync(Name("g"), At("orders", 0), default)).ShouldBeNull();
    }

    [SkippableFact]
    public virtual async Task Groups_read_independently()
    {
        await DeclareAsync("orders", 2);
        await FillAsync("orders", 2, 3);
        var one = Join("g1", "orders");
        var two = Join("g2", "orders");
        await UntilAsync(() => one.Received.Count == 6 && two.Received.Count == 6, one, two);
        await one.Consumer.CommitAsync([new(At("orders", 0), 2)], default);
        (await Log.CommittedAsync(Name("g2"), At("orders", 0), default)).ShouldBeNull();
    }

    [SkippableFact]
    public virtual async Task A_group_may_read_several_topics()
    {
        await DeclareAsync("orders", 2);
        await DeclareAsync("bills", 1);
        await FillAsync("orders", 2, 1);
        await FillAsync("bills", 1, 1);
        var member = Join("g", "orders", "bills");
        await UntilAsync(() => member.Received.Count == 3, member);
        member.Owned.Count.ShouldBe(3);
    }

    [SkippableFact]
    public virtual async Task A_paused_partition_waits_while_others_go_on_and_loses_nothing()
    {
        await DeclareAsync("orders", 2);
        var member = Join("g", "orders");
        await UntilAsync(() => member.Owned.Count == 2, member);
        member.Consumer.Pause(At("orders", 0));
        await FillAsync("orders", 2, 10);
        await UntilAsync(() => member.OffsetsOf(At("orders", 1)).Count() == 10, member);
        for (var n = 0; n < 3; n++) await member.PollAsync(PollWait);
        member.OffsetsOf(At("orders", 0)).ShouldBeEmpty();
        member.Consumer.Resume(At("orders", 0));
        await UntilAsync(() => member.OffsetsOf(At("orders", 0)).Count() == 10, member);
    }

    [SkippableFact]
    public virtual async Task A_pause_in_the_midst_of_records_goes_on_where_it_stopped()
    {
        await DeclareAsync("orders", 1);
        await AppendAsync("orders", [.. Enumerable.Range(0, 30).Select(n => $"{n}")]);
        var member = Join("g", "orders");
        await UntilAsync(() => member.Received.Count >= 10, 5, member);
        member.Consumer.Pause(At("orders", 0));
        var before = member.Received.Count;
        for (var n = 0; n < 3; n++) await member.PollAsync(PollWait, 5);
        member.Received.Count.ShouldBe(before);
        member.Consumer.Resume(At("orders", 0));
        await UntilAsync(() => member.Received.Count == 30, 5, member);
        member.Received.Select(Text).ShouldBe(Enumerable.Range(0, 30).Select(n => $"{n}"));
    }

    [SkippableFact]
    public virtual async Task Pausing_what_is_not_owned_is_a_no_op()
    {
        await DeclareAsync("orders", 1);
        var member = Join("g", "orders");
        member.Consumer.Pause(At("orders", 0));
        member.Consumer.Resume(At("orders", 0));
        member.Consumer.Pause(At("orders", 0));
        await AppendAsync("orders", "0");
        await UntilAsync(() => member.Received.Count == 1, member);
    }

    [SkippableFact]
    public virtual async Task A_commit_of_a_partition_never_owned_is_refused_as_a_whole()
    {
        await DeclareAsync("orders", 1);
        await DeclareAsync("bills", 1);
        await AppendAsync("orders", "0");
        var member = Join("g", "orders");
        await UntilAsync(() => member.Received.Count == 1, member);
        await Should.ThrowAsync<OwnershipLostException>(
            async () => await member.Consumer.CommitAsync([new(At("orders", 0), 1), new(At("bills", 0), 1)], default));
        (await Log.CommittedAsync(Name("g"), At("orders", 0), default)).ShouldBeNull();
    }

    [SkippableFact]
    public virtual async Task An_empty_commit_is_harmless()
    {
        await DeclareAsync("orders", 1);
        var member = Join("g", "orders");
        await UntilAsync(() => member.Owned.Count == 1, member);
        await member.Consumer.CommitAsync([], default);
        (await Log.CommittedAsync(Name("g"), At("orders", 0), default)).ShouldBeNull();
    }
}
