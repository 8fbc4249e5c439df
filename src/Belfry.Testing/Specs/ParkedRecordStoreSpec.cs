using Belfry.Log;
using Shouldly;
using Xunit;

namespace Belfry.Testing;

/// <summary>What every <see cref="IParkedRecordStore"/> must do.</summary>
public abstract class ParkedRecordStoreSpec : IAsyncLifetime
{
    private static readonly TopicPartition Source = new("orders", 3);
    private static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, 123, TimeSpan.Zero);

    /// <summary>The store under test, opened before each case.</summary>
    protected IParkedRecordStore Store { get; private set; } = null!;

    /// <summary>Opens an empty store. Called once a case.</summary>
    protected abstract Task<IParkedRecordStore> OpenAsync();

    /// <summary>Releases what <see cref="OpenAsync"/> made.</summary>
    protected virtual Task CloseAsync() => Task.CompletedTask;

    public virtual async Task InitializeAsync() => Store = await OpenAsync();

    public virtual Task DisposeAsync() => CloseAsync();

    [Fact]
    public virtual async Task Every_take_over_raises_the_epoch()
    {
        var first = await Store.TakeOverAsync("g", Source, default);
        var second = await Store.TakeOverAsync("g", Source, default);
        first.ShouldBeGreaterThan(0);
        second.ShouldBeGreaterThan(first);
    }

    [Fact]
    public virtual async Task A_new_partition_holds_nothing() => (await LoadAsync()).ShouldBeEmpty();

    [Fact]
    public virtual async Task A_parked_record_comes_back_whole()
    {
        var parked = Parked(5, "lane\0é") with
        {
            Attempts = 3,
            Reason = "HTTP 503 \0 'quoted'",
            Record = new LogRecord
            {
                Source = Source,
                Offset = 5,
                AppendedAt = Noon,
                Key = "key\0x",
                Value = new byte[] { 0, 1, 0, 255 },
                Headers = [new("trace", "00-1"), new("id", "")],
            },
        };
        await ApplyAsync(await TakeOverAsync(), [parked], []);
        var loaded = (await LoadAsync()).ShouldHaveSingleItem();
        loaded.ShouldSatisfyAllConditions(
            () => loaded.Group.ShouldBe("g"),
            () => loaded.LaneKey.ShouldBe(parked.LaneKey),
            () => loaded.Attempts.ShouldBe(3),
            () => loaded.DueAt.ShouldBe(parked.DueAt),
            () => loaded.DueAt.Offset.ShouldBe(TimeSpan.Zero),
            () => loaded.Reason.ShouldBe(parked.Reason),
            () => loaded.Record.Source.ShouldBe(Source),
            () => loaded.Record.Offset.ShouldBe(5),
            () => loaded.Record.AppendedAt.ShouldBe(Noon),
            () => loaded.Record.Key.ShouldBe("key\0x"),
            () => loaded.Record.Value.ToArray().ShouldBe([0, 1, 0, 255]),
            () => loaded.Record.Headers.ShouldBe(parked.Record.Headers));
    }

    [Fact]
    public virtual async Task A_record_without_a_key_stays_without()
    {
        var parked = Parked(5);
        await ApplyAsync(await TakeOverAsync(), [parked with { Record = parked.Record with { Key = null } }], []);
        (await LoadAsync()).Single().Record.Key.ShouldBeNull();
    }

    [Fact]
    public virtual async Task Parking_an_offset_again_moves_it()
    {
        var epoch = await TakeOverAsync();
        await ApplyAsync(epoch, [Parked(5)], []);
        await ApplyAsync(epoch, [Parked(5) with { Attempts = 9, DueAt = Noon.AddHours(1), Reason = "again" }], []);
        var loaded = (await LoadAsync()).ShouldHaveSingleItem();
        (loaded.Attempts, loaded.DueAt, loaded.Reason).ShouldBe((9, Noon.AddHours(1), "again"));
    }

    [Fact]
    public virtual async Task What_is_done_is_removed_and_unknown_offsets_are_harmless()
    {
        var epoch = await TakeOverAsync();
        await ApplyAsync(epoch, [Parked(5), Parked(6), Parked(7)], []);
        await ApplyAsync(epoch, [Parked(8)], [6, 99]);
        (await LoadAsync()).Select(p => p.Record.Offset).ShouldBe([5, 7, 8]);
    }

    [Fact]
    public virtual async Task Loading_goes_by_offset_in_pages()
    {
        await ApplyAsync(await TakeOverAsync(), [.. new long[] { 9, 2, 7, 4, 11 }.Select(o => Parked(o))], []);
        (await Store.LoadAsync("g", Source, 0, 2, default)).Select(p => p.Record.Offset).ShouldBe([2, 4]);
        (await Store.LoadAsync("g", Source, 5, 2, default)).Select(p => p.Record.Offset).ShouldBe([7, 9]);
        (await Store.LoadAsync("g", Source, 10, 2, default)).Select(p => p.Record.Offset).ShouldBe([11]);
        (await Store.LoadAsync("g", Source, 12, 2, default)).ShouldBeEmpty();
    }

    [Fact]
    public virtual async Task A_stale_epoch_is_refused_and_nothing_is_written()
    {
        var stale = await TakeOverAsync();
        await ApplyAsync(stale, [Parked(5)], []);
        await TakeOverAsync();
        await Should.ThrowAsync<OwnershipLostException>(() => ApplyAsync(stale, [Parked(6)], [5]));
        (await LoadAsync()).Select(p => p.Record.Offset).ShouldBe([5]);
    }

    [Fact]
    public virtual async Task A_stale_epoch_is_refused_even_with_nothing_to_write()
    {
        var stale = await TakeOverAsync();
        await TakeOverAsync();
        await Should.ThrowAsync<OwnershipLostException>(() => ApplyAsync(stale, [], []));
    }

    [Fact]
    public virtual async Task An_epoch_never_given_out_is_refused()
    {
        await Should.ThrowAsync<OwnershipLostException>(() => ApplyAsync(1, [Parked(5)], []));
        var epoch = await TakeOverAsync();
        await Should.ThrowAsync<OwnershipLostException>(() => ApplyAsync(epoch + 1, [Parked(5)], []));
    }

    [Fact]
    public virtual async Task What_an_earlier_owner_parked_is_there_for_the_next()
    {
        await ApplyAsync(await TakeOverAsync(), [Parked(5)], []);
        var next = await TakeOverAsync();
        (await LoadAsync()).Count.ShouldBe(1);
        await ApplyAsync(next, [], [5]);
        (await LoadAsync()).ShouldBeEmpty();
    }

    [Fact]
    public virtual async Task Groups_and_partitions_have_their_own_records_and_epochs()
    {
        var other = new TopicPartition("orders", 4);
        var mine = await TakeOverAsync();
        var theirs = await Store.TakeOverAsync("other", Source, default);
        var neighbours = await Store.TakeOverAsync("g", other, default);
        await ApplyAsync(mine, [Parked(5)], []);
        await Store.ApplyAsync("other", Source, theirs, [Parked(6) with { Group = "other" }], [], default);
        await Store.ApplyAsync("g", other, neighbours, [Parked(7, source: other)], [], default);
        await Store.ApplyAsync("other", Source, theirs, [], [5], default);
        (await LoadAsync()).Select(p => p.Record.Offset).ShouldBe([5]);
        (await Store.LoadAsync("other", Source, 0, 10, default)).Select(p => p.Record.Offset).ShouldBe([6]);
        (await Store.LoadAsync("g", other, 0, 10, default)).Select(p => p.Record.Offset).ShouldBe([7]);
    }

    [Fact]
    public virtual async Task Topics_whose_names_run_together_are_kept_apart()
    {
        var (a, b) = (new TopicPartition("t", 11), new TopicPartition("t1", 1));
        await Store.ApplyAsync("g", a, await Store.TakeOverAsync("g", a, default), [Parked(1, source: a)], [], default);
        (await Store.LoadAsync("g", b, 0, 10, default)).ShouldBeEmpty();
    }

    [Fact]
    public virtual async Task A_large_lot_is_one_write()
    {
        await ApplyAsync(await TakeOverAsync(), [.. Enumerable.Range(0, 2000).Select(n => Parked(n))], []);
        (await Store.LoadAsync("g", Source, 0, 5000, default)).Count.ShouldBe(2000);
    }

    private static ParkedRecord Parked(long offset, string laneKey = "lane", TopicPartition? source = null) => new()
    {
        Group = "g",
        Record = new LogRecord { Source = source ?? Source, Offset = offset, AppendedAt = Noon, Key = "k", Value = "value"u8.ToArray() },
        LaneKey = laneKey,
        Attempts = 1,
        DueAt = Noon.AddSeconds(offset),
        Reason = "later",
    };

    private async Task<long> TakeOverAsync() => await Store.TakeOverAsync("g", Source, default);

    private async Task ApplyAsync(long epoch, IReadOnlyList<ParkedRecord> parked, IReadOnlyList<long> done) =>
        await Store.ApplyAsync("g", Source, epoch, parked, done, default);

    private async Task<IReadOnlyList<ParkedRecord>> LoadAsync() => await Store.LoadAsync("g", Source, 0, 100, default);
}
