using Belfry.Alerting.Access;

namespace Belfry.Server.Security;

internal sealed record NewToken(string? Name, string? Scope, DateTimeOffset? ExpiresAt);

internal sealed record TokenShape(
    string Id, string UserId, string Name, string Prefix, string Scope, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt,
    DateTimeOffset? LastUsedAt, DateTimeOffset? RevokedAt)
{
    public static TokenShape Of(ApiToken token) => new(
        token.Id.ToString("N"), token.UserId.ToString(), token.Name, token.Prefix, token.Scope == TokenScope.Write ? "write" : "read",
        token.CreatedAt, token.ExpiresAt, token.UsedAt, token.RevokedAt);
}

internal sealed record TokenList(IReadOnlyList<TokenShape> Tokens);

/// <param name="Token">The token as it is listed from now on.</param>
/// <param name="Secret">Shown this once.</param>
internal sealed record IssuedToken(TokenShape Token, string Secret);

internal sealed record SessionShape(string Id, DateTimeOffset CreatedAt, DateTimeOffset SeenAt, string Address, string Agent)
{
    public static SessionShape Of(Session session) =>
        new(session.Id.ToString("N"), session.CreatedAt, session.SeenAt, session.Address, session.Agent);
}

internal sealed record SessionList(IReadOnlyList<SessionShape> Sessions);

internal sealed record IssuedInvitation(string Link, DateTimeOffset ExpiresAt);
