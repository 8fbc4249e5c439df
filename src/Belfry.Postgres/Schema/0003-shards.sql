-- Which part of the rows this database holds, and of how many databases: written when they are first opened together.
create table shard_layout (one integer primary key check (one = 1), shard integer not null, shards integer not null);
