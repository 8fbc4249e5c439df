using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Belfry.Outbox;
using Npgsql;
using static Belfry.Postgres.PostgresCommands;

namespace Belfry.Postgres;

/// <summary>
/// The tables of a schema are not what this program can work with: they are newer, or were made by a script that has changed since. Run the
/// right program; never retryable.
/// </summary>
public sealed class PostgresSchemaException(string message) : Exception(message);

/// <summary>One forward-only script: the number orders, the checksum tells whether it changed after it was applied.</summary>
internal sealed record PostgresScript(int Number, string Name, string Sql)
{
    private const string Word = "-- runs with ";

    /// <summary>
    /// Programs that know this script run on what this one leaves: its first line says so, <c>-- runs with 3</c>, where older ones do,
    /// which is how instances are updated one after the other.
    /// </summary>
    public int RunsWith { get; } = Sql.StartsWith(Word, StringComparison.Ordinal)
        ? int.Parse(Sql.AsSpan(Word.Length, Sql.IndexOf('\n', StringComparison.Ordinal) - Word.Length), CultureInfo.InvariantCulture)
        : Number;

    public string Checksum { get; } =
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Sql.ReplaceLineEndings("\n"))));
}

/// <summary>Brings the tables of the stores up to date.</summary>
public static class PostgresSchema
{
    /// <summary>One key for all: migrations of a database run one at a time, whatever their schema.</summary>
    private const long LockKey = 0x62656C6672790001;

    /// <summary>The scripts of this program, in order: embedded files named by their number, such as <c>0001-stores</c>.</summary>
    internal static IReadOnlyList<PostgresScript> Scripts { get; } = [.. Embedded()];

    /// <summary>
    /// Makes the schema when it is missing and applies the scripts that have not been applied, each in a transaction, in each database
    /// that the options name. Safe to repeat; of several that start at once one applies and the others wait. Returns how many this call
    /// has applied.
    /// </summary>
    /// <exception cref="PostgresSchemaException">The schema is newer than this program, or an applied script has changed.</exception>
    /// <exception cref="StoreUnavailableException">The server cannot be reached, or the wait was too long. Retryable.</exception>
    public static async ValueTask<int> MigrateAsync(PostgresOptions options, CancellationToken cancel)
    {
        options.Validate();
        var applied = 0;
        foreach (var database in options.EachDatabase()) applied += await RunAsync(database, Scripts, cancel);
        return applied;
    }

    internal static async ValueTask<int> RunAsync(
        PostgresOptions options, IReadOnlyList<PostgresScript> scripts, CancellationToken cancel)
    {
        options.Validate();
        var text = options.Unpooled();
        text.CommandTimeout = PostgresOptions.Seconds(options.MigrationMax);
        try
        {
            await using var connection = new NpgsqlConnection(text.ToString());
            await connection.OpenAsync(cancel);
            await connection.Statement(LetRun(options.MigrationMax)).RunAsync(cancel);

            // Held by the session: whatever happens, the end of the connection lets go of it.
            await connection.Statement("select pg_advisory_lock($1)", Of(LockKey)).RunAsync(cancel);
            await PrepareAsync(connection, options.Schema, cancel);
            var applied = await AppliedAsync(connection, cancel);
            Check(options.Schema, scripts, applied);
            var missing = scripts.Where(script => !applied.ContainsKey(script.Number)).ToList();
            foreach (var script in missing) await ApplyAsync(connection, script, options.Time.GetUtcNow(), cancel);
            return missing.Count;
        }
        catch (Exception fault) when (PostgresFaults.Translate($"{text.Host}:{text.Port}/{text.Database}", fault) is
            StoreUnavailableException unavailable)
        {
            throw unavailable;
        }
    }

