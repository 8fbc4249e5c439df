using System.Runtime.CompilerServices;
using Microsoft.Data.Sqlite;

namespace Belfry.Sqlite;

/// <summary>
/// The prepared statements of one connection, kept by their text. What it returns is shared by all who pass the same text on that
/// connection: use it up before the next call, and never inside a loop over its own rows.
/// </summary>
internal sealed class SqliteStatementCache
{
    /// <summary>Texts are constants of the drivers, so this is only reached by text that is built at run time.</summary>
    private const int StatementsMax = 512;

    private static readonly ConditionalWeakTable<SqliteConnection, SqliteStatementCache> Caches = [];

    private readonly Dictionary<string, SqliteStatement> _statements = new(StringComparer.Ordinal);

    public static SqliteStatementCache Of(SqliteConnection connection) => Caches.GetOrCreateValue(connection);

    /// <summary>Finalises all of them; call before the connection closes.</summary>
    public static void Release(SqliteConnection connection)
    {
        if (!Caches.TryGetValue(connection, out var cache)) return;
        foreach (var statement in cache._statements.Values) statement.Dispose();
        Caches.Remove(connection);
    }

    public SqliteStatement Statement(SqliteConnection connection, string sql)
    {
        if (_statements.TryGetValue(sql, out var statement)) return statement;
        if (_statements.Count >= StatementsMax)
            throw new InvalidOperationException(
                $"A connection holds {_statements.Count} of at most {StatementsMax} prepared statements; " +
                $"pass values as parameters, not in the text: {sql}");
        return _statements[sql] = new SqliteStatement(connection, sql);
    }
}

/// <summary>The short way to the cache.</summary>
internal static class SqliteConnectionStatements
{
    /// <summary>The prepared statement of this text: bind every parameter, then step and reset, or run.</summary>
    public static SqliteStatement Statement(this SqliteConnection connection, string sql) =>
        SqliteStatementCache.Of(connection).Statement(connection, sql);
}
