using FsCheck;
using FsCheck.Fluent;

namespace Belfry.Log.Tests;

public sealed class OffsetLedgerTests
{
    [Fact]
    public void The_mark_is_unknown_before_the_first_record() => new OffsetLedger().LowWaterMark.ShouldBeNull();

    [Fact]
    public void The_mark_is_the_lowest_offset_not_done_and_gaps_are_harmless()
    {
        var ledger = new OffsetLedger();
        var tickets = new long[] { 10, 17, 30 }.Select(ledger.Track).ToList();
        ledger.LowWaterMark.ShouldBe(10);
        ledger.Complete(tickets[1]).ShouldBeTrue();
        ledger.LowWaterMark.ShouldBe(10);
        ledger.Complete(tickets[0]).ShouldBeTrue();
        ledger.LowWaterMark.ShouldBe(30);
        ledger.Complete(tickets[2]).ShouldBeTrue();
        ledger.LowWaterMark.ShouldBe(31);
        ledger.Count.ShouldBe(0);
    }

    [Fact]
    public void A_late_or_repeated_or_unknown_mark_changes_nothing()
    {
        var ledger = new OffsetLedger();
        var (first, second) = (ledger.Track(0), ledger.Track(1));
        ledger.Complete(first).ShouldBeTrue();
        ledger.Complete(first).ShouldBeFalse();
        ledger.Complete(second + 1).ShouldBeFalse();
        ledger.Complete(-1).ShouldBeFalse();
        ledger.LowWaterMark.ShouldBe(1);
    }

    [Fact]
    public void Offsets_that_do_not_grow_are_refused()
    {
        var ledger = new OffsetLedger();
        ledger.Track(5);
        Should.Throw<ArgumentOutOfRangeException>(() => ledger.Track(5));
        Should.Throw<ArgumentOutOfRangeException>(() => ledger.Track(-1));
    }

    [Fact]
    public void More_records_than_slots_are_refused_with_the_knob()
    {
        var ledger = new OffsetLedger(slotsMax: 16);
        for (var n = 0; n < 16; n++) ledger.Track(n);
        Should.Throw<InvalidOperationException>(() => ledger.Track(16)).Message.ShouldContain("HeldMax");
    }

    /// <summary>Positive numbers track a record that many offsets on; others complete one of those tracked, done or not.</summary>
    [Fact]
    public void It_agrees_with_a_sorted_set_whatever_is_tracked_and_completed() =>
        Prop.ForAll(ArbMap.Default.ArbFor<int[]>(), commands =>
        {
            var ledger = new OffsetLedger();
            var (pending, tickets, next) = (new SortedSet<long>(), new List<(long Ticket, long Offset)>(), 0L);
            foreach (var command in commands)
            {
                if (command > 0)
                {
                    next += command % 5;
                    tickets.Add((ledger.Track(next), next));
                    pending.Add(next++);
                }
                else if (tickets.Count > 0)
                {
                    var (ticket, offset) = tickets[(int)(-(long)command % tickets.Count)];
                    ledger.Complete(ticket).ShouldBe(pending.Remove(offset));
                }

                var oldest = pending.Min;
                long? expected = pending.Count > 0 ? oldest : tickets.Count > 0 ? next : null;
                ledger.LowWaterMark.ShouldBe(expected);
                ledger.Count.ShouldBe(pending.Count == 0 ? 0 : tickets.Count(t => t.Offset >= oldest));
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(500).WithEndSize(200));
}
