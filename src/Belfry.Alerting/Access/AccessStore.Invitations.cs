using Belfry.Alerting.Catalog;
using Dapper;

namespace Belfry.Alerting.Access;

public sealed partial class AccessStore
{
    private const int BesidesMax = 32;

    /// <summary>Makes a link for a user, or, when null, for the first administrator. Former ones for the same end with it.</summary>
    public ValueTask<Secret> InviteAsync(UserId? user, TimeSpan lifetime, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        InviteAsync(user, endFormer: true, lifetime, by, now, cancel);

    /// <summary>
    /// Makes one more link for the first administrator: several processes on one store each give one out, of which the newest 32 hold.
    /// The first one used ends the rest.
    /// </summary>
    public ValueTask<Secret> InviteBesidesAsync(TimeSpan lifetime, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        InviteAsync(null, endFormer: false, lifetime, by, now, cancel);

    private async ValueTask<Secret> InviteAsync(
        UserId? user, bool endFormer, TimeSpan lifetime, Actor by, DateTimeOffset now, CancellationToken cancel)
    {
        var secret = Secret.Make(secrets, "");
        await WriteAsync(connection =>
        {
            var userId = user?.ToString();
            connection.Execute(
                "delete from access_invitation where used_at is null " +
                "and (user_id = @userId or (user_id is null and cast(@userId as text) is null)) " +
                (endFormer ? "" : """
                and hash not in (select hash from access_invitation where used_at is null and user_id is null
                    order by created_at desc limit @kept)
                """),
                new { userId, kept = BesidesMax - 1 });
            connection.Execute("""
                insert into access_invitation (hash, user_id, created_at, expires_at) values (@Hash, @userId, @createdAt, @expiresAt)
                """, new
            {
                secret.Hash, userId, createdAt = now.ToUnixTimeMilliseconds(), expiresAt = (now + lifetime).ToUnixTimeMilliseconds(),
            });
            AuditLog.Append(connection, by, now, "invite", AuditKind, userId ?? "first administrator", null, null);
        }, cancel);
        return secret;
    }

    /// <summary>What a presented text opens; null when it is unknown, used or expired.</summary>
    public ValueTask<Invitation?> FindInvitationAsync(string text, DateTimeOffset now, CancellationToken cancel) =>
        ReadAsync(connection =>
        {
            var row = connection.QuerySingleOrDefault<InvitationRow>(
                "select user_id, expires_at from access_invitation where hash = @hash and used_at is null and expires_at > @at",
                new { hash = Secret.HashOfPresented(text), at = now.ToUnixTimeMilliseconds() });
            return row is null
                ? null
                : new Invitation(row.user_id is null ? null : Id.Parse<UserId>(row.user_id), Time(row.expires_at));
        }, cancel);

    /// <summary>Uses the invitation up and sets the password, both or neither. False: another was faster, or it has ended.</summary>
    public ValueTask<bool> RedeemAsync(
        string text, UserId user, string passwordHash, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        WriteAsync(connection =>
        {
            var used = connection.Execute("""
                update access_invitation set used_at = @at
                where hash = @hash and used_at is null and expires_at > @at and (user_id is null or user_id = @user)
                """, new { hash = Secret.HashOfPresented(text), user = user.ToString(), at = now.ToUnixTimeMilliseconds() });
            if (used == 0) return false;
            connection.Execute("""
                delete from access_invitation where used_at is null and user_id is null
                and exists (select 1 from access_invitation used where used.hash = @Hash and used.user_id is null)
                """, new { Hash = Secret.HashOfPresented(text) });
            PutPassword(connection, user, passwordHash, by, now);
            return true;
        }, cancel);

    // Named as the columns: Dapper maps them as they are.
#pragma warning disable IDE1006
    private sealed record InvitationRow(string? user_id, long expires_at);
#pragma warning restore IDE1006
}
