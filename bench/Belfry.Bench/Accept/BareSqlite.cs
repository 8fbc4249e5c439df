using System.Diagnostics;
using Microsoft.Data.Sqlite;

namespace Belfry.Bench.Accept;

/// <summary>
/// The rival: one thread that commits lots of rows through Microsoft.Data.Sqlite, synced as ours are, and does nothing else.
/// </summary>
internal static class BareSqlite
{
    /// <summary>How many bytes an accepted event takes in its row, on average.</summary>
    /// <param name="path">Of a server that has ended.</param>
    public static int EventRowBytes(string path)
    {
        using var connection = Open(path);
        using var command = connection.CreateCommand();
        command.CommandText = """
            select avg(length(key) + length(value) + ifnull(length(headers), 0)) from log_record join log_partition on id = position >> 40
            where topic like '%incoming-events'
            """;
        return (int)Math.Round((double)command.ExecuteScalar()!);
    }

    public static double RowsPerSecond(string path, int rowBytes, int rowsPerCommit, TimeSpan length)
    {
        using var connection = Open(path);
        Run(connection, "pragma journal_mode = wal; pragma synchronous = full");
        Run(connection, "create table bare (id integer primary key, value blob not null)");
        using var insert = connection.CreateCommand();
        insert.CommandText = "insert into bare (id, value) values ($id, $value)";
        var id = insert.Parameters.Add("$id", SqliteType.Integer);
        insert.Parameters.Add("$value", SqliteType.Blob).Value = new byte[rowBytes];
        var rows = 0L;
        var started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started) < length)
        {
            using var transaction = connection.BeginTransaction();
            insert.Transaction = transaction;
            for (var row = 0; row < rowsPerCommit; row++)
            {
                id.Value = rows++;
                insert.ExecuteNonQuery();
            }

            transaction.Commit();
        }

        return rows / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private static SqliteConnection Open(string path)
    {
        var connection = new SqliteConnection($"Data Source={path};Pooling=False");
        connection.Open();
        return connection;
    }

    private static void Run(SqliteConnection connection, string text)
    {
        using var command = connection.CreateCommand();
        command.CommandText = text;
        command.ExecuteNonQuery();
    }
}
