using System.Runtime.CompilerServices;
using Microsoft.Data.Sqlite;

namespace Belfry.Sqlite;

/// <summary>
/// The prepared statements of one connection, kept by their text. What it returns is shared by all who pass the same text on that
/// connection: use it up before the next call, and never inside a loop over its own rows.
/// </summary>
internal sealed class SqliteCommandCache
{
    /// <summary>Texts are constants of the drivers, so this is only reached by text that is built at run time.</summary>
    private const int StatementsMax = 512;

    private static readonly ConditionalWeakTable<SqliteConnection, SqliteCommandCache> Caches = [];

    private readonly Dictionary<string, SqliteStatement> _statements = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SqliteCommand> _commands = new(StringComparer.Ordinal);

    public static SqliteCommandCache Of(SqliteConnection connection) => Caches.GetOrCreateValue(connection);

    /// <summary>Finalises all of them; call before the connection closes.</summary>
    public static void Release(SqliteConnection connection)
    {
        if (!Caches.TryGetValue(connection, out var cache)) return;
        foreach (var statement in cache._statements.Values) statement.Dispose();
        foreach (var command in cache._commands.Values) command.Dispose();
        Caches.Remove(connection);
    }

    public SqliteStatement Statement(SqliteConnection connection, string sql)
    {
        if (_statements.TryGetValue(sql, out var statement)) return statement;
        Bound(_statements.Count, sql);
        return _statements[sql] = new SqliteStatement(connection, sql);
    }

    public SqliteCommand Command(SqliteConnection connection, string sql)
    {
        if (_commands.TryGetValue(sql, out var command)) return command;
        Bound(_commands.Count, sql);
        command = connection.CreateCommand();
        command.CommandText = sql;
        return _commands[sql] = command;
    }

    private static void Bound(int count, string sql)
    {
        if (count >= StatementsMax)
            throw new InvalidOperationException(
                $"A connection holds {count} of at most {StatementsMax} prepared statements; " +
                $"pass values as parameters, not in the text: {sql}");
    }
}

/// <summary>Short ways to the cache.</summary>
internal static class SqliteConnectionStatements
{
    /// <summary>The prepared statement of this text: bind every parameter, then step and reset, or run.</summary>
    public static SqliteStatement Statement(this SqliteConnection connection, string sql) =>
        SqliteCommandCache.Of(connection).Statement(connection, sql);

    /// <summary>The kept command of this text, its parameters set by name (<c>@name</c>); a null value is a SQL null.</summary>
    public static SqliteCommand Command(this SqliteConnection connection, string sql,
        params ReadOnlySpan<(string Name, object? Value)> values)
    {
        var command = SqliteCommandCache.Of(connection).Command(connection, sql);
        if (command.Parameters.Count == 0)
            foreach (var (name, value) in values)
                command.Parameters.AddWithValue(name, value ?? DBNull.Value);
        else
            foreach (var (name, value) in values)
                command.Parameters[name].Value = value ?? DBNull.Value;
        return command;
    }
}
