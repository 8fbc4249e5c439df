using Microsoft.Data.Sqlite;

namespace Belfry.Sqlite;

/// <summary>Opens and closes the two kinds of connections of a file.</summary>
internal static class SqliteConnections
{
    /// <summary>
    /// Every commit is synced (<c>synchronous=full</c>), and this connection alone checkpoints: versions before 3.51.3 can corrupt a
    /// file when two checkpoints race (https://sqlite.org/wal.html#walresetbug).
    /// </summary>
    public static SqliteConnection OpenWriter(string path, SqliteFileOptions options) => Open(path, SqliteOpenMode.ReadWriteCreate, $"""
        pragma journal_mode = wal;
        pragma synchronous = full;
        pragma wal_autocheckpoint = {options.CheckpointPages};
        pragma journal_size_limit = {options.WalBytesMax};
        pragma cache_size = -{options.CacheBytes >> 10};
        pragma temp_store = memory;
        pragma foreign_keys = on;
        """);

    /// <summary>A read-only connection cannot write a checkpoint.</summary>
    public static SqliteConnection OpenReader(string path, SqliteFileOptions options) => Open(path, SqliteOpenMode.ReadOnly, $"""
        pragma cache_size = -{options.CacheBytes >> 10};
        pragma temp_store = memory;
        """);

    public static void Close(SqliteConnection connection)
    {
        SqliteStatementCache.Release(connection);
        connection.Dispose();
    }

    private static SqliteCachingConnection Open(string path, SqliteOpenMode mode, string pragmas)
    {
        var text = new SqliteConnectionStringBuilder { DataSource = path, Mode = mode, Pooling = false, DefaultTimeout = 5 };
        var connection = new SqliteCachingConnection(text.ToString());
        try
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "pragma busy_timeout = 5000;" + pragmas;
            command.ExecuteNonQuery();
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }
}
