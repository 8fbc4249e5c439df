using Belfry.Alerting.Storage;

namespace Belfry.Alerting.Incidents;

/// <summary>The tables of the incidents module, the fence's included.</summary>
public static class IncidentsSchema
{
    public static IReadOnlyList<SchemaStep> Steps { get; } =
    [
        PartitionFence.Schema,
        new SchemaStep("incidents", 1, """
            create table incident (id text not null primary key, number bigint not null, partition_no bigint not null,
                service_id text not null,
                status bigint not null, urgency bigint not null, created_at bigint not null, updated_at bigint not null,
                responders text not null, document text not null);
            create index incident_number on incident (number);
            create index incident_open on incident (partition_no) where status <> 2;
            create index incident_service on incident (service_id, number);
            create table incident_counter (name text not null primary key, next_number bigint not null);
            create table event_state (id text not null primary key, partition_no bigint not null, integration_id text,
                dedup_key text not null,
                progress bigint not null, reason text, incident_id text, at_ms bigint not null) {by key};
            create index event_state_age on event_state (partition_no, at_ms);
            create index event_state_scope on event_state (integration_id, dedup_key, at_ms) where integration_id is not null;
            create table change_event (id text not null primary key, partition_no bigint not null, service_id text not null,
                at_ms bigint not null,
                document text not null);
            create index change_event_service on change_event (service_id, at_ms);
            create index change_event_age on change_event (partition_no, at_ms);
            """),

        // Ids begin with their time, so what is past its retention is found by them, and the newest of a dedup key.
        new SchemaStep("incidents", 2, """
            drop index event_state_age;
            drop index event_state_scope;
            create index event_state_key on event_state (dedup_key, id) where integration_id is not null;
            """),
    ];
}
