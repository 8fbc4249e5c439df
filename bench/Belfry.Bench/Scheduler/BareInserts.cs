using System.Globalization;
using System.Diagnostics;
using Belfry.Log;
using Belfry.Scheduling;
using Npgsql;
using NpgsqlTypes;

namespace Belfry.Bench.Scheduler;

/// <summary>What PostgreSQL alone takes: rows of ended tasks into the store's table, each lot a transaction, from one session.</summary>
internal static class BareInserts
{
    private const int Lot = 2_000;
    private const int Lots = 60;

    private const string Columns =
        "sequence, id_hash, hash, bucket, state, due_ms, generation, attempts, log_offset, ended_ms, keep_from_ms, ordering_id, kind, " +
        "unique_key, payload";

    /// <returns>Rows a second by <c>insert … select unnest … on conflict</c>, and by binary COPY.</returns>
    public static async Task<(double Upserts, double Copies)> RunAsync(PostgresParts postgres, string schema, int orderingIds)
    {
        await using var connection = new NpgsqlConnection(
            new NpgsqlConnectionStringBuilder(postgres.ConnectionString) { SearchPath = schema }.ToString());
        await connection.OpenAsync();
        // Above every epoch that a worker of this run has had.
        var upserts = await MeasureAsync(1L << 60, UpsertAsync);
        var copies = await MeasureAsync((1L << 60) + (1L << 40), CopyAsync);
        return (upserts, copies);

        async Task<double> MeasureAsync(long first, Func<Row[], Task> putAsync)
        {
            var lots = Enumerable.Range(0, Lots + 5).Select(lot => Rows(first + (lot * Lot), orderingIds)).ToList();
            var startedAt = 0L;
            for (var lot = 0; lot < lots.Count; lot++)
            {
                if (lot == 5) startedAt = Stopwatch.GetTimestamp();
                await using var transaction = await connection.BeginTransactionAsync();
                await putAsync(lots[lot]);
                await transaction.CommitAsync();
            }

            return Lots * Lot / Stopwatch.GetElapsedTime(startedAt).TotalSeconds;
        }

        async Task UpsertAsync(Row[] rows)
        {
            await using var command = new NpgsqlCommand(
                $"insert into task ({Columns}) select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) " +
                "on conflict (sequence) do update set state = excluded.state", connection);
            Add(NpgsqlDbType.Bigint, rows.Select(row => row.Sequence).ToArray());
            Add(NpgsqlDbType.Bigint, rows.Select(row => row.IdHash).ToArray());
            Add(NpgsqlDbType.Integer, rows.Select(row => row.Hash).ToArray());
            Add(NpgsqlDbType.Smallint, rows.Select(row => (short)(row.Hash % 4_096)).ToArray());
            Add(NpgsqlDbType.Smallint, rows.Select(_ => (short)TaskState.Done).ToArray());
            for (var column = 0; column < 2; column++) Add(NpgsqlDbType.Bigint, rows.Select(row => row.Ms).ToArray());
            Add(NpgsqlDbType.Integer, rows.Select(_ => 1).ToArray());
            for (var column = 0; column < 3; column++) Add(NpgsqlDbType.Bigint, rows.Select(row => row.Ms).ToArray());
            Add(NpgsqlDbType.Text, rows.Select(row => row.OrderingId).ToArray());
            Add(NpgsqlDbType.Text, rows.Select(_ => TaskLoader.Kind).ToArray());
            Add(NpgsqlDbType.Text, rows.Select(row => row.UniqueKey).ToArray());
            Add(NpgsqlDbType.Bytea, rows.Select(_ => Array.Empty<byte>()).ToArray());
            await command.ExecuteNonQueryAsync();

            void Add(NpgsqlDbType type, object values) =>
                command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Array | type, Value = values });
        }

        async Task CopyAsync(Row[] rows)
        {
            await using var import = await connection.BeginBinaryImportAsync($"copy task ({Columns}) from stdin (format binary)");
            foreach (var row in rows)
            {
                await import.StartRowAsync();
                await import.WriteAsync(row.Sequence, NpgsqlDbType.Bigint);
                await import.WriteAsync(row.IdHash, NpgsqlDbType.Bigint);
                await import.WriteAsync(row.Hash, NpgsqlDbType.Integer);
                await import.WriteAsync((short)(row.Hash % 4_096), NpgsqlDbType.Smallint);
                await import.WriteAsync((short)TaskState.Done, NpgsqlDbType.Smallint);
                for (var column = 0; column < 2; column++) await import.WriteAsync(row.Ms, NpgsqlDbType.Bigint);
                await import.WriteAsync(1, NpgsqlDbType.Integer);
                for (var column = 0; column < 3; column++) await import.WriteAsync(row.Ms, NpgsqlDbType.Bigint);
                await import.WriteAsync(row.OrderingId, NpgsqlDbType.Text);
                await import.WriteAsync(TaskLoader.Kind, NpgsqlDbType.Text);
                await import.WriteAsync(row.UniqueKey, NpgsqlDbType.Text);
                await import.WriteAsync(Array.Empty<byte>(), NpgsqlDbType.Bytea);
            }

            await import.CompleteAsync();
        }
    }

    private static Row[] Rows(long first, int orderingIds)
    {
        var ms = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        return [.. Enumerable.Range(0, Lot).Select(n => Of(first + n))];

        Row Of(long sequence)
        {
            var id = new ScheduledTaskId(
                TaskLoader.OrderingId((int)(sequence % orderingIds)), TaskLoader.Kind,
                string.Create(CultureInfo.InvariantCulture, $"bare-{sequence}"));
            return new Row(sequence, id.Hash64(), Partitioner.Hash(id.OrderingId), ms, id.OrderingId, id.UniqueKey);
        }
    }

    private sealed record Row(long Sequence, long IdHash, int Hash, long Ms, string OrderingId, string UniqueKey);
}
