using System.Text;
using Belfry.Log;
using Belfry.Scheduling;
using Shouldly;
using Xunit;

namespace Belfry.Testing;

/// <summary>What every <see cref="ITaskStore"/> must do. Derive, and open an empty store for each test.</summary>
public abstract partial class TaskStoreSpec : IAsyncLifetime
{
    private const int Partitions = 12;
    private const string Topic = "scheduled-tasks";

    /// <summary>Opens a new, empty store. Called once per test.</summary>
    protected abstract Task<ITaskStore> OpenAsync();

    /// <summary>Closes what <see cref="OpenAsync"/> opened, if anything.</summary>
    protected virtual Task CloseAsync() => Task.CompletedTask;

    public virtual Task InitializeAsync() => Task.CompletedTask;

    public virtual Task DisposeAsync() => CloseAsync();

    [Fact]
    public async Task The_first_take_over_starts_at_position_0_with_a_positive_epoch()
    {
        var store = await OpenAsync();
        var ownership = await store.TakeOverAsync(Of(3), default);
        ownership.Position.ShouldBe(0);
        ownership.Epoch.ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task Epochs_grow_over_all_partitions()
    {
        var store = await OpenAsync();
        var first = await store.TakeOverAsync(Of(1), default);
        var second = await store.TakeOverAsync(Of(2), default);
        var third = await store.TakeOverAsync(Of(1), default);
        second.Epoch.ShouldBeGreaterThan(first.Epoch);
        third.Epoch.ShouldBeGreaterThan(second.Epoch);
    }

    [Fact]
    public async Task A_new_owner_starts_at_the_position_of_the_last_batch()
    {
        var owner = await OwnerAsync();
        await owner.ApplyAsync(position: 17);
        (await owner.Store.TakeOverAsync(owner.Partition, default)).Position.ShouldBe(17);
    }

    [Fact]
    public async Task Positions_of_partitions_are_their_own()
    {
        var owner = await OwnerAsync();
        await owner.ApplyAsync(position: 17);
        (await owner.Store.TakeOverAsync(Of(owner.Partition.Source.Partition == 0 ? 1 : 0), default)).Position.ShouldBe(0);
    }

    [Fact]
    public async Task A_stale_epoch_writes_nothing()
    {
        var old = await OwnerAsync();
        await old.ApplyAsync(5, old.Row(1));
        await old.Store.TakeOverAsync(old.Partition, default);
        await Should.ThrowAsync<OwnershipLostException>(async () => await old.ApplyAsync(9, old.Row(2)));
        (await old.FindAsync(2)).ShouldBeNull();
        (await old.Store.TakeOverAsync(old.Partition, default)).Position.ShouldBe(5);
    }

    [Fact]
    public async Task A_stale_epoch_moves_no_position_even_without_rows()
    {
        var old = await OwnerAsync();
        await old.Store.TakeOverAsync(old.Partition, default);
        await Should.ThrowAsync<OwnershipLostException>(async () => await old.ApplyAsync(9));
        (await old.Store.TakeOverAsync(old.Partition, default)).Position.ShouldBe(0);
    }

    [Fact]
    public async Task A_write_without_any_take_over_is_refused()
    {
        var store = await OpenAsync();
        var batch = new TaskBatch { Partition = Of(0), Epoch = 1, Position = 3 };
        await Should.ThrowAsync<OwnershipLostException>(async () => await store.ApplyAsync(batch, default));
    }

    [Fact]
    public async Task Taking_over_one_partition_leaves_the_owners_of_others_alone()
    {
        var owner = await OwnerAsync();
        await owner.Store.TakeOverAsync(Of((owner.Partition.Source.Partition + 1) % Partitions), default);
        await owner.ApplyAsync(4, owner.Row(1));
        (await owner.FindAsync(1)).ShouldNotBeNull();
    }

    [Fact]
    public async Task A_row_comes_back_as_it_was_written()
    {
        var owner = await OwnerAsync();
        var row = owner.Row(1) with
        {
            Attempts = 3, NextAttemptMs = 77_000, Generation = 9, Offset = 41, Reason = "the provider said no: ümlaut",
            Payload = new byte[] { 0, 1, 255, 0 },
        };
        await owner.ApplyAsync(1, row);
        ShouldEqual(await owner.FindAsync(1), row);
    }

    [Fact]
    public async Task An_ended_row_comes_back_as_it_was_written()
    {
        var owner = await OwnerAsync();
        var row = owner.Row(1) with { State = TaskState.Dead, EndedMs = 99, Reason = "out of attempts", Attempts = 101 };
        await owner.ApplyAsync(1, row);
        ShouldEqual(await owner.FindAsync(1), row);
    }

    [Fact]
    public async Task A_second_write_of_a_row_overwrites_it_whole()
    {
        var owner = await OwnerAsync();
        await owner.ApplyAsync(1, owner.Row(1) with { Reason = "once", NextAttemptMs = 5 });
        var moved = owner.Row(1) with { DueMs = 500_000, Generation = 2, Payload = Encoding.UTF8.GetBytes("new") };
        await owner.ApplyAsync(2, moved);
        ShouldEqual(await owner.FindAsync(1), moved);
        (await owner.WindowAsync()).Tasks.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Repeating_a_batch_changes_nothing()
    {
        var owner = await OwnerAsync();
        await owner.ApplyAsync(2, owner.Row(1), owner.Row(2));
        await owner.ApplyAsync(2, owner.Row(1), owner.Row(2));
        (await owner.WindowAsync()).Tasks.Count.ShouldBe(2);
    }

    [Fact]
    public async Task A_payload_of_the_greatest_size_fits()
    {
        var owner = await OwnerAsync();
        var payload = new byte[ScheduledTask.PayloadBytesMax];
        payload[^1] = 7;
        await owner.ApplyAsync(1, owner.Row(1) with { Payload = payload });
        (await owner.FindAsync(1))!.Payload.ToArray().ShouldBe(payload);
    }

    [Fact]
    public async Task Ids_are_told_apart_by_all_three_parts_and_by_case()
    {
        var owner = await OwnerAsync();
        var id = owner.Row(1).Id;
        await owner.ApplyAsync(1, owner.Row(1));
        (await owner.Store.FindAsync([id with { UniqueKey = "other" }], default)).ShouldBeEmpty();
        (await owner.Store.FindAsync([id with { Kind = id.Kind.ToUpperInvariant() }], default)).ShouldBeEmpty();
        (await owner.Store.FindAsync([id with { OrderingId = id.OrderingId + " " }], default)).ShouldBeEmpty();
        (await owner.Store.FindAsync([id], default)).Count.ShouldBe(1);
    }

    [Fact]
    public async Task Many_ids_are_found_in_one_call_and_missing_ones_left_out()
    {
        var owner = await OwnerAsync();
        await owner.ApplyAsync(1, [.. Enumerable.Range(0, 1_500).Select(owner.Row)]);
        var found = await owner.Store.FindAsync([.. Enumerable.Range(500, 1_500).Select(n => owner.Row(n).Id)], default);
        found.Select(row => row.DueMs).Order().ShouldBe(Enumerable.Range(500, 1_000).Select(n => owner.Row(n).DueMs));
    }

    [Fact]
    public async Task Finding_nothing_is_allowed()
    {
        var store = await OpenAsync();
        (await store.FindAsync([], default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_window_is_in_due_order_and_by_sequence_within_one_millisecond()
    {
        var owner = await OwnerAsync();
        await owner.ApplyAsync(1, owner.Row(4) with { DueMs = 10 }, owner.Row(3) with { DueMs = 20 },
            owner.Row(2) with { DueMs = 10 }, owner.Row(1) with { DueMs = 30 });
        (await owner.WindowAsync()).Tasks.Select(row => row.Key).ShouldBe(
            [new(10, owner.Sequence(2)), new(10, owner.Sequence(4)), new(20, owner.Sequence(3)), new(30, owner.Sequence(1))]);
    }

    [Fact]
    public async Task A_window_ends_with_the_millisecond_asked_for()
    {
        var owner = await OwnerAsync();
        await owner.ApplyAsync(1, owner.Row(1) with { DueMs = 100 }, owner.Row(2) with { DueMs = 101 });
        var window = await owner.Store.LoadWindowAsync(owner.Partition, TaskKey.First, 100, 10, long.MaxValue, default);
        window.Tasks.Select(row => row.DueMs).ShouldBe([100]);
        window.IsComplete.ShouldBeTrue();
    }

    [Fact]
    public async Task Windows_one_after_another_bring_every_row_once()
    {
        var owner = await OwnerAsync();
        await owner.ApplyAsync(1, [.. Enumerable.Range(0, 50).Select(n => owner.Row(n) with { DueMs = n / 7 })]);
        var seen = new List<TaskKey>();
        for (var after = TaskKey.First; ;)
        {
            var window = await owner.Store.LoadWindowAsync(owner.Partition, after, long.MaxValue, 6, long.MaxValue, default);
            seen.AddRange(window.Tasks.Select(row => row.Key));
            if (window.IsComplete) break;
            window.Tasks.Count.ShouldBe(6);
            after = window.Tasks[^1].Key;
        }

        seen.Count.ShouldBe(50);
        seen.ShouldBe(seen.Distinct().Order());
    }

    [Fact]
    public async Task A_window_stops_at_its_bytes_but_brings_at_least_one_row()
    {
        var owner = await OwnerAsync();
        await owner.ApplyAsync(1, [.. Enumerable.Range(0, 5).Select(n => owner.Row(n) with { Payload = new byte[100] })]);
        var narrow = await owner.Store.LoadWindowAsync(owner.Partition, TaskKey.First, long.MaxValue, 10, 0, default);
        narrow.Tasks.Count.ShouldBe(1);
        narrow.IsComplete.ShouldBeFalse();
        (await owner.Store.LoadWindowAsync(owner.Partition, TaskKey.First, long.MaxValue, 10, 150, default)).Tasks.Count.ShouldBe(2);
    }

    [Fact]
    public async Task A_window_holds_waiting_and_parked_tasks_only()
    {
        var owner = await OwnerAsync();
        await owner.ApplyAsync(1, [.. Enum.GetValues<TaskState>().Select((state, n) => owner.Row(n) with { State = state, EndedMs = 1 })]);
        (await owner.WindowAsync()).Tasks.Select(row => row.State).ShouldBe([TaskState.Waiting, TaskState.Parked]);
    }

    [Fact]
    public async Task A_window_holds_the_ordering_ids_of_its_partition_only_whatever_the_count()
    {
        var store = await OpenAsync();
        var writer = Of(0);
        var epoch = (await store.TakeOverAsync(writer, default)).Epoch;
        var rows = Enumerable.Range(0, 200).Select(n => new StoredTask
        {
            Sequence = StoredTask.SequenceOf(epoch, n), Id = new($"order-{n}", "kind", "u"), DueMs = n, Generation = 0,
            State = TaskState.Waiting, Offset = n,
        }).ToList();
        await store.ApplyAsync(new TaskBatch { Partition = writer, Epoch = epoch, Position = 1, Tasks = rows }, default);
        foreach (var count in new[] { Partitions, 5 })
        {
            var total = 0;
            for (var n = 0; n < count; n++)
            {
                var partition = new TaskPartition(new TopicPartition(Topic, n), count);
                var window = await store.LoadWindowAsync(partition, TaskKey.First, long.MaxValue, 1_000, long.MaxValue, default);
                window.Tasks.ShouldAllBe(row => partition.Owns(row.Id.OrderingId));
                total += window.Tasks.Count;
            }

            total.ShouldBe(200);
        }
    }

    [Fact]
    public async Task A_lane_holds_one_ordering_id_between_its_keys()
    {
        var owner = await OwnerAsync();
        var other = owner.OtherOrderingId();
        await owner.ApplyAsync(1,
        [
            .. Enumerable.Range(0, 10).Select(owner.Row),
            owner.Row(20) with { Id = new(other, "kind", "x"), DueMs = owner.Row(4).DueMs },
        ]);
        var lane = await owner.Store.LoadLaneAsync(
            owner.Partition, owner.OrderingId, owner.Row(2).Key, owner.Row(6).Key, 10, long.MaxValue, default);
        lane.Tasks.Select(row => row.Sequence).ShouldBe(new[] { 3, 4, 5, 6 }.Select(owner.Sequence));
        lane.IsComplete.ShouldBeTrue();
        var narrow = await owner.Store.LoadLaneAsync(
            owner.Partition, owner.OrderingId, owner.Row(2).Key, owner.Row(6).Key, 3, long.MaxValue, default);
        narrow.Tasks.Count.ShouldBe(3);
        narrow.IsComplete.ShouldBeFalse();
    }

    [Fact]
    public async Task A_lane_past_its_end_is_empty_and_complete()
    {
        var owner = await OwnerAsync();
        await owner.ApplyAsync(1, owner.Row(1));
        var lane = await owner.Store.LoadLaneAsync(
            owner.Partition, owner.OrderingId, owner.Row(5).Key, owner.Row(3).Key, 10, long.MaxValue, default);
        lane.Tasks.ShouldBeEmpty();
        lane.IsComplete.ShouldBeTrue();
    }

    [Fact]
    public async Task Listing_goes_by_state_page_by_page()
    {
        var owner = await OwnerAsync();
        await owner.ApplyAsync(1, [.. Enumerable.Range(0, 10)
            .Select(n => owner.Row(n) with { State = n % 2 == 0 ? TaskState.Dead : TaskState.Done, EndedMs = 1 })]);
        var first = await owner.Store.ListAsync(TaskState.Dead, -1, 3, default);
        var second = await owner.Store.ListAsync(TaskState.Dead, first[^1].Sequence, 3, default);
        first.Concat(second).Select(row => row.Sequence).ShouldBe(new[] { 0, 2, 4, 6, 8 }.Select(owner.Sequence));
    }

    [Fact]
    public async Task Overdue_counts_every_open_task_and_tells_the_oldest()
    {
        var owner = await OwnerAsync();
        (await owner.Store.OverdueAsync(long.MaxValue, default)).ShouldBe((0L, (long?)null));
        await owner.ApplyAsync(1, owner.Row(1) with { DueMs = 100 }, owner.Row(2) with { DueMs = 200 },
            owner.Row(3) with { DueMs = 300 }, owner.Row(4) with { DueMs = 50, State = TaskState.Done, EndedMs = 60 });
        (await owner.Store.OverdueAsync(300, default)).ShouldBe((2L, (long?)100));
    }

    [Fact]
    public async Task Undecodable_records_keep_key_bytes_and_reason()
    {
        var owner = await OwnerAsync();
        await owner.ApplyAsync(3, [],
            new UndecodableTask(1, 11, "key", new byte[] { 0, 255 }, "no JSON"), new UndecodableTask(2, 12, null, default, "empty"));
        var listed = await owner.Store.ListUndecodableAsync(owner.Partition.Source, 1, 10, default);
        listed.Select(r => (r.Offset, r.AppendedMs, r.Key, r.Reason)).ShouldBe([(1L, 11L, "key", "no JSON"), (2L, 12L, null, "empty")]);
        listed[0].Value.ToArray().ShouldBe([0, 255]);
        (await owner.Store.ListUndecodableAsync(owner.Partition.Source, 2, 10, default)).Count.ShouldBe(1);
        (await owner.Store.ListUndecodableAsync(Of(owner.Partition.Source.Partition + 1).Source, 0, 10, default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Forgetting_takes_old_ended_tasks_and_leaves_open_ones_and_dead_letters()
    {
        var owner = await OwnerAsync();
        await owner.ApplyAsync(1,
            owner.Row(1) with { State = TaskState.Done, DueMs = 10, EndedMs = 20 },
            owner.Row(2) with { State = TaskState.Dead, DueMs = 10, EndedMs = 20 },
            owner.Row(3) with { DueMs = 10 },
            owner.Row(4) with { State = TaskState.Done, DueMs = 10, EndedMs = 2_000 });
        (await owner.Store.ForgetAsync(1_000, 10, default)).ShouldBe(1);
        (await owner.FindAsync(1)).ShouldBeNull();
        foreach (var n in new[] { 2, 3, 4 }) (await owner.FindAsync(n)).ShouldNotBeNull();
    }

    [Fact]
    public async Task A_cancelled_task_is_remembered_until_it_would_have_been_due()
    {
        var owner = await OwnerAsync();
        await owner.ApplyAsync(1, owner.Row(1) with { State = TaskState.Cancelled, DueMs = 5_000, EndedMs = 20 });
        (await owner.Store.ForgetAsync(1_000, 10, default)).ShouldBe(0);
        (await owner.Store.ForgetAsync(5_001, 10, default)).ShouldBe(1);
    }

    [Fact]
    public async Task Forgetting_is_bounded()
    {
        var owner = await OwnerAsync();
        await owner.ApplyAsync(1,
            [.. Enumerable.Range(0, 10).Select(n => owner.Row(n) with { State = TaskState.Done, EndedMs = 1, DueMs = 1 })]);
        (await owner.Store.ForgetAsync(1_000, 4, default)).ShouldBe(4);
        (await owner.Store.ForgetAsync(1_000, 10, default)).ShouldBe(6);
    }

    private static TaskPartition Of(int partition) => new(new TopicPartition(Topic, partition), Partitions);

    private async Task<Owner> OwnerAsync()
    {
        var store = await OpenAsync();
        var partition = Of(Partitioner.PartitionOf("order", Partitions));
        return new Owner(store, partition, (await store.TakeOverAsync(partition, default)).Epoch);
    }

    private static void ShouldEqual(StoredTask? actual, StoredTask expected)
    {
        actual.ShouldNotBeNull();
        actual.Payload.ToArray().ShouldBe(expected.Payload.ToArray());
        (actual with { Payload = default }).ShouldBe(expected with { Payload = default });
    }

    private sealed record Owner(ITaskStore Store, TaskPartition Partition, long Epoch)
    {
        public string OrderingId => "order";

        public long Sequence(int n) => StoredTask.SequenceOf(Epoch, n);

        public StoredTask Row(int n) => new()
        {
            Sequence = Sequence(n), Id = new(OrderingId, "kind", $"key-{n}"), DueMs = 1_000 + n, Generation = 1,
            State = TaskState.Waiting, Offset = n, Payload = Encoding.UTF8.GetBytes($"payload {n}"),
        };

        public string OtherOrderingId() => Enumerable.Range(0, 1_000).Select(n => $"other-{n}").First(Partition.Owns);

        public ValueTask ApplyAsync(long position, params StoredTask[] rows) => ApplyAsync(position, rows, []);

        public ValueTask ApplyAsync(long position, StoredTask[] rows, params UndecodableTask[] undecodable) => Store.ApplyAsync(
            new TaskBatch { Partition = Partition, Epoch = Epoch, Position = position, Tasks = rows, Undecodable = undecodable }, default);

        public async Task<StoredTask?> FindAsync(int n) => (await Store.FindAsync([Row(n).Id], default)).SingleOrDefault();
        public ValueTask<TaskWindow> WindowAsync() =>
            Store.LoadWindowAsync(Partition, TaskKey.First, long.MaxValue, 10_000, long.MaxValue, default);
    }
}
