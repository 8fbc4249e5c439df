using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Belfry.Tidy.Tests;

public sealed partial class TelemetryTests
{
    [Fact]
    public void Every_instrument_is_described() => Undescribed(Sources(), Repository.Read("docs/telemetry.md").Text).ShouldBeEmpty();

    [Fact]
    public void A_planted_instrument_without_a_description_is_caught() => Undescribed(
        [new SourceFile("src/P.cs", "Meter.CreateCounter<long>(\n    \"belfry.planted\", null);")], "belfry.planted_other")
        .ShouldBe(["belfry.planted"]);

    [Fact]
    public void The_checks_for_consul_ask_for_routes_that_are_public()
    {
        var checks = JsonNode.Parse(Repository.Read("deploy/consul/belfry.json").Text)!["service"]!["checks"]!.AsArray();
        var routes = Repository.Read("src/Belfry.Server/Security/PublicRoutes.cs").Text;
        var paths = checks.Select(check => new Uri(check!["http"]!.GetValue<string>()).AbsolutePath).ToList();
        paths.ShouldBe(["/health/live", "/health/ready"]);
        paths.ShouldAllBe(path => routes.Contains($"\"{path}\"", StringComparison.Ordinal));
    }

    private static IEnumerable<SourceFile> Sources() =>
        Repository.Sources().Where(source => source.Path.StartsWith("src/", StringComparison.Ordinal));

    private static IEnumerable<string> Undescribed(IEnumerable<SourceFile> sources, string description) => sources
        .SelectMany(source => Instrument().Matches(source.Text)).Select(match => match.Groups[1].Value)
        .Where(name => !description.Contains($"`{name}`", StringComparison.Ordinal));

    [GeneratedRegex("""\.Create(?:Observable)?(?:Counter|Gauge|Histogram|UpDownCounter)(?:<\w+>)?\(\s*"([^"]+)""")]
    private static partial Regex Instrument();
}
