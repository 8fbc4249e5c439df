using Belfry.Alerting.Events;
using static Belfry.Alerting.Tests.Events.EventSamples;

namespace Belfry.Alerting.Tests.Events;

public class RecentEventsTests
{
    private readonly RecentEvents _recent = new();

    [Fact]
    public void The_newest_are_held_whole_and_the_oldest_go_once_the_room_is_used()
    {
        var random = new Random(7);
        var events = Enumerable.Range(0, 40_000).Select(number => Accepted(Trigger()) with
        {
            Id = new EventId(Guid.NewGuid()), DedupKey = $"key-{number % 100}", Summary = new string('é', random.Next(0, 200)),
        }).ToList();
        foreach (var one in events) _recent.Add(one);
        var held = events.Where(one => _recent.Find(one.Id) is not null).ToList();
        held.ShouldBe(events[^held.Count..], "in order of receipt");
        held.Count.ShouldBeInRange(RecentEvents.BytesMax / 600, RecentEvents.BytesMax / 100);
        foreach (var one in held) _recent.Find(one.Id).ShouldBe(EventMark.Of(one, EventProgress.Received, one.ReceivedAt));
        _recent.OfKey(Inlet, "key-3", 5).Select(mark => mark.Id)
            .ShouldBe(held.Where(one => one.DedupKey == "key-3").Reverse().Take(5).Select(one => one.Id));
    }

    [Fact]
    public void An_event_that_comes_twice_is_held_once()
    {
        var received = Accepted(Trigger());
        _recent.Add(received);
        _recent.Add(received);
        _recent.OfKey(received.IntegrationId, received.DedupKey, 10).Count.ShouldBe(1);
    }

    [Fact]
    public void The_longest_texts_are_held()
    {
        var text = string.Concat(Enumerable.Repeat("\U0001F600", 1_024));
        var longest = Accepted(Trigger()) with { Summary = text, DedupKey = text[..510] };
        _recent.Add(longest);
        var mark = _recent.Find(longest.Id)!;
        (mark.DedupKey, mark.Summary).ShouldBe((longest.DedupKey, RefusedEvent.Cut(text)));
    }
}
