using System.Security.Claims;
using Belfry.Alerting;
using Belfry.Alerting.People;

namespace Belfry.Server.Security;

/// <summary>How a request proved who it is from.</summary>
public enum CallerProof
{
    /// <summary>A session cookie: a person at a browser. Never accepted under <c>/api</c>.</summary>
    Session,

    /// <summary>An API token in the Authorization header.</summary>
    Token,
}

/// <summary>Who a request is from. The role is read from the catalog at each request, so a change acts at once.</summary>
/// <param name="UserId">The person.</param>
/// <param name="Name">For display.</param>
/// <param name="Role">Present role.</param>
/// <param name="Proof">How it was proved.</param>
public sealed record Caller(UserId UserId, string Name, UserRole Role, CallerProof Proof)
{
    private const string RoleClaim = "belfry:role";
    private const string ProofClaim = "belfry:proof";

    /// <summary>The caller of a request, or null when there is none.</summary>
    public static Caller? Of(ClaimsPrincipal principal) =>
        Id.TryParse<UserId>(principal.FindFirstValue(ClaimTypes.NameIdentifier), out var id)
        && Enum.TryParse<UserRole>(principal.FindFirstValue(RoleClaim), out var role)
        && Enum.TryParse<CallerProof>(principal.FindFirstValue(ProofClaim), out var proof)
            ? new Caller(id, principal.FindFirstValue(ClaimTypes.Name) ?? "", role, proof)
            : null;

    internal ClaimsPrincipal ToPrincipal(string scheme) => new(new ClaimsIdentity(
        [
            new Claim(ClaimTypes.NameIdentifier, UserId.ToString()),
            new Claim(ClaimTypes.Name, Name),
            new Claim(RoleClaim, Role.ToString()),
            new Claim(ProofClaim, Proof.ToString()),
        ],
        scheme));
}
