using Belfry.Log;
using Belfry.Scheduling;
using Shouldly;
using Xunit;

namespace Belfry.Testing;

/// <summary>Rows that a store may insert without looking for them (<see cref="StoredTask.IsNew"/>).</summary>
public abstract partial class TaskStoreSpec
{
    [Fact]
    public async Task Many_new_rows_come_back_as_they_were_written_and_may_be_repeated_among_others()
    {
        var owner = await OwnerAsync();
        var rows = Enumerable.Range(0, 100).Select(n => owner.Row(n) with
        {
            IsNew = true, State = n % 2 == 0 ? TaskState.Done : TaskState.Waiting, EndedMs = n % 2 == 0 ? 9 : null, Attempts = n,
            NextAttemptMs = n % 3 == 0 ? 7 : null, Reason = n % 5 == 0 ? "said: \\ ümlaut" : null, Payload = new byte[n],
        }).ToArray();
        await owner.ApplyAsync(1, rows[..60]);
        await owner.ApplyAsync(2, [rows[0] with { Reason = "changed", IsNew = false }, .. rows[1..]]);
        for (var n = 0; n < rows.Length; n++)
            ShouldEqual(await owner.FindAsync(n), rows[n] with { IsNew = false, Reason = n == 0 ? "changed" : rows[n].Reason });
        (await owner.WindowAsync()).Tasks.Count.ShouldBe(50);
    }

    [Fact]
    public async Task Many_new_rows_of_a_stale_epoch_are_refused()
    {
        var old = await OwnerAsync();
        await old.Store.TakeOverAsync(old.Partition, default);
        var rows = Enumerable.Range(0, 100).Select(n => old.Row(n) with { IsNew = true }).ToArray();
        await Should.ThrowAsync<OwnershipLostException>(async () => await old.ApplyAsync(9, rows));
        (await old.WindowAsync()).Tasks.ShouldBeEmpty();
    }
}
