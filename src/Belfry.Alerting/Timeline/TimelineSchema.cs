using Belfry.Alerting.Storage;

namespace Belfry.Alerting.Timeline;

/// <summary>The tables of the timeline module, the fence's included.</summary>
public static class TimelineSchema
{
    // No index by partition: only a rebuild and its comparison look that way, and they read all of it anyway.
    public static IReadOnlyList<SchemaStep> Steps { get; } =
    [
        PartitionFence.Schema,
        new SchemaStep("timeline", 1, """
            create table timeline_entry (incident_id text not null, sequence bigint not null, entry_id text not null,
                partition_no bigint not null,
                log_offset bigint not null, at_ms bigint not null, document text not null, primary key (incident_id, sequence)) {by key};
            create unique index timeline_entry_id on timeline_entry (entry_id);
            create index timeline_entry_at on timeline_entry (at_ms);
            create table timeline_rejected (partition_no bigint not null, log_offset bigint not null, reason text not null,
                value {bytes} not null,
                primary key (partition_no, log_offset));
            """),

        // By entry id, which begins with the time of what caused it: most new rows come at the end.
        new SchemaStep("timeline", 2, """
            {keep out of timeline_entry}
            create table timeline_entry_by_id (entry_id text not null primary key, incident_id text not null, sequence bigint not null,
                partition_no bigint not null,
                log_offset bigint not null, at_ms bigint not null, document text not null) {by key};
            insert into timeline_entry_by_id (entry_id, incident_id, sequence, partition_no, log_offset, at_ms, document)
                select entry_id, incident_id, sequence, partition_no, log_offset, at_ms, document from timeline_entry order by entry_id;
            drop table timeline_entry;
            alter table timeline_entry_by_id rename to timeline_entry;
            create unique index timeline_entry_place on timeline_entry (incident_id, sequence);
            create index timeline_entry_at on timeline_entry (at_ms);
            """),
    ];
}
