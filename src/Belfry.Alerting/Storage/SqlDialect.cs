using System.Globalization;
using System.Text.RegularExpressions;

namespace Belfry.Alerting.Storage;

/// <summary>
/// The seam of the alerting tables: what differs between SQLite and PostgreSQL, and no more. SQL is otherwise written once: types
/// <c>text</c> and <c>bigint</c>, ids as text, times as Unix milliseconds in UTC, <c>ON CONFLICT</c> upserts, named parameters.
/// </summary>
/// <param name="Name">For messages.</param>
/// <param name="Bytes">The type of raw bytes: stands for <c>{bytes}</c> in schema scripts.</param>
/// <param name="ByKey">
/// Ends the <c>create table</c> of rows up to about 1 KB that are kept in order of their key: stands for <c>{by key}</c> in schema scripts.
/// </param>
/// <param name="TextsOfJson">The query of the texts in a JSON array, with <c>{0}</c> for the array.</param>
/// <param name="KeepOut">
/// Keeps writers out of a table while a step replaces it, <c>{0}</c>; empty where one process has the database: stands for
/// <c>{keep out of TABLE}</c> in schema scripts.
/// </param>
/// <param name="HasTable">How many tables there are of the name <c>@table</c>: 1 or 0.</param>
/// <param name="LockSchema">Keeps other starters out until the transaction ends; empty where one process has the database.</param>
/// <param name="LetRun">
/// Lets each statement of the transaction run, or wait for a lock, for <c>{0}</c> ms, whatever limits the server has for others, and has
/// the server look every 5 s whether its client is still there: one that was killed would keep others out for as long as its step may
/// take. A server on a system where it cannot look goes without. Empty where one process has the database.
/// </param>
/// <param name="SkipLocked">
/// Ends a query of rows to delete: takes those that nobody else is writing; empty where there is one writer.
/// </param>
public sealed record SqlDialect(
    string Name, string Bytes, string ByKey, string TextsOfJson, string KeepOut, string HasTable, string LockSchema, string LetRun,
    string SkipLocked)
{
    public static SqlDialect Sqlite { get; } = new(
        "SQLite", "blob", "without rowid", "select value from json_each({0})", KeepOut: "",
        HasTable: "select count(*) from sqlite_schema where type = 'table' and name = @table", LockSchema: "", LetRun: "", SkipLocked: "");

    public static SqlDialect Postgres { get; } = new(
        "PostgreSQL", "bytea", "", "select json_array_elements_text({0}::json)", "lock table {0} in exclusive mode;",
        "select count(*) from pg_tables where schemaname = current_schema() and tablename = @table",
        "select pg_advisory_xact_lock(7089070089000131)", """
            set local statement_timeout = {0};
            set local lock_timeout = 0;
            do $$ begin
                perform set_config('client_connection_check_interval', '5s', true);
            exception when invalid_parameter_value then null;
            end $$
            """, "for update skip locked");

    /// <summary>
    /// A list of ids as one parameter, made by <see cref="JsonOf"/>: the statement's text is the same for any length and planned once.
    /// </summary>
    internal string In(string parameter) => $"in ({string.Format(CultureInfo.InvariantCulture, TextsOfJson, parameter)})";

    /// <summary>A JSON array of ids, whose text forms need no escaping.</summary>
    internal static string JsonOf<T>(IEnumerable<T> ids) where T : struct, IId<T> => $"[{string.Join(',', ids.Select(id => $"\"{id}\""))}]";

    /// <summary>Text without NUL, which PostgreSQL's text type refuses.</summary>
    internal static string Storable(string text) => text.Replace('\0', '\uFFFD');

    /// <summary>A schema script in this dialect.</summary>
    internal string Spell(string script) => KeepOutOf.Replace(
        script.Replace("{bytes}", Bytes, StringComparison.Ordinal).Replace("{by key}", ByKey, StringComparison.Ordinal),
        table => string.Format(CultureInfo.InvariantCulture, KeepOut, table.Groups[1].Value));

    private static readonly Regex KeepOutOf = new(@"\{keep out of (\w+)\}", RegexOptions.CultureInvariant);
}
