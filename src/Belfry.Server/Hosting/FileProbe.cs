using Belfry.Sqlite;
using Dapper;

namespace Belfry.Server.Hosting;

/// <summary>
/// Asks a file whether it can make something durable, by a row that counts the questions. What is in memory answers on a dead disk too, and
/// so may a read; and where the last append has failed, nobody sends the next one to an instance that is not ready.
/// </summary>
internal static class FileProbe
{
    private const string Create =
        "create table if not exists write_probe (one integer primary key check (one = 1), asked integer not null)";

    /// <summary>One small commit, or part of one that is under way.</summary>
    /// <exception cref="Outbox.StoreUnavailableException">It cannot. Retryable.</exception>
    public static async Task AskAsync(SqliteFile file) => await file.WriteAsync(connection =>
    {
        connection.Execute(Create);
        return connection.Execute(
            "insert into write_probe (one, asked) values (1, 1) on conflict (one) do update set asked = write_probe.asked + 1");
    }, CancellationToken.None);
}
