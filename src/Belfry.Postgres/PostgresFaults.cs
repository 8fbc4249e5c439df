using System.Net.Sockets;
using Belfry.Outbox;
using Npgsql;

namespace Belfry.Postgres;

/// <summary>
/// Tells faults of the server and of the way to it from faults of the SQL: the former are the caller's to retry, the latter come out as
/// they are. Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html.
/// </summary>
internal static class PostgresFaults
{
    /// <summary>The class of codes of a server that has not enough of something.</summary>
    public const string NoRoom = "53";

    /// <summary>Nothing was written, and the same work may well succeed at once.</summary>
    public static bool IsConflict(Exception exception) =>
        exception is PostgresConflictException or PostgresException { SqlState: "40001" or "40P01" } || IsStalePlan(exception);

    /// <summary>
    /// A migration, of another instance for one, has changed what a prepared statement returns: Npgsql prepares it anew at its next run. Of
    /// what is not supported only this; told by the function that raises it, for the message is in the server's language.
    /// </summary>
    private static bool IsStalePlan(Exception exception) =>
        exception is PostgresException { SqlState: PostgresErrorCodes.FeatureNotSupported, Routine: "RevalidateCachedQuery" };

    public static Exception Translate(string database, Exception exception) => IsOfTheServer(exception)
        ? new StoreUnavailableException($"PostgreSQL '{database}' failed: {exception.Message}", exception)
        : exception;

    private static bool IsOfTheServer(Exception exception) => exception switch
    {
        PostgresConflictException => true,
        _ when IsStalePlan(exception) => true,
        PostgresException fault => IsOfTheServer(fault.SqlState),
        NpgsqlException { InnerException: IOException or SocketException or TimeoutException } => true,
        NpgsqlException { IsTransient: true } => true,
        IOException or SocketException or TimeoutException => true,
        _ => false,
    };

    private static bool IsOfTheServer(string state) => state switch
    {
        _ when state.StartsWith("08", StringComparison.Ordinal) => true, // Connections.
        _ when state.StartsWith("40", StringComparison.Ordinal) => state is not "40002", // Rolled back, but not for a constraint.
        _ when state.StartsWith(NoRoom, StringComparison.Ordinal) => true, // Out of connections, memory, disk.
        _ when state.StartsWith("57P", StringComparison.Ordinal) => true, // Shutdown, crash of another backend, starting up.
        "25006" => true, // Read only: this server is a standby now.
        "25P03" or "55P03" or "57014" => true, // Timeouts of the server: idle in transaction, lock, statement.
        "58030" => true, // Input and output.
        _ => false,
    };
}

/// <summary>Another transaction was faster with the same rows; the work is run again.</summary>
internal sealed class PostgresConflictException(string message) : Exception(message);
