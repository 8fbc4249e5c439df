using Belfry.Log;
using Belfry.Scheduling;

namespace Belfry.Postgres.Tests;

public sealed class PostgresTaskTopicsTests
{
    private static readonly DateTimeOffset At = new(2026, 11, 27, 0, 0, 0, TimeSpan.Zero);
    private static readonly TaskTopic First = new(1, "tasks", 4);
    private static readonly TaskTopic Second = new(2, "tasks.g2", 6);

    [SkippableFact]
    public async Task A_switch_is_for_all_and_is_done_once()
    {
        await using var schema = await TestSchema.CreateAsync();
        var topics = new PostgresTaskTopics(schema.Database);
        (await topics.ListAsync(default)).ShouldBeEmpty();
        var epochs = await topics.EpochsAsync(First.Name, default);
        var both = await Task.WhenAll(
            topics.SwitchAsync(First, Second, epochs, At, default).AsTask(),
            topics.SwitchAsync(First, Second, epochs, At, default).AsTask());
        both.Order().ShouldBe([false, true]);
        (await topics.ListAsync(default)).ShouldBe([First with { IsRetired = true }, Second]);
        var third = new TaskTopic(3, "tasks.g3", 2);
        (await topics.SwitchAsync(First, third, epochs, At, default)).ShouldBeFalse("it is not the current one");
        (await topics.SwitchAsync(Second, third, epochs, At, default)).ShouldBeTrue();
        (await topics.ListAsync(default)).ShouldBe([First with { IsRetired = true }, Second with { IsRetired = true }, third]);
    }

    [SkippableFact]
    public async Task Owners_of_the_retired_topic_write_no_more_and_nobody_becomes_one()
    {
        await using var schema = await TestSchema.CreateAsync();
        var (store, topics) = (new PostgresTaskStore(schema.Database), new PostgresTaskTopics(schema.Database));
        var partition = new TaskPartition(new TopicPartition(First.Name, 1), First.Partitions);
        var owner = await store.TakeOverAsync(partition, default);
        var batch = new TaskBatch { Partition = partition, Epoch = owner.Epoch, Position = 7 };
        await store.ApplyAsync(batch, default);
        (await topics.SwitchAsync(First, Second, await topics.EpochsAsync(First.Name, default), At, default)).ShouldBeTrue();

        await Should.ThrowAsync<OwnershipLostException>(async () => await store.ApplyAsync(batch, default));
        (await Should.ThrowAsync<OwnershipLostException>(async () => await store.TakeOverAsync(partition, default)))
            .Message.ShouldContain("restart this instance");
        await Should.ThrowAsync<OwnershipLostException>(async () => await store.ApplyAsync(batch, default));
        var next = new TaskPartition(new TopicPartition(Second.Name, 1), Second.Partitions, Second.Generation);
        (await store.TakeOverAsync(next, default)).Epoch.ShouldBeGreaterThan(owner.Epoch);
    }

    [SkippableFact]
    public async Task Whoever_took_over_since_the_look_prevents_the_switch()
    {
        await using var schema = await TestSchema.CreateAsync();
        var (store, topics) = (new PostgresTaskStore(schema.Database), new PostgresTaskTopics(schema.Database));
        var partition = new TaskPartition(new TopicPartition(First.Name, 1), First.Partitions);
        var epochs = await topics.EpochsAsync(First.Name, default);
        await store.TakeOverAsync(partition, default);
        (await topics.SwitchAsync(First, Second, epochs, At, default)).ShouldBeFalse("a new owner");
        epochs = await topics.EpochsAsync(First.Name, default);
        await store.TakeOverAsync(partition, default);
        (await topics.SwitchAsync(First, Second, epochs, At, default)).ShouldBeFalse("a newer owner");
        (await topics.ListAsync(default)).ShouldBeEmpty();
    }

    [SkippableFact]
    public async Task Take_overs_beside_the_switch_come_before_it_or_are_refused()
    {
        await using var schema = await TestSchema.CreateAsync();
        var (store, topics) = (new PostgresTaskStore(schema.Database), new PostgresTaskTopics(schema.Database));
        for (var round = 0; round < 20; round++)
        {
            var (from, to) = (new TaskTopic(round + 1, $"r{round}", 4), new TaskTopic(round + 2, $"r{round + 1}", 4));
            var partition = new TaskPartition(new TopicPartition(from.Name, 0), 4, from.Generation);
            var epochs = await topics.EpochsAsync(from.Name, default);
            var taking = Task.Run(async () =>
            {
                try
                {
                    await store.TakeOverAsync(partition, default);
                    return true;
                }
                catch (OwnershipLostException)
                {
                    return false;
                }
            });
            var switched = await topics.SwitchAsync(from, to, epochs, At, default);
            (await taking).ShouldBe(!switched, "one of the two");
            if (!switched)
                (await topics.SwitchAsync(from, to, await topics.EpochsAsync(from.Name, default), At, default)).ShouldBeTrue();
        }
    }
}
