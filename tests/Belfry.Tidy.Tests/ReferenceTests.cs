using System.Xml.Linq;

namespace Belfry.Tidy.Tests;

/// <summary>Which project may see which: design section 3, house style section 1.</summary>
public class ReferenceTests
{
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Belfry.Log"] = [],
        ["Belfry.Scheduling"] = ["Belfry.Log"],
        ["Belfry.Outbox"] = ["Belfry.Log"],
        ["Belfry.Deliveries"] = ["Belfry.Log"],
        ["Belfry.Sqlite"] =
        [
            "Belfry.Log", "Belfry.Scheduling", "Belfry.Outbox", "Belfry.Deliveries", "Microsoft.Data.Sqlite", "SQLitePCLRaw.core",
            "SQLitePCLRaw.bundle_e_sqlite3",
        ],
        ["Belfry.Kafka"] = ["Belfry.Log", "Confluent.Kafka"],
        ["Belfry.Testing"] =
        [
            "Belfry.Log", "Belfry.Scheduling", "Belfry.Outbox", "Belfry.Deliveries", "xunit", "Xunit.SkippableFact", "Shouldly",
        ],
        ["Belfry.Redis"] = ["Belfry.Deliveries", "StackExchange.Redis"],
        ["Belfry.Postgres"] = ["Belfry.Log", "Belfry.Scheduling", "Belfry.Outbox", "Belfry.Deliveries", "Npgsql"],
        ["Belfry.Alerting"] = ["Belfry.Log", "Belfry.Scheduling", "Belfry.Outbox", "Belfry.Deliveries", "Dapper", "NodaTime"],
        ["Belfry.Server"] =
        [
            "Belfry.Alerting", "Belfry.Cluster", "Belfry.Sqlite", "Belfry.Kafka", "Belfry.Postgres", "Belfry.Redis",
            "Microsoft.AspNetCore.OpenApi", "Dapper",
        ],
        // What both hosts need of the clustered shape; the framework brings the readers of configuration.
        ["Belfry.Cluster"] = ["Belfry.Alerting", "Belfry.Kafka", "Belfry.Postgres", "Belfry.Redis", "Microsoft.AspNetCore.App"],
        ["Belfry.Cli"] =
        [
            "Belfry.Alerting", "Belfry.Cluster", "Belfry.Kafka", "Belfry.Postgres", "System.CommandLine", "Microsoft.AspNetCore.App",
        ],
        // It starts the server and what that runs on, and links none of it.
        ["Belfry.Local"] = ["Microsoft.AspNetCore.App"],
    };

    private static readonly string[] ForEverybody = ["Microsoft.Extensions.Logging.Abstractions"];

    public static TheoryData<string> Projects =>
    [
        .. Repository.Files.Where(path =>
            path.StartsWith("src/", StringComparison.Ordinal) && path.EndsWith(".csproj", StringComparison.Ordinal)),
    ];

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_project_sees_only_what_its_place_allows(string path) => Forbidden(path, Repository.Read(path).Text).ShouldBeEmpty();

    [Theory]
    [InlineData("src/Belfry.Log/Belfry.Log.csproj", """<PackageReference Include="Confluent.Kafka" />""")]
    [InlineData(
        "src/Belfry.Scheduling/Belfry.Scheduling.csproj", """<ProjectReference Include="../Belfry.Outbox/Belfry.Outbox.csproj" />""")]
    [InlineData(
        "src/Belfry.Sqlite/Belfry.Sqlite.csproj", """<ProjectReference Include="../Belfry.Alerting/Belfry.Alerting.csproj" />""")]
    [InlineData("src/Belfry.Kafka/Belfry.Kafka.csproj", """<ProjectReference Include="../Belfry.Outbox/Belfry.Outbox.csproj" />""")]
    [InlineData(
        "src/Belfry.Redis/Belfry.Redis.csproj", """<ProjectReference Include="../Belfry.Alerting/Belfry.Alerting.csproj" />""")]
    [InlineData("src/Belfry.Deliveries/Belfry.Deliveries.csproj", """<PackageReference Include="StackExchange.Redis" />""")]
    [InlineData("src/Belfry.Postgres/Belfry.Postgres.csproj", """<PackageReference Include="Microsoft.Data.Sqlite" />""")]
    [InlineData("src/Belfry.Alerting/Belfry.Alerting.csproj", """<PackageReference Include="Npgsql" />""")]
    [InlineData("src/Belfry.Alerting/Belfry.Alerting.csproj", """<FrameworkReference Include="Microsoft.AspNetCore.App" />""")]
    [InlineData("src/Belfry.Cluster/Belfry.Cluster.csproj", """<ProjectReference Include="../Belfry.Server/Belfry.Server.csproj" />""")]
    [InlineData("src/Belfry.Cli/Belfry.Cli.csproj", """<ProjectReference Include="../Belfry.Server/Belfry.Server.csproj" />""")]
    public void A_planted_reference_is_caught(string path, string reference) =>
        Forbidden(path, $"<Project><ItemGroup>{reference}</ItemGroup></Project>").ShouldNotBeEmpty();

    private static IEnumerable<string> Forbidden(string path, string project)
    {
        var name = Path.GetFileNameWithoutExtension(path);
        var seen = XDocument.Parse(project).Descendants()
            .Where(element => element.Name.LocalName is "ProjectReference" or "PackageReference" or "FrameworkReference")
            .Select(element => element.Attribute("Include")!.Value)
            .Select(target => target.EndsWith(".csproj", StringComparison.Ordinal) ? Path.GetFileNameWithoutExtension(target) : target);
        return Allowed.TryGetValue(name, out var allowed) ? seen.Except(allowed).Except(ForEverybody) : [$"{name} has no row in the table"];
    }
}
