namespace Belfry.Sqlite.Tests;

public sealed class PartitionSharesTests
{
    [Fact]
    public void Shares_differ_by_one_at_most_and_cover_every_unit()
    {
        foreach (var (current, members) in Cases())
        {
            var target = PartitionShares.Share(current, members);
            target.All(member => member >= 0 && member < members).ShouldBeTrue(string.Join(",", target));
            var counts = Enumerable.Range(0, members).Select(m => target.Count(t => t == m)).ToList();
            (counts.Max() - counts.Min()).ShouldBeLessThanOrEqualTo(1);
        }
    }

    [Fact]
    public void As_few_units_move_as_evenness_allows()
    {
        foreach (var (current, members) in Cases())
        {
            var target = PartitionShares.Share(current, members);
            var had = Enumerable.Range(0, members).Select(m => current.Count(c => c == m)).OrderDescending().ToList();
            var (least, odd) = (current.Length / members, current.Length % members);
            var mayStay = had.Select((count, at) => Math.Min(count, least + (at < odd ? 1 : 0))).Sum();
            current.Where((member, unit) => member >= 0 && target[unit] == member).Count().ShouldBe(mayStay);
        }
    }

    [Fact]
    public void Without_members_nobody_has_anything() => PartitionShares.Share([0, -1], 0).ShouldBe([-1, -1]);

    private static IEnumerable<(int[] Current, int Members)> Cases()
    {
        var random = new Random(11);
        for (var n = 0; n < 500; n++)
        {
            var members = random.Next(1, 6);
            yield return ([.. Enumerable.Range(0, random.Next(0, 13)).Select(_ => random.Next(-1, members))], members);
        }
    }
}
