using Belfry.Log;
using Belfry.Scheduling;

namespace Belfry.Postgres.Tests;

public sealed class PostgresShardsTests
{
    private static readonly TaskPartition Partition = new(new TopicPartition("scheduled-tasks", 0), 1);

    [Theory]
    [InlineData(0)]
    [InlineData(0, 1)]
    [InlineData(0, 1, 2, 3)]
    [InlineData(1, 0, 2)]
    [InlineData(0, 1, 3)]
    public async Task Another_number_another_order_or_a_database_that_is_not_of_them_is_refused(params int[] others)
    {
        await using var shards = await TestShards.CreateAsync(4);
        await FillAsync(await shards.OpenAsync(0, 1, 2));
        await Should.ThrowAsync<ShardLayoutException>(() => shards.OpenAsync(others));
        (await CountAsync(await shards.OpenAsync(0, 1, 2))).ShouldBe(100);
    }

    [Fact]
    public async Task Empty_databases_may_be_laid_out_anew()
    {
        await using var shards = await TestShards.CreateAsync(3);
        await shards.OpenAsync(0, 1);
        await FillAsync(await shards.OpenAsync(2, 1, 0));
        (await CountAsync(await shards.OpenAsync(2, 1, 0))).ShouldBe(100);
    }

    [Fact]
    public async Task A_database_from_before_there_were_shards_is_the_only_one_of_its_own()
    {
        await using var shards = await TestShards.CreateAsync(2);
        await FillAsync(await shards.OpenAsync(0));
        await using (var database = shards.OpenOne(0))
            await database.WriteAsync(connection => connection.Statement("delete from shard_layout").RunAsync(default), default);
        await Should.ThrowAsync<ShardLayoutException>(() => shards.OpenAsync(0, 1));
        (await CountAsync(await shards.OpenAsync(0))).ShouldBe(100);
    }

    [Fact]
    public void A_database_that_is_named_twice_is_refused() =>
        Should.Throw<ArgumentException>(() => PostgresDatabase.Open(
            new PostgresOptions { ConnectionString = "Host=a", Shards = ["Host=b", "Host=a"] })).Message.ShouldContain("twice");

    private static async Task FillAsync(PostgresShards shards)
    {
        var epoch = (await shards.Tasks.TakeOverAsync(Partition, default)).Epoch;
        await shards.Tasks.ApplyAsync(
            new TaskBatch
            {
                Partition = Partition, Epoch = epoch, Position = 100,
                Tasks = [.. Enumerable.Range(0, 100).Select(n => new StoredTask
                {
                    Sequence = StoredTask.SequenceOf(epoch, n), Id = new($"order-{n}", "k", "u"), DueMs = n, Generation = 0,
                    State = TaskState.Waiting, Offset = n,
                })],
            },
            default);
    }

    private static async Task<int> CountAsync(PostgresShards shards) =>
        (await shards.Tasks.LoadWindowAsync(Partition, TaskKey.First, long.MaxValue, 1_000, long.MaxValue, default)).Tasks.Count;
}
