using Belfry.Outbox;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Belfry.Sqlite;

/// <summary>
/// Tells faults of the file from faults of the SQL: the former are the caller's to retry, the latter come out as they are.
/// </summary>
internal static class SqliteFaults
{
    public static Exception Translate(string path, Exception exception) =>
        exception is SqliteException { SqliteErrorCode: var code } && IsOfTheFile(code)
            ? new StoreUnavailableException($"'{path}' failed: {exception.Message}", exception)
            : exception;

    private static bool IsOfTheFile(int code) => code is
        raw.SQLITE_FULL or raw.SQLITE_IOERR or raw.SQLITE_BUSY or raw.SQLITE_LOCKED or raw.SQLITE_NOMEM or raw.SQLITE_CANTOPEN
        or raw.SQLITE_READONLY or raw.SQLITE_INTERRUPT or raw.SQLITE_PROTOCOL;
}
