using Belfry.Drill.Drills;

namespace Belfry.Drill.Tests;

/// <summary>What a slow machine explains, and what it does not.</summary>
public class BoundTests
{
    [Theory]
    [InlineData(3_999, true)]
    [InlineData(4_001, false)]
    public void A_time_has_four_times_its_limit(double value, bool holds)
    {
        var bound = new Bound("gap", value, Bound.Milliseconds, 1_000);
        bound.IsSpeed.ShouldBeTrue();
        bound.Holds.ShouldBeFalse();
        bound.HoldsRoughly.ShouldBe(holds);
    }

    [Theory]
    [InlineData(90, true)]
    [InlineData(89, false)]
    public void A_share_that_depends_on_time_has_the_room_that_it_names(double value, bool holds)
    {
        var bound = new Bound("accepted", value, "%", 99, IsLeast: true, RoughLimit: 90);
        bound.IsSpeed.ShouldBeTrue();
        bound.Holds.ShouldBeFalse();
        bound.HoldsRoughly.ShouldBe(holds);
    }

    [Fact]
    public void A_count_is_no_matter_of_time() => new Bound("errors", 1, "", 0).IsSpeed.ShouldBeFalse();
}
