using Belfry.Sqlite;
using Dapper;
using Microsoft.Data.Sqlite;

namespace Belfry.Server.Hosting;

/// <summary>
/// Holds that the stores' file and the log's are of one time. Each counts its starts, the stores first, so that they are equal, or the
/// stores one ahead where a start was cut off in between. One that was restored or lost without the other shows: what stands in the one
/// and is taken as done in the other would be passed over in silence, or sent a second time.
/// </summary>
internal static class FilesOfOneTime
{
    private const string Create =
        "create table if not exists start_count (one integer primary key check (one = 1), starts integer not null)";

    /// <summary>Call once a start, before anything else is written.</summary>
    /// <exception cref="InvalidOperationException">They are not of one time, or of a build with the log in the stores' file.</exception>
    public static async Task CheckStartsAsync(SqliteFile stores, SqliteFile log, CancellationToken cancel)
    {
        if (await stores.ReadAsync(connection => Has(connection, "log_topic"), cancel))
            throw new InvalidOperationException(
                $"'{stores.Path}' is of a build before 0.1 that kept the log in it, which this one cannot read; " +
                "start with an empty folder.");
        var (storeStarts, logStarts) = (await stores.ReadAsync(Starts, cancel), await log.ReadAsync(Starts, cancel));
        if (storeStarts != logStarts && storeStarts != logStarts + 1)
            throw new InvalidOperationException(
                $"'{stores.Path}' was started {storeStarts} times and '{log.Path}' {logStarts} times: the files are not of one time. " +
                "Restore both from the same backup, or start with an empty folder.");
        var next = logStarts + 1;
        await stores.WriteAsync(connection => SetStarts(connection, next), cancel);
        await log.WriteAsync(connection => SetStarts(connection, next), cancel);
    }

    private static bool Has(SqliteConnection connection, string table) =>
        connection.ExecuteScalar<long>("select count(*) from sqlite_master where name = @table", new { table }) > 0;

    private static long Starts(SqliteConnection connection) =>
        Has(connection, "start_count") ? connection.ExecuteScalar<long>("select coalesce(max(starts), 0) from start_count") : 0;

    private static int SetStarts(SqliteConnection connection, long starts)
    {
        connection.Execute(Create);
        return connection.Execute(
            "insert into start_count (one, starts) values (1, @starts) on conflict (one) do update set starts = excluded.starts",
            new { starts });
    }
}
