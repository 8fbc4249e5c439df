using Npgsql;
using NpgsqlTypes;

namespace Belfry.Postgres;

/// <summary>Statements with parameters by position, <c>$1</c> first. Arrays are for <c>unnest</c>: many rows, one statement.</summary>
internal static class PostgresCommands
{
    public static NpgsqlCommand Statement(this NpgsqlConnection connection, string sql, params ReadOnlySpan<NpgsqlParameter> parameters)
    {
        var command = new NpgsqlCommand(sql, connection);
        foreach (var parameter in parameters) command.Parameters.Add(parameter);
        return command;
    }

    public static NpgsqlBatch With(this NpgsqlBatch batch, string sql, params ReadOnlySpan<NpgsqlParameter> parameters)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var parameter in parameters) command.Parameters.Add(parameter);
        batch.BatchCommands.Add(command);
        return batch;
    }

    /// <summary>The first column of the first row; null for no row, or for a null in it.</summary>
    public static async ValueTask<long?> OneAsync(this NpgsqlCommand command, CancellationToken cancel)
    {
        await using (command) return await command.ExecuteScalarAsync(cancel) is long value ? value : null;
    }

    public static async ValueTask<int> RunAsync(this NpgsqlCommand command, CancellationToken cancel)
    {
        await using (command) return await command.ExecuteNonQueryAsync(cancel);
    }

    public static async ValueTask<List<T>> ListAsync<T>(
        this NpgsqlCommand command, Func<NpgsqlDataReader, T> read, CancellationToken cancel)
    {
        await using (command)
        {
            var rows = new List<T>();
            await using var reader = await command.ExecuteReaderAsync(cancel);
            while (await reader.ReadAsync(cancel)) rows.Add(read(reader));
            return rows;
        }
    }

    public static NpgsqlParameter Of(long value) => new NpgsqlParameter<long> { TypedValue = value };

    public static NpgsqlParameter Of(int value) => new NpgsqlParameter<int> { TypedValue = value };

    public static NpgsqlParameter Of(string? text) =>
        new() { NpgsqlDbType = NpgsqlDbType.Text, Value = (object?)PostgresText.EncodeOrNull(text) ?? DBNull.Value };

    public static NpgsqlParameter Of(IEnumerable<long> values) => Array(NpgsqlDbType.Bigint, values.ToArray());

    public static NpgsqlParameter Of(IEnumerable<long?> values) => Array(NpgsqlDbType.Bigint, values.ToArray());

    public static NpgsqlParameter Of(IEnumerable<int> values) => Array(NpgsqlDbType.Integer, values.ToArray());

    public static NpgsqlParameter Of(IEnumerable<string?> texts) =>
        Array(NpgsqlDbType.Text, texts.Select(PostgresText.EncodeOrNull).ToArray());

    public static NpgsqlParameter Of(IEnumerable<byte[]?> values) => Array(NpgsqlDbType.Bytea, values.ToArray());

    public static string Text(this NpgsqlDataReader row, int column) => PostgresText.Decode(row.GetString(column));

    public static string? TextOrNull(this NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.Text(column);

    public static long? LongOrNull(this NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.GetInt64(column);

    private static NpgsqlParameter Array(NpgsqlDbType type, object values) =>
        new() { NpgsqlDbType = NpgsqlDbType.Array | type, Value = values };
}
