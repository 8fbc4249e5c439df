using Belfry.Log;
using Belfry.Scheduling;
using Belfry.Testing;

namespace Belfry.Postgres.Tests;

public sealed class ShardedTaskStoreTests : TaskStoreSpec
{
    private static readonly TaskPartition Partition = new(new TopicPartition("scheduled-tasks", 0), 1);
    private TestShards? _shards;

    [Fact]
    public async Task Rows_lie_in_all_databases_by_the_bucket_of_their_ordering_id()
    {
        var store = await OpenAsync();
        var epoch = (await store.TakeOverAsync(Partition, default)).Epoch;
        await store.ApplyAsync(Batch(epoch, 1, Rows(epoch, 300)), default);
        var total = 0;
        for (var number = 0; number < 3; number++)
        {
            await using var database = _shards!.OpenOne(number);
            var rows = (await WindowAsync(new PostgresTaskStore(database))).Tasks;
            rows.ShouldAllBe(row => PostgresShards.ShardOf(Partitioner.Hash(row.Id.OrderingId), 3) == number);
            rows.Count.ShouldBeInRange(50, 150);
            total += rows.Count;
        }

        total.ShouldBe(300);
    }

    [Fact]
    public async Task A_window_cut_short_in_one_database_passes_nothing_by_in_the_order_of_keys()
    {
        var store = await OpenAsync();
        var epoch = (await store.TakeOverAsync(Partition, default)).Epoch;
        await store.ApplyAsync(Batch(epoch, 1, Rows(epoch, 300)), default);
        var seen = new List<TaskKey>();
        for (var after = TaskKey.First; ;)
        {
            var window = await store.LoadWindowAsync(Partition, after, long.MaxValue, 7, 150, default);
            seen.AddRange(window.Tasks.Select(row => row.Key));
            if (window.IsComplete) break;
            after = window.Tasks[^1].Key;
        }

        seen.ShouldBe(Rows(epoch, 300).Select(row => row.Key));
    }

    [Fact]
    public async Task A_former_owner_is_refused_by_every_database()
    {
        var store = await OpenAsync();
        var old = (await store.TakeOverAsync(Partition, default)).Epoch;
        await store.TakeOverAsync(Partition, default);
        foreach (var row in Rows(old, 20))
            await Should.ThrowAsync<OwnershipLostException>(async () => await store.ApplyAsync(Batch(old, 1, row), default));
        (await WindowAsync(store)).Tasks.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_former_owner_of_a_retired_topic_is_refused_by_every_database_before_the_next_topic_has_an_owner()
    {
        var store = await OpenAsync();
        var old = (await store.TakeOverAsync(Partition, default)).Epoch;
        await using var home = _shards!.OpenOne(0);

        // One that hangs between home and the others.
        var late = (await new PostgresTaskStore(home).TakeOverAsync(Partition, default)).Epoch;
        var (topics, next) = (new PostgresTaskTopics(home), new TaskTopic(2, "scheduled-tasks.g2", 2));
        var epochs = await topics.EpochsAsync(Partition.Source.Topic, default);
        (await topics.SwitchAsync(new TaskTopic(1, Partition.Source.Topic, 1), next, epochs, DateTimeOffset.UnixEpoch, default))
            .ShouldBeTrue();

        var owner = await OpenAsync();
        await owner.TakeOverAsync(new TaskPartition(new TopicPartition(next.Name, 0), next.Partitions, next.Generation), default);
        foreach (var row in Rows(old, 20))
            await Should.ThrowAsync<OwnershipLostException>(async () => await store.ApplyAsync(Batch(old, 1, row), default));
        for (var number = 1; number < 3; number++)
        {
            await using var database = _shards!.OpenOne(number);
            await Should.ThrowAsync<OwnershipLostException>(
                async () => await new PostgresTaskStore(database).FenceAsync(Partition.Source, late, default));
        }

        (await WindowAsync(store)).Tasks.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_batch_cut_off_before_home_leaves_the_position_before_its_rows_and_may_be_repeated()
    {
        var store = await OpenAsync();
        var epoch = (await store.TakeOverAsync(Partition, default)).Epoch;

        // A take-over that has reached home and dies there: home refuses, the others still take.
        await using (var home = _shards!.OpenOne(0)) await new PostgresTaskStore(home).TakeOverAsync(Partition, default);
        await Should.ThrowAsync<OwnershipLostException>(async () => await store.ApplyAsync(Batch(epoch, 300, Rows(epoch, 300)), default));

        var next = await store.TakeOverAsync(Partition, default);
        next.Position.ShouldBe(0);
        (await WindowAsync(store)).Tasks.Count.ShouldBeInRange(100, 299);
        await store.ApplyAsync(Batch(next.Epoch, 300, Rows(epoch, 300)), default);
        (await WindowAsync(store)).Tasks.Select(row => row.Key).ShouldBe(Rows(epoch, 300).Select(row => row.Key));
        (await store.TakeOverAsync(Partition, default)).Position.ShouldBe(300);
    }

    [Fact]
    public async Task Owners_that_take_over_side_by_side_never_share_an_epoch()
    {
        var store = await OpenAsync();
        var taken = await Task.WhenAll(Enumerable.Range(0, 24).Select(n => store.TakeOverAsync(
            new TaskPartition(new TopicPartition("scheduled-tasks", n), 24), default).AsTask()));
        taken.Select(ownership => ownership.Epoch).Distinct().Count().ShouldBe(24);
    }

    protected override async Task<ITaskStore> OpenAsync()
    {
        _shards ??= await TestShards.CreateAsync(3);
        return (await _shards.OpenAsync()).Tasks;
    }

    protected override async Task CloseAsync()
    {
        if (_shards is not null) await _shards.DisposeAsync();
    }

    private static ValueTask<TaskWindow> WindowAsync(ITaskStore store) =>
        store.LoadWindowAsync(Partition, TaskKey.First, long.MaxValue, 1_000, long.MaxValue, default);

    private static TaskBatch Batch(long epoch, long position, params StoredTask[] rows) =>
        new() { Partition = Partition, Epoch = epoch, Position = position, Tasks = rows };

    private static StoredTask[] Rows(long epoch, int count) => [.. Enumerable.Range(0, count).Select(n => new StoredTask
    {
        Sequence = StoredTask.SequenceOf(epoch, n), Id = new($"order-{n}", "k", "u"), DueMs = 5 + (n / 10), Generation = 2,
        State = TaskState.Waiting, Offset = n, Payload = new byte[40],
    })];
}
