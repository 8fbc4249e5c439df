using Belfry.Log;
using Belfry.Outbox;
using Npgsql;
using static Belfry.Postgres.PostgresCommands;

namespace Belfry.Postgres;

/// <summary>
/// Parked records in a PostgreSQL database, beside a log that keeps none itself. Safe for use by several threads. Faults of the server come
/// out as <see cref="LogUnavailableException"/>.
/// </summary>
public sealed class PostgresParkedRecordStore(PostgresDatabase database) : IParkedRecordStore
{
    private const string Upsert = """
        insert into parked_record (group_name, topic, partition_no, log_offset, lane_key, attempts, due_at, reason, appended_at, key,
            headers, value)
        select $1, $2, $3, * from unnest($4, $5, $6, $7, $8, $9, $10, $11, $12)
        on conflict (group_name, topic, partition_no, log_offset) do update set lane_key = excluded.lane_key,
            attempts = excluded.attempts, due_at = excluded.due_at, reason = excluded.reason, appended_at = excluded.appended_at,
            key = excluded.key, headers = excluded.headers, value = excluded.value
        """;

    public ValueTask<long> TakeOverAsync(string group, TopicPartition source, CancellationToken cancel) => Guarded(database.WriteAsync(
        async connection => (await connection.Statement("""
            insert into parked_owner (group_name, topic, partition_no, epoch) values ($1, $2, $3, 1)
            on conflict (group_name, topic, partition_no) do update set epoch = parked_owner.epoch + 1
            returning epoch
            """, Of(group), Of(source.Topic), Of(source.Partition)).OneAsync(cancel))!.Value,
        cancel));

    public async ValueTask ApplyAsync(
        string group, TopicPartition source, long epoch,
        IReadOnlyList<ParkedRecord> parked, IReadOnlyList<long> doneOffsets, CancellationToken cancel) =>
        await Guarded(database.WriteAsync(
            async connection =>
            {
                // The first statement locks the owner's row until the commit; a stale epoch finds none, and all the rest is undone.
                await using var batch = new NpgsqlBatch(connection).With(
                    "update parked_owner set epoch = epoch where group_name = $1 and topic = $2 and partition_no = $3 and epoch = $4",
                    Of(group), Of(source.Topic), Of(source.Partition), Of(epoch));
                if (parked.Count > 0) Put(batch, group, source, [.. parked.GroupBy(r => r.Record.Offset).Select(writes => writes.Last())]);
                if (doneOffsets.Count > 0)
                    batch.With(
                        "delete from parked_record where group_name = $1 and topic = $2 and partition_no = $3 and log_offset = any ($4)",
                        Of(group), Of(source.Topic), Of(source.Partition), Of(doneOffsets));
                await batch.ExecuteNonQueryAsync(cancel);
                if (batch.BatchCommands[0].RecordsAffected == 1) return true;
                var newest = await connection.Statement(
                    "select epoch from parked_owner where group_name = $1 and topic = $2 and partition_no = $3",
                    Of(group), Of(source.Topic), Of(source.Partition)).OneAsync(cancel) ?? 0;
                throw new OwnershipLostException(
                    $"Parked records of {source} for group '{group}' are at epoch {newest}, and this writer has {epoch}.");
            },
            cancel));

    public ValueTask<IReadOnlyList<ParkedRecord>> LoadAsync(
        string group, TopicPartition source, long fromOffset, int max, CancellationToken cancel) =>
        Guarded(database.ReadAsync<IReadOnlyList<ParkedRecord>>(
            async connection => await connection.Statement("""
                select log_offset, lane_key, attempts, due_at, reason, appended_at, key, headers, value from parked_record
                where group_name = $1 and topic = $2 and partition_no = $3 and log_offset >= $4 order by log_offset limit $5
                """, Of(group), Of(source.Topic), Of(source.Partition), Of(fromOffset), Of(max))
                .ListAsync(row => Read(row, group, source), cancel),
            cancel));

    private static void Put(NpgsqlBatch batch, string group, TopicPartition source, IReadOnlyList<ParkedRecord> rows) => batch.With(
        Upsert, Of(group), Of(source.Topic), Of(source.Partition), Of(rows.Select(r => r.Record.Offset)),
        Of(rows.Select(r => (string?)r.LaneKey)), Of(rows.Select(r => r.Attempts)), Of(rows.Select(r => DueMs(r.DueAt))),
        Of(rows.Select(r => (string?)r.Reason)), Of(rows.Select(r => r.Record.AppendedAt.ToUnixTimeMilliseconds())),
        Of(rows.Select(r => r.Record.Key)), Of(rows.Select(r => Headers.Encode(r.Record.Headers))),
        Of(rows.Select(r => (byte[]?)r.Record.Value.ToArray())));

    /// <summary>Rounded up: a record never runs before it is due.</summary>
    private static long DueMs(DateTimeOffset dueAt) => dueAt.AddTicks(TimeSpan.TicksPerMillisecond - 1).ToUnixTimeMilliseconds();

    private static ParkedRecord Read(NpgsqlDataReader row, string group, TopicPartition source) => new()
    {
        Group = group,
        LaneKey = row.Text(1),
        Attempts = row.GetInt32(2),
        DueAt = DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(3)),
        Reason = row.Text(4),
        Record = new LogRecord
        {
            Source = source,
            Offset = row.GetInt64(0),
            AppendedAt = DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(5)),
            Key = row.TextOrNull(6),
            Headers = Headers.Decode(row.TextOrNull(7)),
            Value = row.GetFieldValue<byte[]>(8),
        },
    };

    /// <summary>The seam beside the log speaks of the log's faults.</summary>
    private static async ValueTask<T> Guarded<T>(ValueTask<T> call)
    {
        try
        {
            return await call;
        }
        catch (StoreUnavailableException exception)
        {
            throw new LogUnavailableException(exception.Message, exception);
        }
    }
}
