using Belfry.Alerting.People;
using Microsoft.AspNetCore.Authorization;

namespace Belfry.Server.Security;

/// <summary>
/// The authorisation policies, one a role; each role may do what those before it may. A route names exactly one of them, or is public
/// and listed in <see cref="PublicRoutes"/>. A route that does neither answers 403 to everybody, and a test fails.
/// </summary>
public static class Policies
{
    /// <summary>May read.</summary>
    public const string Observer = "observer";

    /// <summary>May also act on incidents and edit themselves and their own contact methods.</summary>
    public const string Responder = "responder";

    /// <summary>May also edit services, schedules and escalation policies.</summary>
    public const string Manager = "manager";

    /// <summary>May also edit people, tokens and invitations.</summary>
    public const string Administrator = "admin";

    /// <summary>Whoever holds <see cref="MetricsToken"/>, and administrators.</summary>
    public const string Metrics = "metrics";

    internal static IReadOnlyDictionary<string, UserRole> LeastRoles { get; } = new Dictionary<string, UserRole>
    {
        [Observer] = UserRole.Observer,
        [Responder] = UserRole.Responder,
        [Manager] = UserRole.Manager,
        [Administrator] = UserRole.Administrator,
        [Metrics] = UserRole.Administrator,
    };

    internal static void Configure(AuthorizationOptions options)
    {
        foreach (var (name, least) in LeastRoles.Where(pair => pair.Key != Metrics))
            options.AddPolicy(name, policy => policy
                .RequireAuthenticatedUser()
                .RequireAssertion(context => Caller.Of(context.User) is { } caller && caller.Role >= least));
        options.AddPolicy(Metrics, policy => policy.RequireAssertion(context =>
            MetricsToken.Opens(context.Resource) || Caller.Of(context.User) is { Role: >= UserRole.Administrator }));
        options.DefaultPolicy = options.GetPolicy(Administrator)!;
        options.FallbackPolicy = new AuthorizationPolicyBuilder().RequireAuthenticatedUser().RequireAssertion(_ => false).Build();
    }
}
