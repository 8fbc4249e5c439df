using Belfry.Alerting.Storage;

namespace Belfry.Alerting.Catalog;

/// <summary>The tables of the configuration: its version, audit log, references, services, integrations, policies and schedules.</summary>
public static class CatalogSchema
{
    public static IReadOnlyList<SchemaStep> Steps { get; } =
    [
        new("catalog", 1, """
            create table catalog_version (id bigint not null primary key, version bigint not null);
            insert into catalog_version (id, version) values (1, 0);
            create table audit_head (id bigint not null primary key, sequence bigint not null, hash text not null);
            insert into audit_head (id, sequence, hash) values (1, 0, '');
            create table audit_entry (sequence bigint not null primary key, at bigint not null, actor_id text, actor_name text not null,
                actor_address text, action text not null, kind text not null, object_id text not null, before_json text, after_json text,
                hash text not null);
            create table configuration_object (kind text not null, id text not null, name text not null, primary key (kind, id));
            create table configuration_reference (from_kind text not null, from_id text not null, to_kind text not null,
                to_id text not null,
                primary key (to_kind, to_id, from_kind, from_id));
            create index configuration_reference_from on configuration_reference (from_kind, from_id);
            create table service (id text not null primary key, name text not null, document text not null);
            create table integration (id text not null primary key, name text not null, service_id text not null,
                routing_key text not null unique,
                document text not null);
            create index integration_service on integration (service_id);
            create table escalation_policy (id text not null primary key, name text not null, content_version bigint not null,
                document text not null);
            create table escalation_policy_version (policy_id text not null, content_version bigint not null, saved_at bigint not null,
                document text not null, primary key (policy_id, content_version));
            create table oncall_schedule (id text not null primary key, name text not null, document text not null);
            """),
    ];
}
