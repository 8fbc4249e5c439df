using Belfry.Log;
using Shouldly;
using Xunit;

namespace Belfry.Testing;

/// <summary>Retention and compaction.</summary>
public abstract partial class LogSpec
{
    /// <summary>A retention that a case waits out. Default 200 ms; a log on real time needs the time to read as well.</summary>
    protected virtual TimeSpan ShortRetention => TimeSpan.FromMilliseconds(200);

    private TimeSpan PastShort => ShortRetention * 2;

    [SkippableFact]
    public virtual async Task Records_past_their_retention_go_and_offsets_go_on()
    {
        await DeclareAsync("orders", 1, CleanUp.Time, ShortRetention);
        await AppendAsync("orders", "0", "1");
        await PassAsync(PastShort);
        await CleanUntilAsync(IsEmptyAsync);
        (await TextsAsync("orders", 0)).ShouldBeEmpty();
        (await Log.OffsetsAsync(At("orders", 0), default)).ShouldBe((2, 2));
        await AppendAsync("orders", "2");
        var record = (await Log.ReadAsync(At("orders", 0), 0, 10, default)).ShouldHaveSingleItem();
        (record.Offset, Text(record)).ShouldBe((2, "2"));
    }

    private async Task<bool> IsEmptyAsync() => (await TextsAsync("orders", 0)).Count == 0;

    [SkippableFact]
    public virtual async Task Records_within_their_retention_stay()
    {
        await DeclareAsync("orders", 1, CleanUp.Time, TimeSpan.FromHours(1));
        await AppendAsync("orders", "0", "1");
        await CleanAsync();
        (await TextsAsync("orders", 0)).ShouldBe(["0", "1"]);
    }

    [SkippableFact]
    public virtual async Task A_group_whose_next_record_was_removed_goes_on_with_the_first_that_remains()
    {
        await DeclareAsync("orders", 1, CleanUp.Time, ShortRetention);
        await AppendAsync("orders", "0", "1");
        await PassAsync(PastShort);
        await CleanUntilAsync(IsEmptyAsync);
        await AppendAsync("orders", "2");
        var member = Join("g", "orders");
        await UntilAsync(() => member.Received.Count == 1, member);
        member.Received.Select(Text).ShouldBe(["2"]);
    }

    [SkippableFact]
    public virtual async Task Compaction_keeps_the_newest_record_of_each_key_at_its_offset()
    {
        await DeclareAsync("rules", 1, CleanUp.Compact, TimeSpan.FromHours(1));
        await Log.AppendAsync(
            [
                Outgoing("rules", "u", "1", key: "a"), Outgoing("rules", "u", "2", key: "b"), Outgoing("rules", "u", "3", key: "a"),
                Outgoing("rules", "u", "4", key: "c"), Outgoing("rules", "u", "5", key: "b"),
            ],
            default);
        await CleanAsync();
        (await Log.ReadAsync(At("rules", 0), 0, 10, default)).Select(r => (r.Offset, Text(r))).ShouldBe([(2, "3"), (3, "4"), (4, "5")]);
    }

    [SkippableFact]
    public virtual async Task Compaction_never_ages_out_the_newest_record()
    {
        await DeclareAsync("rules", 1, CleanUp.Compact, ShortRetention);
        await AppendAsync("rules", "1", "2");
        await PassAsync(PastShort);
        await CleanAsync();
        (await TextsAsync("rules", 0)).ShouldBe(["2"]);
    }

    [SkippableFact]
    public virtual async Task A_tombstone_stays_for_the_retention_and_then_goes()
    {
        await DeclareAsync("rules", 1, CleanUp.Compact, TimeSpan.FromSeconds(1));
        await AppendAsync("rules", "1", "");
        await CleanAsync();
        (await TextsAsync("rules", 0)).ShouldBe([""]);
        await PassAsync(TimeSpan.FromSeconds(1.2));
        await CleanAsync();
        (await TextsAsync("rules", 0)).ShouldBeEmpty();
        (await Log.OffsetsAsync(At("rules", 0), default)).End.ShouldBe(2);
    }

    [SkippableFact]
    public virtual async Task A_group_reads_over_the_gaps_that_compaction_leaves()
    {
        await DeclareAsync("rules", 1, CleanUp.Compact, TimeSpan.FromHours(1));
        await Log.AppendAsync([.. Enumerable.Range(0, 20).Select(n => Outgoing("rules", "u", $"{n}", key: $"{n % 3}"))], default);
        var member = Join("g", "rules");
        await UntilAsync(() => member.Received.Count >= 4, 4, member);
        await CleanAsync();
        await UntilAsync(() => member.Received[^1].Offset == 19, 4, member);
        member.Received.Select(r => r.Offset).ShouldBe(member.Received.Select(r => r.Offset).Distinct().Order());
        member.Received.Select(r => r.Offset).TakeLast(3).ShouldBe([17, 18, 19]);
    }
}
