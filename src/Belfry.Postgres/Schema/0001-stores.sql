-- The tables of the four stores. Text columns that may hold anything are written through PostgresText.

create table outbox_lane (
    id bigint generated always as identity primary key,
    name text collate "C" not null unique,
    next_sequence bigint not null
) with (fillfactor = 50);

-- Rows come and go all the time: dead ones are cleared early, for the oldest are looked for first.
create table outbox_message (
    lane_id bigint not null,
    sequence bigint not null,
    topic text not null,
    ordering_key text not null,
    record_key text,
    headers text,
    value bytea not null,
    primary key (lane_id, sequence)
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);

-- One counter: epochs grow over all partitions.
create table task_epoch (one integer primary key check (one = 1), epoch bigint not null);
insert into task_epoch (one, epoch) values (1, 0);

create table task_owner (
    topic text collate "C" not null,
    partition_no integer not null,
    epoch bigint not null,
    position bigint not null,
    primary key (topic, partition_no)
) with (fillfactor = 50);

-- Keyed by the task's sequence, which grows. Identity is found by 64 bits of its digest, the text compared afterwards. The bucket (of
-- 4,096) is for sharding; the hash gives the partition under any partition count.
create table task (
    sequence bigint primary key,
    id_hash bigint not null,
    due_ms bigint not null,
    generation bigint not null,
    log_offset bigint not null,
    hash integer not null,
    attempts integer not null,
    bucket smallint not null,
    state smallint not null,
    next_attempt_ms bigint,
    ended_ms bigint,
    keep_from_ms bigint,
    ordering_id text collate "C" not null,
    kind text collate "C" not null,
    unique_key text collate "C" not null,
    reason text,
    payload bytea not null
) with (fillfactor = 90);
create index task_identity on task (id_hash);
create index task_due on task (due_ms, sequence) where state < 2;
create index task_lane on task (hash, due_ms, sequence) where state < 2;
create index task_keep on task (keep_from_ms) where state in (2, 3);
create index task_dead on task (sequence) where state = 4;
create index task_parked on task (sequence) where state = 1;

create table task_undecodable (
    topic text collate "C" not null,
    partition_no integer not null,
    log_offset bigint not null,
    appended_ms bigint not null,
    key text,
    value bytea not null,
    reason text not null,
    primary key (topic, partition_no, log_offset)
);

create table delivery_epoch (one integer primary key check (one = 1), epoch bigint not null);
insert into delivery_epoch (one, epoch) values (1, 0);

create table delivery_owner (
    group_name text collate "C" not null,
    topic text collate "C" not null,
    partition_no integer not null,
    epoch bigint not null,
    primary key (group_name, topic, partition_no)
);

-- States are the numbers of DeliveryState; 3 and 4 are unknown and dead, 0 and 2 are open.
create table delivery (
    day integer not null,
    idem_key text collate "C" not null,
    channel text not null,
    recipient text not null,
    state integer not null,
    epoch bigint not null,
    attempt integer not null,
    generation integer not null,
    attempts_before integer not null,
    reason text,
    provider_ref text,
    next_at bigint,
    updated_at bigint not null,
    record_key text,
    record_value bytea,
    attempts_lost integer not null,
    primary key (day, idem_key)
) with (fillfactor = 80);
create index delivery_dead on delivery (day, idem_key) where state in (3, 4);

create table parked_owner (
    group_name text collate "C" not null,
    topic text collate "C" not null,
    partition_no integer not null,
    epoch bigint not null,
    primary key (group_name, topic, partition_no)
);

create table parked_record (
    group_name text collate "C" not null,
    topic text collate "C" not null,
    partition_no integer not null,
    log_offset bigint not null,
    lane_key text not null,
    attempts integer not null,
    due_at bigint not null,
    reason text not null,
    appended_at bigint not null,
    key text,
    headers text,
    value bytea not null,
    primary key (group_name, topic, partition_no, log_offset)
);
