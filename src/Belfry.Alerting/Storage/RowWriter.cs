using System.Data.Common;

namespace Belfry.Alerting.Storage;

/// <summary>
/// Runs one statement once a row: as batches where the driver has them (one round trip), else as one prepared command, which on SQLite
/// is faster than any multi-row text. Runs inside the caller's transaction, synchronously.
/// </summary>
internal static class RowWriter
{
    private const int BatchRowsMax = 500;

    /// <param name="connection">In the transaction.</param>
    /// <param name="sql">With the parameters <paramref name="names"/>, each as <c>@name</c>.</param>
    /// <param name="names">Parameter names in the order of a row's values.</param>
    /// <param name="rows">The values; null is SQL null.</param>
    public static void Execute(DbConnection connection, string sql, string[] names, IReadOnlyList<object?[]> rows)
    {
        if (rows.Count == 0) return;
        if (connection.CanCreateBatch)
            foreach (var chunk in rows.Chunk(BatchRowsMax)) ExecuteBatch(connection, sql, names, chunk);
        else ExecutePrepared(connection, sql, names, rows);
    }

    private static void ExecuteBatch(DbConnection connection, string sql, string[] names, object?[][] rows)
    {
        using var batch = connection.CreateBatch();
        foreach (var row in rows)
        {
            var command = batch.CreateBatchCommand();
            command.CommandText = sql;
            for (var i = 0; i < names.Length; i++)
            {
                var parameter = command.CreateParameter();
                parameter.ParameterName = names[i];
                parameter.Value = row[i] ?? DBNull.Value;
                command.Parameters.Add(parameter);
            }

            batch.BatchCommands.Add(command);
        }

        batch.ExecuteNonQuery();
    }

    private static void ExecutePrepared(DbConnection connection, string sql, string[] names, IReadOnlyList<object?[]> rows)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var name in names)
        {
            var parameter = command.CreateParameter();
            parameter.ParameterName = "@" + name;
            command.Parameters.Add(parameter);
        }

        foreach (var row in rows)
        {
            for (var i = 0; i < names.Length; i++) command.Parameters[i].Value = row[i] ?? DBNull.Value;
            command.ExecuteNonQuery();
        }
    }
}