    /// <summary>
    /// The limits that the server has for others do not hold, and it looks every 5 s whether this process is still there: one that was
    /// killed would keep the others waiting. A server on a system where it cannot look goes without.
    /// </summary>
    private static string LetRun(TimeSpan max) => $"""
        set statement_timeout = {PostgresOptions.Ms(max).ToString(CultureInfo.InvariantCulture)};
        set lock_timeout = 0;
        do $$ begin
            perform set_config('client_connection_check_interval', '5s', false);
        exception when invalid_parameter_value then null;
        end $$
        """;

    /// <summary>
    /// What is there is left as it is: to make it takes a right that the program need not have, "if not exists" or not.
    /// </summary>
    private static async ValueTask PrepareAsync(NpgsqlConnection connection, string schema, CancellationToken cancel)
    {
        var there = await connection.Statement("select count(*) from pg_namespace where nspname = $1", Of(schema)).OneAsync(cancel);
        if (there == 0) await connection.Statement($"create schema \"{schema}\"").RunAsync(cancel);
        var columns = await connection.Statement("""
            select count(*) from pg_attribute
            where attrelid = to_regclass(quote_ident($1) || '.schema_migration') and attnum > 0 and not attisdropped
            """, Of(schema)).OneAsync(cancel);
        if (columns == 0)
            await connection.Statement("""
                create table schema_migration (
                    number integer primary key, name text not null, checksum text not null, applied_ms bigint not null, runs_with integer)
                """).RunAsync(cancel);
        else if (columns < 5) await connection.Statement("alter table schema_migration add column runs_with integer").RunAsync(cancel);
    }

    private static async ValueTask<Dictionary<int, (string Name, string Checksum, int RunsWith)>> AppliedAsync(
        NpgsqlConnection connection, CancellationToken cancel)
    {
        var rows = await connection.Statement("select number, name, checksum, coalesce(runs_with, number) from schema_migration")
            .ListAsync(row => (row.GetInt32(0), (Name: row.GetString(1), Checksum: row.GetString(2), RunsWith: row.GetInt32(3))), cancel);
        return rows.ToDictionary();
    }

    private static void Check(
        string schema, IReadOnlyList<PostgresScript> scripts,
        IReadOnlyDictionary<int, (string Name, string Checksum, int RunsWith)> applied)
    {
        var known = scripts.ToDictionary(script => script.Number);
        var newest = scripts.Count == 0 ? 0 : scripts.Max(script => script.Number);
        foreach (var (number, (name, checksum, runsWith)) in applied.OrderBy(row => row.Key))
        {
            if (!known.TryGetValue(number, out var script))
            {
                if (number > newest && runsWith <= newest) continue;
                throw new PostgresSchemaException(
                    $"Schema '{schema}' has migration {number} ('{name}'), which this program does not know (its newest is {newest}): " +
                    "it was made by a newer program; run that one.");
            }

            if (script.Checksum != checksum)
                throw new PostgresSchemaException(
                    $"Migration {number} ('{name}') of schema '{schema}' was applied with checksum {checksum}, and this program's has " +
                    $"{script.Checksum}: an applied script must never change; run the program that applied it.");
        }
    }

    private static async ValueTask ApplyAsync(
        NpgsqlConnection connection, PostgresScript script, DateTimeOffset now, CancellationToken cancel)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await connection.Statement(script.Sql).RunAsync(cancel);
        await connection.Statement(
            "insert into schema_migration (number, name, checksum, applied_ms, runs_with) values ($1, $2, $3, $4, $5)",
            Of(script.Number), Of(script.Name), Of(script.Checksum), Of(now.ToUnixTimeMilliseconds()), Of(script.RunsWith))
            .RunAsync(cancel);
        await transaction.CommitAsync(cancel);
    }

    private static IEnumerable<PostgresScript> Embedded()
    {
        var assembly = typeof(PostgresSchema).Assembly;
        foreach (var name in assembly.GetManifestResourceNames().Order(StringComparer.Ordinal))
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
            yield return new PostgresScript(
                int.Parse(name.AsSpan(0, name.IndexOf('-', StringComparison.Ordinal)), CultureInfo.InvariantCulture), name,
                reader.ReadToEnd());
        }
    }
}
