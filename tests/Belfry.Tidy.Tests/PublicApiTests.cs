using System.Reflection;
using System.Text;

namespace Belfry.Tidy.Tests;

/// <summary>
/// The public surface of each library, in api/*.txt: a change of it is seen in review. <c>./dev api --accept</c> writes it anew.
/// </summary>
public class PublicApiTests
{
    // What the compiler writes for every record and delegate says nothing about the surface.
    private static readonly string[] Boilerplate =
        ["Equals", "GetHashCode", "Deconstruct", "BeginInvoke", "EndInvoke", "value__", "PrintMembers", "ToString", "GetBaseDefinition"];

    private const BindingFlags OfThisType = BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    public static TheoryData<string> Libraries =>
        ["Belfry.Log", "Belfry.Scheduling", "Belfry.Outbox", "Belfry.Deliveries", "Belfry.Testing"];

    [Theory]
    [MemberData(nameof(Libraries))]
    public void The_public_surface_is_the_accepted_one(string library)
    {
        var path = Path.Combine(Repository.Root, "api", library + ".txt");
        var surface = Surface(Assembly.Load(library));
        if (Environment.GetEnvironmentVariable("BELFRY_API_ACCEPT") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, surface);
        }

        var accepted = File.Exists(path) ? File.ReadAllText(path) : "";
        surface.ShouldBe(accepted, $"api/{library}.txt differs; if the change is meant: ./dev api --accept");
    }

    [Fact]
    public void A_changed_surface_is_caught() => Surface(typeof(Planted).Assembly).ShouldContain(nameof(PublicApiTests));

    private static string Surface(Assembly assembly)
    {
        var text = new StringBuilder();
        foreach (var type in assembly.GetExportedTypes().OrderBy(type => type.FullName, StringComparer.Ordinal))
        {
            text.Append(type.FullName).Append('\n');
            var members = type.GetMembers(OfThisType).Where(IsWritten).Select(member => member.ToString()!);
            foreach (var member in members.Order(StringComparer.Ordinal))
                text.Append("    ").Append(member).Append('\n');
        }

        return text.ToString();
    }

    private static bool IsWritten(MemberInfo member) =>
        member is not MethodInfo { IsSpecialName: true } && !member.Name.Contains('<', StringComparison.Ordinal)
        && !Boilerplate.Contains(member.Name);
}
