namespace Belfry.Alerting.Storage;

/// <summary>
/// The seam of the alerting tables: what differs between SQLite and PostgreSQL, and no more. SQL is otherwise written once: types
/// <c>text</c> and <c>bigint</c>, ids as text, times as Unix milliseconds in UTC, <c>ON CONFLICT</c> upserts, named parameters.
/// </summary>
/// <param name="Name">For messages.</param>
/// <param name="Bytes">The type of raw bytes: stands for <c>{bytes}</c> in schema scripts.</param>
/// <param name="ByKey">
/// Ends the <c>create table</c> of short rows that are to be kept in order of their key: stands for <c>{by key}</c> in schema scripts.
/// </param>
public sealed record SqlDialect(string Name, string Bytes, string ByKey)
{
    public static SqlDialect Sqlite { get; } = new("SQLite", "blob", "without rowid");
    public static SqlDialect Postgres { get; } = new("PostgreSQL", "bytea", "");

    /// <summary>A schema script in this dialect.</summary>
    internal string Spell(string script) =>
        script.Replace("{bytes}", Bytes, StringComparison.Ordinal).Replace("{by key}", ByKey, StringComparison.Ordinal);
}
