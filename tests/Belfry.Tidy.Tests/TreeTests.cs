using System.Text.RegularExpressions;

namespace Belfry.Tidy.Tests;

public partial class TreeTests
{
    private static readonly string[] RootAllowed =
    [
        ".ci", ".editorconfig", ".gitignore", "Belfry.slnx", "CHANGELOG.md", "CONTRIBUTING.md", "Directory.Build.props",
        "Directory.Packages.props", "LICENSE", "README.md", "api",
        "bench", "deploy", "dev", "docs", "global.json", "samples", "src", "tests",
    ];

    [Fact]
    public void The_root_holds_nothing_unexpected() => Unexpected(Repository.Files).ShouldBeEmpty();

    [Fact]
    public void A_planted_file_in_the_root_is_caught() => Unexpected(["NOTES.md"]).ShouldBe(["NOTES.md"]);

    [Fact]
    public void Decisions_are_dated_and_their_slugs_are_unique() =>
        DecisionFaults(Repository.Files.Where(path => path.StartsWith("docs/decisions/", StringComparison.Ordinal))).ShouldBeEmpty();

    [Fact]
    public void A_planted_decision_without_a_date_or_with_a_slug_twice_is_caught() =>
        DecisionFaults(["docs/decisions/x.md", "docs/decisions/2026-01-01-a.md", "docs/decisions/2026-01-02-a.md"]).Count().ShouldBe(2);

    [Fact]
    public void Links_between_documents_lead_somewhere() =>
        Repository.Files.Where(path => path.EndsWith(".md", StringComparison.Ordinal)).SelectMany(path => DeadLinks(Repository.Read(path)))
            .ShouldBeEmpty();

    [Fact]
    public void A_planted_dead_link_is_caught() => DeadLinks(new SourceFile("docs/p.md", "[x](nowhere.md)")).ShouldNotBeEmpty();

    [Fact]
    public void Every_project_is_in_the_solution()
    {
        var solution = Repository.Read("Belfry.slnx").Text;
        Repository.Files.Where(path => path.EndsWith(".csproj", StringComparison.Ordinal))
            .Where(path => !solution.Contains(path, StringComparison.Ordinal)).ShouldBeEmpty();
    }

    private static IEnumerable<string> Unexpected(IEnumerable<string> paths) =>
        paths.Select(path => path.Split('/')[0]).Distinct().Where(name => !RootAllowed.Contains(name));

    private static IEnumerable<string> DecisionFaults(IEnumerable<string> paths)
    {
        var named = paths.Select(path => (path, match: Decision().Match(path))).ToList();
        return named.Where(x => !x.match.Success).Select(x => x.path)
            .Concat(named.Where(x => x.match.Success).GroupBy(x => x.match.Groups[1].Value).Where(group => group.Count() > 1)
                .Select(group => group.Key));
    }

    private static IEnumerable<string> DeadLinks(SourceFile file) =>
        Link().Matches(file.Text).Select(match => match.Groups[1].Value)
            .Where(target => !target.Contains("://", StringComparison.Ordinal) && !target.StartsWith('#')
                && !target.StartsWith("mailto:", StringComparison.Ordinal))
            .Where(target => !Path.Exists(Path.Combine(Repository.Root, Path.GetDirectoryName(file.Path) ?? "", target.Split('#')[0])))
            .Select(target => $"{file.Path}: {target}");

    [GeneratedRegex(@"^docs/decisions/\d{4}-\d{2}-\d{2}-([a-z0-9-]+)\.md$")]
    private static partial Regex Decision();

    [GeneratedRegex(@"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")]
    private static partial Regex Link();
}
