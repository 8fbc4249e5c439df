using Belfry.Alerting.Storage;

namespace Belfry.Alerting.Access;

/// <summary>The tables of sign-in. Of every secret only a hash is kept.</summary>
public static class AccessSchema
{
    public static IReadOnlyList<SchemaStep> Steps { get; } =
    [
        new("access", 1, """
            create table access_password (user_id text not null primary key, hash text not null, changed_at bigint not null);
            create table access_session (hash text not null primary key, id text not null unique, user_id text not null,
                created_at bigint not null, seen_at bigint not null, address text not null, agent text not null);
            create index access_session_user on access_session (user_id);
            create table access_token (hash text not null primary key, id text not null unique, user_id text not null, name text not null,
                prefix text not null, scope text not null, created_at bigint not null, expires_at bigint, used_at bigint,
                revoked_at bigint);
            create index access_token_user on access_token (user_id);
            create table access_invitation (hash text not null primary key, user_id text, created_at bigint not null,
                expires_at bigint not null, used_at bigint);
            """),
    ];
}
