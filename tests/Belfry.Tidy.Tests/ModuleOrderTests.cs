using System.Text.RegularExpressions;

namespace Belfry.Tidy.Tests;

/// <summary>Modules of the product meet in the order of the data; what comes earlier does not know what comes later.</summary>
public partial class ModuleOrderTests
{
    // What each folder of Belfry.Alerting may name; records that others fold (LogEntry, Assignment) count as part of the module they
    // travel to.
    private static readonly Dictionary<string, string[]> MaySee = new()
    {
        ["Storage"] = [],
        ["People"] = ["Storage", "Incidents", "Planning", "Catalog"],
        ["OnCall"] = ["Storage", "People", "Catalog"],
        ["Catalog"] = ["Storage", "People", "OnCall"],
        ["Escalation"] = ["Catalog", "OnCall", "People", "Incidents", "Events"],
        ["Events"] = ["Catalog"],
        ["Incidents"] = ["Storage", "Events", "Catalog", "OnCall", "People", "Escalation", "Planning", "Timeline"],
        ["Planning"] = ["Storage", "People", "Incidents", "Timeline"],
        ["Dispatch"] = ["Storage", "People", "Incidents", "Planning", "Timeline", "Feedback"],
        ["Feedback"] = ["Incidents"],
        ["Timeline"] = ["Storage"],
        ["Access"] = ["Storage", "People", "Catalog"],
    };

    [Fact]
    public void Modules_see_only_what_the_table_allows() =>
        Repository.Sources().Where(file => file.Path.StartsWith("src/Belfry.Alerting/", StringComparison.Ordinal)).SelectMany(Forbidden)
            .ShouldBeEmpty();

    [Theory]
    [InlineData("src/Belfry.Alerting/Incidents/P.cs", "using Belfry.Alerting.Dispatch;")]
    [InlineData("src/Belfry.Alerting/Events/P.cs", "class C { Belfry.Alerting.Incidents.Incident? i; }")]
    [InlineData("src/Belfry.Alerting/Later/P.cs", "namespace Belfry.Alerting.Later;")]
    public void A_planted_glance_ahead_is_caught(string path, string text) => Forbidden(new SourceFile(path, text)).ShouldNotBeEmpty();

    private static IEnumerable<Violation> Forbidden(SourceFile file)
    {
        var parts = file.Path.Split('/');
        if (parts.Length < 4) return [];
        var module = parts[2];
        if (!MaySee.TryGetValue(module, out var allowed))
            return [new Violation(file.Path, 1, $"module '{module}' has no row in the table")];
        return file.Lines.SelectMany((line, i) => Named().Matches(line).Select(match => match.Groups[1].Value)
            .Where(seen => seen != module && MaySee.ContainsKey(seen) && !allowed.Contains(seen))
            .Select(seen => new Violation(file.Path, i + 1, $"{module} names {seen}")));
    }

    [GeneratedRegex(@"Belfry\.Alerting\.([A-Z]\w+)")]
    private static partial Regex Named();
}
