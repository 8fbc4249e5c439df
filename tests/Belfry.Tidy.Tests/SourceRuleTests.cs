namespace Belfry.Tidy.Tests;

public class SourceRuleTests
{
    public static TheoryData<string> Rules => [.. SourceRules.All.Select(rule => rule.Name)];

    [Theory]
    [MemberData(nameof(Rules))]
    public void The_repository_keeps_the_rule(string rule) => Violations(Named(rule)).ShouldBeEmpty();

    [Theory]
    [MemberData(nameof(Rules))]
    public void A_planted_violation_is_caught(string name)
    {
        var rule = Named(name);
        rule.Planted.ShouldNotBeEmpty();
        foreach (var planted in rule.Planted)
        {
            rule.Applies(planted.Path).ShouldBeTrue(planted.Path);
            rule.Find(planted).ShouldNotBeEmpty(planted.Text);
        }
    }

    [Fact]
    public void A_line_of_140_columns_passes() =>
        Named("A line has at most 140 columns").Find(new SourceFile("src/P.cs", new string('x', 140) + "\r\n")).ShouldBeEmpty();

    [Theory]
    [MemberData(nameof(WaitRule.Allowed), MemberType = typeof(WaitRule))]
    public void A_wait_by_a_provider_passes(string text) => WaitRule.Find(new SourceFile("tests/P.cs", text)).ShouldBeEmpty();

    [Theory]
    [MemberData(nameof(WaitRule.Exempt), MemberType = typeof(WaitRule))]
    public void A_file_that_may_wait_by_the_real_clock_does(string path) => WaitRule.Find(Repository.Read(path)).ShouldNotBeEmpty();

    [Fact]
    public void The_rules_see_the_whole_tree() =>
        Repository.Sources().Select(file => file.Path.Split('/')[0]).Distinct().ShouldBe(["bench", "src", "tests"], ignoreOrder: true);

    private static IEnumerable<string> Violations(SourceRule rule) =>
        Repository.Sources().Where(file => rule.Applies(file.Path)).SelectMany(rule.Find).Select(found => found.ToString());

    private static SourceRule Named(string name) => SourceRules.All.Single(rule => rule.Name == name);
}
