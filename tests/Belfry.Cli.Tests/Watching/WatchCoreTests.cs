using Belfry.Cli.Watching;
using Belfry.Kafka;
using Belfry.Log;

namespace Belfry.Cli.Tests;

public class WatchCoreTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 27, 0, 0, 0, TimeSpan.Zero);
    private static readonly TopicPartition Zero = new("t", 0);
    private static readonly TopicPartition One = new("t", 1);
    private readonly WatchCore _core = new(new WatchLimits());

    [Fact]
    public void A_group_that_keeps_up_or_has_nothing_to_read_is_sound_for_ever()
    {
        for (var second = 0; second < 7_200; second += 10)
        {
            Look(second, members: 1, next: second, end: second + 5).ShouldBeEmpty();
            Look(second + 5, members: 1, next: second, end: second).ShouldBeEmpty();
        }

        Look(7_300, members: 0, next: 9, end: 9).ShouldBeEmpty("nobody is needed where there is nothing to read");
    }

    [Fact]
    public void A_group_with_lag_and_no_member_is_found_once_its_grace_is_over()
    {
        Look(0, members: 0, next: 3, end: 10).ShouldBeEmpty();
        Look(14, members: 0, next: 3, end: 12).ShouldBeEmpty();
        var found = Look(15, members: 0, next: 3, end: 13).ShouldHaveSingleItem();
        (found.Kind, found.Subject, found.Since).ShouldBe((FindingKind.GroupWithoutMembers, "g", Start));
        found.Text.ShouldContain("10 records behind in 1 partitions");
        Look(200, members: 0, next: 3, end: 13).ShouldHaveSingleItem().Kind.ShouldBe(
            FindingKind.GroupWithoutMembers, "that its partitions stand still is no second finding");
        Look(210, members: 1, next: 3, end: 13).ShouldBeEmpty("the new member has its own time to move");
        Look(220, members: 0, next: 3, end: 13).ShouldBeEmpty("a restart begins the grace anew");
    }

    [Fact]
    public void A_partition_that_stands_still_while_behind_is_found_and_its_neighbour_is_not()
    {
        for (var second = 0; second < 60; second += 10) LookBoth(second).ShouldBeEmpty();
        var found = LookBoth(60).ShouldHaveSingleItem();
        (found.Kind, found.Subject, found.Since).ShouldBe((FindingKind.PartitionStuck, "g t/1", Start));
        Look(70, Group(1, (Zero, 70), (One, 6)), (Zero, 80), (One, 8)).ShouldBeEmpty("one step is progress");

        IReadOnlyList<WatchFinding> LookBoth(int second) =>
            Look(second, Group(1, (Zero, second), (One, 5)), (Zero, second + 10), (One, 8));
    }

    [Fact]
    public void A_quiet_partition_has_its_time_from_its_first_record_on()
    {
        for (var second = 0; second <= 600; second += 10) Look(second, members: 1, next: 5, end: 5).ShouldBeEmpty();
        Look(610, members: 1, next: 5, end: 6).ShouldBeEmpty();
        Look(669, members: 1, next: 5, end: 6).ShouldBeEmpty();
        Look(670, members: 1, next: 5, end: 6).ShouldHaveSingleItem().Kind.ShouldBe(FindingKind.PartitionStuck);
    }

    [Fact]
    public void A_storm_is_more_than_five_times_the_usual_number_of_the_last_hour()
    {
        for (var second = 0; second < 3_600; second += 60) Count(second, 40).ShouldBeEmpty();
        Count(3_600, 200).ShouldBeEmpty("five times is not more");
        var found = Count(3_610, 201).ShouldHaveSingleItem();
        (found.Kind, found.Since).ShouldBe((FindingKind.ProducerStorm, Start.AddSeconds(3_610)));
        Count(3_620, 5_000).ShouldHaveSingleItem().Since.ShouldBe(Start.AddSeconds(3_610), "the same storm");
        Count(3_630, 60).ShouldBeEmpty();
    }

    [Fact]
    public void Few_producers_are_no_storm_however_fewer_there_were() => ((int[])[1, 1, 1, 49]).Select((n, at) => Count(at * 10, n))
        .ShouldAllBe(findings => findings.Count == 0);

    [Fact]
    public void A_first_look_sees_a_storm_too()
    {
        Count(0, 250).ShouldBeEmpty();
        new WatchCore(new WatchLimits()).Look(Snapshot(0, 251)).ShouldHaveSingleItem().Kind.ShouldBe(FindingKind.ProducerStorm);
    }

    [Fact]
    public void A_storm_that_grows_slowly_does_not_hide_behind_itself()
    {
        var first = Enumerable.Range(0, 300).First(n => Count(n * 10, 1 + n).Count > 0);
        first.ShouldBeLessThan(60);
        Count(3_010, 302).ShouldHaveSingleItem().Since.ShouldBe(Start.AddSeconds(first * 10));
    }

    [Fact]
    public void One_count_that_was_too_low_makes_no_storm_of_the_next()
    {
        for (var n = 0; n < 20; n++) Count(n * 10, n == 15 ? 5 : 60).ShouldBeEmpty();
    }

    [Fact]
    public void A_lasting_new_number_becomes_the_usual_one()
    {
        Count(0, 10);
        var alarms = Enumerable.Range(1, 400).Count(n => Count(n * 10, 300).Count > 0);
        alarms.ShouldBeGreaterThan(0);
        Count(4_010, 300).ShouldBeEmpty();
    }

    [Fact]
    public void Brokers_that_are_away_are_a_finding_and_end_no_other()
    {
        Look(0, members: 0, next: 3, end: 10);
        _core.LookInVain(Start.AddSeconds(10), "gone").Since.ShouldBe(Start.AddSeconds(10));
        _core.LookInVain(Start.AddSeconds(20), "gone").Since.ShouldBe(Start.AddSeconds(10));
        Look(30, members: 0, next: 3, end: 10).ShouldHaveSingleItem().Since.ShouldBe(Start);
        _core.LookInVain(Start.AddSeconds(40), "gone").Since.ShouldBe(Start.AddSeconds(40));
    }

    [Fact]
    public void What_is_gone_is_forgotten()
    {
        Look(0, members: 1, next: 3, end: 10);
        _core.Look(new WatchSnapshot(Start.AddSeconds(30), [], Offsets((Zero, 10)), null)).ShouldBeEmpty();
        Look(70, members: 1, next: 3, end: 10).ShouldBeEmpty("it was not there in between");
    }

    private IReadOnlyList<WatchFinding> Look(int second, int members, long next, long end) =>
        Look(second, Group(members, (Zero, next)), (Zero, end));

    private IReadOnlyList<WatchFinding> Look(int second, WatchedGroup group, params (TopicPartition, long)[] ends) =>
        _core.Look(new WatchSnapshot(Start.AddSeconds(second), [group], Offsets(ends), null));

    private IReadOnlyList<WatchFinding> Count(int second, long producers) => _core.Look(Snapshot(second, producers));

    private static WatchSnapshot Snapshot(int second, long producers) =>
        new(Start.AddSeconds(second), [], Offsets(), new ProducerCount(producers, producers, true));

    private static WatchedGroup Group(int members, params (TopicPartition Source, long Next)[] next) =>
        new("g", members, next.ToDictionary(pair => pair.Source, pair => pair.Next));

    private static Dictionary<TopicPartition, (long, long)> Offsets(params (TopicPartition Source, long End)[] ends) =>
        ends.ToDictionary(pair => pair.Source, pair => (0L, pair.End));
}
