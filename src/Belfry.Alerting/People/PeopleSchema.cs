using Belfry.Alerting.Storage;

namespace Belfry.Alerting.People;

/// <summary>The tables of users, contact methods, their secrets, and notification rules.</summary>
public static class PeopleSchema
{
    public static IReadOnlyList<SchemaStep> Steps { get; } =
    [
        new("people", 1, """
            create table app_user (id text not null primary key, name text not null, email_key text not null unique, role text not null,
                document text not null);
            create table contact_method (id text not null primary key, user_id text not null, document text not null);
            create index contact_method_user on contact_method (user_id);
            create table contact_secret (method_id text not null primary key, secret text not null);
            create table notification_rule (id text not null primary key, user_id text not null, document text not null);
            create index notification_rule_user on notification_rule (user_id);
            """),
    ];
}
