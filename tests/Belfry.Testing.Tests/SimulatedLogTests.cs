using Belfry.Log;

namespace Belfry.Testing.Tests;

public sealed class SimulatedLogTests : LogSpec
{
    private readonly ManualTime _time = new();
    private SimulatedLog _log = null!;

    protected override Task<IPartitionedLog> OpenAsync()
    {
        _log = new SimulatedLog(_time);
        return Task.FromResult<IPartitionedLog>(_log);
    }

    protected override Task PassAsync(TimeSpan length)
    {
        _time.Advance(length);
        return Task.CompletedTask;
    }

    protected override Task CleanAsync()
    {
        _log.Clean();
        return Task.CompletedTask;
    }

    [Fact]
    public async Task An_expelled_member_hears_of_the_loss_may_not_commit_and_joins_again()
    {
        await DeclareAsync("orders", 2);
        await FillAsync("orders", 2, 2);
        var member = Join("g", "orders");
        await UntilAsync(() => member.Received.Count == 4, member);
        _log.ExpelAll("g");
        await Should.ThrowAsync<OwnershipLostException>(async () => await member.Consumer.CommitAsync([new(At("orders", 0), 1)], default));
        await UntilAsync(() => member.Received.Count == 8, member);
        member.EverLost.ShouldBe([At("orders", 0), At("orders", 1)]);
        member.EverRevoked.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_member_that_takes_too_long_to_give_up_a_partition_is_expelled()
    {
        await DeclareAsync("orders", 2);
        var one = Join("g", "orders");
        await UntilAsync(() => one.Owned.Count == 2, one);
        var two = Join("g", "orders");
        await two.PollAsync(TimeSpan.Zero);
        var held = new TaskCompletionSource();
        one.OnRevoked = (_, _) => new ValueTask(held.Task);
        var poll = one.PollAsync(TimeSpan.Zero);
        await two.PollAsync(TimeSpan.Zero);
        two.Owned.ShouldBeEmpty();
        _time.Advance(_log.RevokeTimeout + TimeSpan.FromSeconds(1));
        await two.PollAsync(TimeSpan.Zero);
        two.Owned.Count.ShouldBe(2);
        held.SetResult();
        await poll;
        await UntilAsync(() => one.Owned.Count == 1 && two.Owned.Count == 1, one, two);
        one.EverLost.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_consumer_that_is_let_go_of_in_the_middle_of_a_poll_takes_nothing_any_more()
    {
        await DeclareAsync("orders", 2);
        var one = Join("g", "orders");
        await UntilAsync(() => one.Owned.Count == 2, one);
        var poll = one.PollAsync(TimeSpan.FromMinutes(1));
        await one.Consumer.DisposeAsync();
        _time.Advance(TimeSpan.FromMinutes(2));
        await Should.ThrowAsync<ObjectDisposedException>(async () => await poll);
        var two = Join("g", "orders");
        await UntilAsync(() => two.Owned.Count == 2, two);
    }

    [Fact]
    public void A_commit_that_was_under_way_while_its_partition_had_another_owner_is_refused()
    {
        var world = new SimulatedWorld(1);
        var log = new SimulatedLog(world);
        log.DeclareAsync([new TopicDeclaration("orders", 1, CleanUp.Time, TimeSpan.FromDays(7))], default).AsTask().Wait();
        var node = world.AddNode("node");
        Exception? refused = null;
        node.Start(async () =>
        {
            var member = new SpecMember(log.On(node).OpenConsumer(new ConsumerGroup("g", ["orders"])));
            while (member.Owned.Count == 0) await member.PollAsync(TimeSpan.FromSeconds(1));
            world.Faults = new FaultPlan { Slow = 1, SlowBy = TimeSpan.FromSeconds(20) };
            var commit = member.Consumer.CommitAsync([new(At("orders", 0), 0)], default);
            world.Faults = FaultPlan.None;
            log.ExpelAll("g");
            while (member.EverLost.Count == 0 || member.Owned.Count == 0) await member.PollAsync(TimeSpan.FromSeconds(1));
            try
            {
                await commit;
            }
            catch (OwnershipLostException fault)
            {
                refused = fault;
            }
        });
        world.Run(() => refused is not null, TimeSpan.FromMinutes(1)).ShouldBe(RunEnd.Reached);
    }
}

public sealed class SimulatedParkedRecordStoreTests : ParkedRecordStoreSpec
{
    protected override Task<IParkedRecordStore> OpenAsync() => Task.FromResult<IParkedRecordStore>(new SimulatedParkedRecordStore());
}
