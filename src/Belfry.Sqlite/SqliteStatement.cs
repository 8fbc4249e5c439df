using System.Buffers;
using System.Text;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Belfry.Sqlite;

/// <summary>
/// One prepared statement without ADO.NET between: for statements that run tens of thousands of times a second. Parameters count
/// from 1, columns from 0. Belongs to its connection's <see cref="SqliteStatementCache"/>; never used by two at a time.
/// </summary>
internal sealed class SqliteStatement : IDisposable
{
    private readonly sqlite3 _database;
    private readonly sqlite3_stmt _statement;

    public SqliteStatement(SqliteConnection connection, string sql) : this(connection, sql, out _)
    {
    }

    /// <param name="connection">Open.</param>
    /// <param name="sql">Of which the first statement is prepared.</param>
    /// <param name="isWhole">False when more than blanks follows it.</param>
    public SqliteStatement(SqliteConnection connection, string sql, out bool isWhole)
    {
        _database = connection.Handle ?? throw new InvalidOperationException("The connection is not open.");
        SqliteException.ThrowExceptionForRC(raw.sqlite3_prepare_v2(_database, sql, out _statement, out var rest), _database);
        isWhole = string.IsNullOrWhiteSpace(rest);
    }

    /// <summary>0 for a statement that returns no rows.</summary>
    public int Columns => raw.sqlite3_column_count(_statement);

    public bool IsReadOnly => raw.sqlite3_stmt_readonly(_statement) != 0;

    /// <summary>With their sign, in the order they are bound in; null when one has none.</summary>
    public string[]? ParameterNames()
    {
        var names = new string[raw.sqlite3_bind_parameter_count(_statement)];
        for (var at = 0; at < names.Length; at++)
            if (raw.sqlite3_bind_parameter_name(_statement, at + 1).utf8_to_string() is { Length: > 1 } name) names[at] = name;
            else return null;
        return names;
    }

    public SqliteStatement Bind(int at, long value)
    {
        Check(raw.sqlite3_bind_int64(_statement, at, value));
        return this;
    }

    /// <summary>Text is bound by its length, so that it may hold a NUL.</summary>
    public SqliteStatement Bind(int at, string? value)
    {
        if (value is null) return BindNull(at);
        var length = Encoding.UTF8.GetMaxByteCount(value.Length);
        var rented = length <= 1024 ? null : ArrayPool<byte>.Shared.Rent(length);
        Span<byte> utf8 = rented is null ? stackalloc byte[length] : rented;
        utf8 = utf8[..Encoding.UTF8.GetBytes(value, utf8)];

        // The statement keeps a copy of its own.
        var result = utf8.IsEmpty ? raw.sqlite3_bind_text(_statement, at, "") : raw.sqlite3_bind_text(_statement, at, utf8);
        if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
        Check(result);
        return this;
    }

    /// <summary>An empty span is an empty blob, not null.</summary>
    public SqliteStatement BindBlob(int at, ReadOnlySpan<byte> value)
    {
        Check(value.IsEmpty ? raw.sqlite3_bind_zeroblob(_statement, at, 0) : raw.sqlite3_bind_blob(_statement, at, value));
        return this;
    }

    public SqliteStatement BindNull(int at)
    {
        Check(raw.sqlite3_bind_null(_statement, at));
        return this;
    }

    /// <summary>Runs a statement that returns no row, and readies it for the next time.</summary>
    public void Run()
    {
        try
        {
            while (Step())
            {
            }
        }
        finally
        {
            Reset();
        }
    }

    /// <summary>True when there is a row to read. After the last one, or when done early, call <see cref="Reset"/>.</summary>
    public bool Step()
    {
        var result = raw.sqlite3_step(_statement);
        if (result == raw.SQLITE_ROW) return true;
        if (result != raw.SQLITE_DONE) Check(result);
        return false;
    }

    /// <summary>Its result repeats the error of the last step, which was thrown then.</summary>
    public void Reset() => _ = raw.sqlite3_reset(_statement);

    public bool IsNull(int column) => raw.sqlite3_column_type(_statement, column) == raw.SQLITE_NULL;

    public long Int64(int column) => raw.sqlite3_column_int64(_statement, column);

    public string? Text(int column) => IsNull(column) ? null : Encoding.UTF8.GetString(raw.sqlite3_column_blob(_statement, column));

    /// <summary>Valid until the next step or reset; empty for null.</summary>
    public ReadOnlySpan<byte> Blob(int column) => raw.sqlite3_column_blob(_statement, column);

    public void Dispose() => _statement.Dispose();

    private void Check(int result)
    {
        if (result != raw.SQLITE_OK) SqliteException.ThrowExceptionForRC(result, _database);
    }
}
