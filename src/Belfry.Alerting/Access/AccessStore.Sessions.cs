using Belfry.Alerting.Catalog;
using Dapper;

namespace Belfry.Alerting.Access;

public sealed partial class AccessStore
{
    private const int AgentLengthMax = 200;

    /// <summary>Signs a user in. Sessions that have ended are removed on the way, so their table stays small.</summary>
    public async ValueTask<Secret> OpenSessionAsync(
        UserId user, string address, string agent, Actor by, DateTimeOffset now, CancellationToken cancel)
    {
        var secret = Secret.Make(secrets, "");
        var id = ids.NextGuid().ToString("N");
        await WriteAsync(connection =>
        {
            connection.Execute("delete from access_session where seen_at <= @idle or created_at <= @old", new
            {
                idle = (now - Session.IdleMax).ToUnixTimeMilliseconds(), old = (now - Session.AgeMax).ToUnixTimeMilliseconds(),
            });
            connection.Execute("""
                insert into access_session (hash, id, user_id, created_at, seen_at, address, agent)
                values (@Hash, @id, @user, @at, @at, @address, @agent)
                """, new
            {
                secret.Hash, id, user = user.ToString(), at = now.ToUnixTimeMilliseconds(), address,
                agent = agent.Length > AgentLengthMax ? agent[..AgentLengthMax] : agent,
            });
            AuditLog.Append(connection, by, now, "sign_in", AuditKind, user.ToString(), null, null);
        }, cancel);
        return secret;
    }

    /// <summary>The open session that a presented text belongs to, marked as seen if the store takes it; else null.</summary>
    public async ValueTask<Session?> FindSessionAsync(string text, DateTimeOffset now, CancellationToken cancel)
    {
        if (Secret.HashOfPresented(text) is not { } hash) return null;
        var session = await ReadAsync(connection => connection.QuerySingleOrDefault<SessionRow>(
            $"{SelectSession} where hash = @hash", new { hash })?.ToSession(), cancel);
        if (session is null || !session.IsOpenAt(now)) return null;
        if (now - session.SeenAt < Session.SeenStep) return session;
        var noted = await NotedAsync("update access_session set seen_at = @at where hash = @hash", hash, now, cancel);
        return noted ? session with { SeenAt = now } : session;
    }

    /// <summary>Open sessions of a user, newest first.</summary>
    public ValueTask<IReadOnlyList<Session>> SessionsOfAsync(UserId user, DateTimeOffset now, CancellationToken cancel) =>
        ReadAsync<IReadOnlyList<Session>>(
            connection =>
            [
                .. connection.Query<SessionRow>(
                    $"{SelectSession} where user_id = @user order by created_at desc", new { user = user.ToString() })
                    .Select(row => row.ToSession()).Where(session => session.IsOpenAt(now)),
            ],
            cancel);

    /// <summary>Signs out by the cookie's text; a text that opens nothing is ignored.</summary>
    public ValueTask CloseSessionAsync(string text, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        WriteAsync(connection =>
        {
            var closed = connection.Execute("delete from access_session where hash = @hash", new { hash = Secret.HashOfPresented(text) });
            if (closed > 0) AuditLog.Append(connection, by, now, "sign_out", AuditKind, by.UserId?.ToString() ?? by.Name, null, null);
        }, cancel);

    /// <summary>Ends one session of a user; false when there is no such one.</summary>
    public ValueTask<bool> RevokeSessionAsync(UserId user, Guid session, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        WriteAsync(connection =>
        {
            var closed = connection.Execute(
                "delete from access_session where id = @id and user_id = @user",
                new { id = session.ToString("N"), user = user.ToString() });
            if (closed > 0) AuditLog.Append(connection, by, now, "revoke_session", AuditKind, session.ToString("N"), null, null);
            return closed > 0;
        }, cancel);

    private const string SelectSession = "select id, user_id, created_at, seen_at, address, agent from access_session";

#pragma warning disable IDE1006 // Named as the columns.
    private sealed record SessionRow(string id, string user_id, long created_at, long seen_at, string address, string agent)
    {
        public Session ToSession() => new(Guid.Parse(id), Id.Parse<UserId>(user_id), Time(created_at), Time(seen_at), address, agent);
    }
#pragma warning restore IDE1006
}
