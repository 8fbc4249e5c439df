using Belfry.Alerting.Incidents;
using Shouldly;
using Xunit;

namespace Belfry.Alerting.Tests.Incidents;

public class KnownIdsTests
{
    private static readonly DateTimeOffset Start = new(2026, 3, 2, 9, 0, 0, TimeSpan.Zero);
    private readonly KnownIds _known = new();

    [Fact]
    public void Of_an_empty_store_nothing_was_taken()
    {
        _known.Load(null);
        _known.WasTaken(IdAt(0)).ShouldBe(false);
    }

    [Fact]
    public void Up_to_the_newest_in_the_store_only_the_store_knows()
    {
        var newest = IdAt(10);
        _known.Load(newest);
        _known.WasTaken(newest).ShouldBeNull();
        _known.WasTaken(IdAt(9)).ShouldBeNull();
        _known.WasTaken(IdAt(11)).ShouldBe(false);
    }

    [Fact]
    public void What_was_added_was_taken_be_it_old_or_new()
    {
        var (old, late) = (IdAt(5), IdAt(15));
        _known.Load(IdAt(10));
        _known.Add(old);
        _known.Add(late);
        (_known.WasTaken(old), _known.WasTaken(late)).ShouldBe((true, true));
        _known.Load(IdAt(20));
        (_known.WasTaken(old), _known.WasTaken(late)).ShouldBe((null, null));
    }

    [Fact]
    public void What_is_let_go_when_full_is_asked_of_the_store_and_what_is_newer_is_not()
    {
        _known.Load(null);
        var first = IdAt(0);
        _known.Add(first);
        for (var second = 1; second < KnownIds.SeenMax; second++) _known.Add(IdAt(second));
        _known.WasTaken(first).ShouldBe(true);
        var next = IdAt(KnownIds.SeenMax);
        _known.Add(next);
        _known.WasTaken(first).ShouldBeNull();
        _known.WasTaken(next).ShouldBe(true);
        _known.WasTaken(IdAt(KnownIds.SeenMax + 1)).ShouldBe(false);
    }

    private static EventId IdAt(int second) => new(Guid.CreateVersion7(Start.AddSeconds(second)));
}
