using Belfry.Alerting;

namespace Belfry.Server.Hosting;

/// <summary>
/// What this process does of what Belfry does. In the clustered shape hops may run, and scale, apart; by default all run everywhere.
/// </summary>
internal sealed class RoleSet
{
    /// <summary>Takes events, and serves the REST API and the pages: everything over HTTP but health.</summary>
    public const string Api = "api";

    private readonly HashSet<string> _roles;

    private RoleSet(IEnumerable<string> roles) => _roles = new HashSet<string>(roles, StringComparer.Ordinal);

    /// <summary>The names, in the order of an event's way. Channels are roles by their own names.</summary>
    public static IReadOnlyList<string> Names { get; } = [Api, "incidents", "planning", "scheduler", "email", "webhook", "timeline"];

    /// <summary>The default.</summary>
    public static RoleSet All { get; } = new(Names);

    /// <summary>True: none is missing.</summary>
    public bool AreAll => _roles.Count == Names.Count;

    public bool ServesApi => _roles.Contains(Api);

    /// <summary>Names divided by commas; null: all. One fault names all that are wrong.</summary>
    public static RoleSet Read(string? text, List<string> faults)
    {
        if (text is null) return All;
        var given = text.Split(',', StringSplitOptions.TrimEntries);
        var wrong = given.Where(role => !Names.Contains(role)).Select(role => role.Length == 0 ? "an empty one" : $"'{role}'").ToList();
        if (wrong.Count == 0) return new RoleSet(given);
        faults.Add($"--roles names {string.Join(" and ", wrong.Distinct())}; there are {string.Join(", ", Names)}.");
        return All;
    }

    /// <summary>True: this process runs the hop.</summary>
    public bool Runs(Hop hop) => hop.Roles.Count == 0 || hop.Roles.Any(_roles.Contains);

    public override string ToString() => string.Join(", ", Names.Where(_roles.Contains));
}
