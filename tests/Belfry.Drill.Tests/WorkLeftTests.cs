using Belfry.Drill.Reading;
using Confluent.Kafka;

namespace Belfry.Drill.Tests;

/// <summary>When a drill may be read: what groups have committed against what is there.</summary>
public class WorkLeftTests
{
    private readonly Dictionary<(string Group, TopicPartition Place), long> _committed = [];
    private readonly Dictionary<TopicPartition, long> _ends = [];

    [Fact]
    public void Nothing_is_left_when_every_group_has_committed_to_the_ends()
    {
        var place = End("incident-log", 3, 17);
        _committed[("timeline", place)] = 17;
        End("notifications", 0, 0);
        Left().ShouldBeEmpty();
    }

    [Fact]
    public void What_a_group_has_not_committed_is_left_however_still_it_stands()
    {
        var place = End("incoming-events", 5, 12);
        _committed[("incidents", place)] = 9;
        Left().ShouldBe(["group incidents has 3 records of drill.incoming-events/5 to do"]);
    }

    [Fact]
    public void A_group_that_never_committed_has_all_of_it_to_do()
    {
        End("planning-feedback", 1, 4);
        Left().ShouldBe(["group planning has 4 records of drill.planning-feedback/1 to do"]);
    }

    [Fact]
    public void Each_channel_has_to_read_the_notifications_by_itself()
    {
        var place = End("notifications", 2, 8);
        _committed[("dispatch-email", place)] = 8;
        Left().ShouldBe(["group dispatch-webhook has 8 records of drill.notifications/2 to do"]);
    }

    private TopicPartition End(string topic, int partition, long end)
    {
        var place = new TopicPartition("drill." + topic, partition);
        _ends[place] = end;
        return place;
    }

    private IReadOnlyList<string> Left() => [.. WorkLeft.RecordsLeft(_committed, _ends)];
}
