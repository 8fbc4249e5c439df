using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Belfry.Sqlite;

/// <summary>
/// A statement without rows, run with the parameters of an ADO.NET command: what a command does around it (a reader, each parameter
/// looked up by name at each run) costs about as much as a row of a table. Never used by two at a time.
/// </summary>
internal sealed class SqliteNonQuery : IDisposable
{
    private readonly sqlite3 _database;
    private readonly SqliteStatement _statement;
    private readonly string[] _names;

    // Where each parameter of the statement stood in the collection of the last run, and under which name.
    private readonly int[] _places;
    private readonly string?[] _given;

    private SqliteNonQuery(sqlite3 database, SqliteStatement statement, string[] names)
    {
        (_database, _statement, _names) = (database, statement, names);
        (_places, _given) = (new int[names.Length], new string?[names.Length]);
    }

    /// <summary>Null for what must go the long way: several statements in one text, rows as an answer, parameters without names.</summary>
    public static SqliteNonQuery? Prepare(SqliteConnection connection, string sql)
    {
        var database = connection.Handle ?? throw new InvalidOperationException("The connection is not open.");
        var statement = new SqliteStatement(connection, sql, out var isWhole);
        if (isWhole && statement.Columns == 0 && !statement.IsReadOnly && statement.ParameterNames() is { } names)
            return new SqliteNonQuery(database, statement, names);
        statement.Dispose();
        return null;
    }

    /// <summary>Runs it and counts the rows it changed. False, and nothing was done: a parameter is missing, or of a rare type.</summary>
    public bool TryRun(SqliteParameterCollection parameters, out int changes)
    {
        changes = 0;
        for (var at = 0; at < _names.Length; at++)
            if (!IsPlaced(parameters, at) || !TryBind(at + 1, parameters[_places[at]].Value)) return false;
        var before = raw.sqlite3_total_changes(_database);
        _statement.Run();
        changes = raw.sqlite3_total_changes(_database) - before;
        return true;
    }

    public void Dispose() => _statement.Dispose();

    private bool IsPlaced(SqliteParameterCollection parameters, int at)
    {
        var place = _places[at];
        if (place < parameters.Count && _given[at] is { } given && parameters[place].ParameterName == given) return true;
        for (place = 0; place < parameters.Count; place++)
        {
            var name = parameters[place].ParameterName;
            if (name != _names[at] && !_names[at].AsSpan(1).SequenceEqual(name)) continue;
            (_places[at], _given[at]) = (place, name);
            return true;
        }

        return false;
    }

    private bool TryBind(int at, object? value)
    {
        switch (value)
        {
            case string text: _statement.Bind(at, text); return true;
            case long number: _statement.Bind(at, number); return true;
            case int number: _statement.Bind(at, number); return true;
            case bool truth: _statement.Bind(at, truth ? 1 : 0); return true;
            case byte[] bytes: _statement.BindBlob(at, bytes); return true;
            case DBNull: _statement.BindNull(at); return true;
            default: return false;
        }
    }
}
