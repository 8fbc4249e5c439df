-- The topics that tasks are written to, one generation after another. No row: there is only the first, as the configuration declares it.
create table task_topic (
    generation integer primary key,
    topic text collate "C" not null unique,
    partitions integer not null,
    made_ms bigint not null,
    retired_ms bigint
);
create unique index task_topic_current on task_topic ((1)) where retired_ms is null;
