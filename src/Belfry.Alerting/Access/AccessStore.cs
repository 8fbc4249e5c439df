using System.Data.Common;
using Belfry.Alerting.Catalog;
using Belfry.Outbox;
using Dapper;

namespace Belfry.Alerting.Access;

/// <summary>
/// Passwords, invitations, sessions and API tokens. Who a user is and what role they have is not kept here (People). Every change that
/// opens or closes a door is audited in the same transaction.
/// </summary>
public sealed partial class AccessStore(IOutboxStore store, IdSource ids, SecretSource secrets)
{
    private const string AuditKind = "access";

    /// <summary>Sets or replaces a password and ends all sessions of the user.</summary>
    /// <param name="user">Whose.</param>
    /// <param name="passwordHash">From <see cref="PasswordHash.Create"/>: made by the caller, who bounds that work.</param>
    /// <param name="by">Who does it.</param>
    /// <param name="now">When.</param>
    /// <param name="cancel">Gives up waiting.</param>
    public ValueTask SetPasswordAsync(UserId user, string passwordHash, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        WriteAsync(connection => PutPassword(connection, user, passwordHash, by, now), cancel);

    /// <summary>The stored hash; null when the user has no password.</summary>
    public ValueTask<string?> PasswordHashOfAsync(UserId user, CancellationToken cancel) =>
        ReadAsync(connection => connection.ExecuteScalar<string?>(
            "select hash from access_password where user_id = @user", new { user = user.ToString() }), cancel);

    /// <summary>Everybody who can sign in.</summary>
    public ValueTask<IReadOnlySet<UserId>> UsersWithPasswordAsync(CancellationToken cancel) =>
        ReadAsync<IReadOnlySet<UserId>>(
            connection => connection.Query<string>("select user_id from access_password").Select(Id.Parse<UserId>).ToHashSet(), cancel);

    /// <summary>Writes down that a sign-in failed, for the audit's reader.</summary>
    public ValueTask RecordFailedSignInAsync(string email, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        WriteAsync(connection => AuditLog.Append(connection, by, now, "sign_in_failed", AuditKind, email, null, null), cancel);

    private static void PutPassword(DbConnection connection, UserId user, string passwordHash, Actor by, DateTimeOffset now)
    {
        connection.Execute("""
            insert into access_password (user_id, hash, changed_at) values (@user, @passwordHash, @at)
            on conflict (user_id) do update set hash = excluded.hash, changed_at = excluded.changed_at
            """, new { user = user.ToString(), passwordHash, at = now.ToUnixTimeMilliseconds() });
        connection.Execute("delete from access_session where user_id = @user", new { user = user.ToString() });
        AuditLog.Append(connection, by, now, "set_password", AuditKind, user.ToString(), null, null);
    }

    /// <summary>
    /// Notes a use at @at; false while the store takes no writes. That keeps nobody out: what was not noted only ends the sooner, and
    /// the next request notes it.
    /// </summary>
    private async ValueTask<bool> NotedAsync(string sql, string hash, DateTimeOffset now, CancellationToken cancel)
    {
        try
        {
            await WriteAsync(connection => connection.Execute(sql, new { hash, at = now.ToUnixTimeMilliseconds() }), cancel);
            return true;
        }
        catch (StoreUnavailableException)
        {
            return false;
        }
    }

    private async ValueTask WriteAsync(Action<DbConnection> work, CancellationToken cancel) =>
        await store.WriteAsync(tx =>
        {
            work(tx.Connection);
            return ValueTask.FromResult(true);
        }, cancel);

    private ValueTask<T> WriteAsync<T>(Func<DbConnection, T> work, CancellationToken cancel) =>
        store.WriteAsync(tx => ValueTask.FromResult(work(tx.Connection)), cancel);

    private ValueTask<T> ReadAsync<T>(Func<DbConnection, T> read, CancellationToken cancel) =>
        store.ReadAsync(connection => ValueTask.FromResult(read(connection)), cancel);

    private static DateTimeOffset Time(long ms) => DateTimeOffset.FromUnixTimeMilliseconds(ms);

    private static DateTimeOffset? Time(long? ms) => ms is { } value ? Time(value) : null;
}
