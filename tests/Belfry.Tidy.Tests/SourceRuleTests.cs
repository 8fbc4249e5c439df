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
        rule.Applies(rule.Planted.Path).ShouldBeTrue();
        rule.Find(rule.Planted).ShouldNotBeEmpty();
    }

    [Fact]
    public void The_rules_see_the_whole_tree() =>
        Repository.Sources().Select(file => file.Path.Split('/')[0]).Distinct().ShouldBe(["bench", "src", "tests"], ignoreOrder: true);

    private static IEnumerable<string> Violations(SourceRule rule) =>
        Repository.Sources().Where(file => rule.Applies(file.Path)).SelectMany(rule.Find).Select(found => found.ToString());

    private static SourceRule Named(string name) => SourceRules.All.Single(rule => rule.Name == name);
}
