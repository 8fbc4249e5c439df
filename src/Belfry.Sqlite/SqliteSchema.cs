using Microsoft.Data.Sqlite;

namespace Belfry.Sqlite;

/// <summary>Brings the tables of one driver up to date, inside the caller's write item.</summary>
internal static class SqliteSchema
{
    /// <summary>
    /// Runs the steps that have not run yet: step n (from 1) takes the module from version n - 1 to n. Forward only; safe to repeat.
    /// </summary>
    /// <exception cref="InvalidOperationException">The file was written by a newer version of the module.</exception>
    public static void Apply(SqliteConnection connection, string module, params ReadOnlySpan<string> steps)
    {
        connection.Statement(
            "create table if not exists schema_version (module text primary key, version integer not null) without rowid").Run();
        var version = Version(connection, module);
        if (version > steps.Length)
            throw new InvalidOperationException(
                $"The tables of '{module}' are at version {version}, newer than {steps.Length} that this program knows; " +
                "run the newer program.");
        for (var next = version; next < steps.Length; next++)
        {
            using var command = connection.CreateCommand();
            command.CommandText = steps[next];
            command.ExecuteNonQuery();
        }

        connection.Statement("insert into schema_version (module, version) values (?1, ?2) on conflict (module) do update set version = ?2")
            .Bind(1, module).Bind(2, steps.Length).Run();
    }

    private static int Version(SqliteConnection connection, string module)
    {
        var statement = connection.Statement("select version from schema_version where module = ?1").Bind(1, module);
        try
        {
            return statement.Step() ? (int)statement.Int64(0) : 0;
        }
        finally
        {
            statement.Reset();
        }
    }
}
