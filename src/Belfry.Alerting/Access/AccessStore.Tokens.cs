using Belfry.Alerting.Catalog;
using Dapper;

namespace Belfry.Alerting.Access;

public sealed partial class AccessStore
{
    /// <summary>Before every API token.</summary>
    public const string TokenPrefix = "bfy_";

    /// <summary>Makes a token; its secret is shown this once.</summary>
    public async ValueTask<(ApiToken Token, Secret Secret)> IssueTokenAsync(
        UserId user, string name, TokenScope scope, DateTimeOffset? expiresAt, Actor by, DateTimeOffset now, CancellationToken cancel)
    {
        var secret = Secret.Make(secrets, TokenPrefix);
        var token = new ApiToken(ids.NextGuid(), user, name, secret.Prefix, scope, now, expiresAt, null, null);
        await WriteAsync(connection =>
        {
            connection.Execute("""
                insert into access_token (hash, id, user_id, name, prefix, scope, created_at, expires_at)
                values (@Hash, @id, @user, @name, @Prefix, @scope, @createdAt, @expiresAt)
                """, new
            {
                secret.Hash, id = token.Id.ToString("N"), user = user.ToString(), name, secret.Prefix, scope = scope.ToString(),
                createdAt = now.ToUnixTimeMilliseconds(), expiresAt = expiresAt?.ToUnixTimeMilliseconds(),
            });
            AuditLog.Append(connection, by, now, "issue_token", AuditKind, token.Id.ToString("N"), null, null);
        }, cancel);
        return (token, secret);
    }

    /// <summary>The open token that a presented text is, marked as used; else null.</summary>
    public async ValueTask<ApiToken?> FindTokenAsync(string text, DateTimeOffset now, CancellationToken cancel)
    {
        if (Secret.HashOfPresented(text) is not { } hash) return null;
        var token = await ReadAsync(connection => connection.QuerySingleOrDefault<TokenRow>(
            $"{SelectToken} where hash = @hash", new { hash })?.ToToken(), cancel);
        if (token is null || !token.IsOpenAt(now)) return null;
        if (now - token.UsedAt < ApiToken.UsedStep) return token;
        var noted = await NotedAsync("update access_token set used_at = @at where hash = @hash", hash, now, cancel);
        return noted ? token with { UsedAt = now } : token;
    }

    /// <summary>All tokens of a user, or of everybody when null, newest first; at most 1,000.</summary>
    public ValueTask<IReadOnlyList<ApiToken>> TokensOfAsync(UserId? user, CancellationToken cancel) =>
        ReadAsync<IReadOnlyList<ApiToken>>(
            connection =>
            [
                .. connection.Query<TokenRow>(
                    $"{SelectToken} where cast(@user as text) is null or user_id = @user order by created_at desc, id limit 1000",
                    new { user = user?.ToString() }).Select(row => row.ToToken()),
            ],
            cancel);

    /// <summary>Ends a token from the next request on; false when there is none, or it has ended.</summary>
    public ValueTask<bool> RevokeTokenAsync(Guid token, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        WriteAsync(connection =>
        {
            var revoked = connection.Execute(
                "update access_token set revoked_at = @at where id = @id and revoked_at is null",
                new { id = token.ToString("N"), at = now.ToUnixTimeMilliseconds() });
            if (revoked > 0) AuditLog.Append(connection, by, now, "revoke_token", AuditKind, token.ToString("N"), null, null);
            return revoked > 0;
        }, cancel);

    private const string SelectToken =
        "select id, user_id, name, prefix, scope, created_at, expires_at, used_at, revoked_at from access_token";

#pragma warning disable IDE1006 // Named as the columns.
    private sealed record TokenRow(
        string id, string user_id, string name, string prefix, string scope, long created_at, long? expires_at, long? used_at,
        long? revoked_at)
    {
        public ApiToken ToToken() => new(
            Guid.Parse(id), Id.Parse<UserId>(user_id), name, prefix, Enum.Parse<TokenScope>(scope), Time(created_at), Time(expires_at),
            Time(used_at), Time(revoked_at));
    }
#pragma warning restore IDE1006
}
