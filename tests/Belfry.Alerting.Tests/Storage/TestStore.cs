using System.Collections.Concurrent;
using Belfry.Alerting.Storage;
using Belfry.Outbox;
using Belfry.Postgres;
using Belfry.Postgres.Tests;
using Belfry.Sqlite;

namespace Belfry.Alerting.Tests.Storage;

/// <summary>Opens an empty store with the tables of some modules.</summary>
internal delegate TestStore StoreOpener(IReadOnlyList<SchemaStep> steps);

/// <summary>
/// The database of one test. Tests of a module run over both: the class itself over SQLite, and one derived from it over PostgreSQL.
/// </summary>
internal sealed class TestStore(IOutboxStore store, SqlDialect dialect, Action end) : IDisposable
{
    private static readonly ConcurrentDictionary<string, Lazy<SqliteMemoryOutboxStore>> Templates = new();

    public IOutboxStore Store { get; } = store;
    public SqlDialect Dialect { get; } = dialect;

    public static TestStore OnSqlite(IReadOnlyList<SchemaStep> steps)
    {
        var template = Templates.GetOrAdd(string.Join(',', steps), _ => new Lazy<SqliteMemoryOutboxStore>(() =>
        {
            var store = new SqliteMemoryOutboxStore();
            AlertingSchema.MigrateAsync(store, SqlDialect.Sqlite, steps, AlertingSchema.StepMax, default).GetAwaiter().GetResult();
            return store;
        }));
        var clone = template.Value.Clone();
        return new TestStore(clone, SqlDialect.Sqlite, clone.Dispose);
    }

    /// <summary>Blocks the constructor of a test; what it waits for runs elsewhere.</summary>
    public static TestStore OnPostgres(IReadOnlyList<SchemaStep> steps) => Task.Run(async () =>
    {
        var schema = await TestSchema.CreateAsync();
        var store = new PostgresOutboxStore(schema.Database);
        await AlertingSchema.MigrateAsync(store, SqlDialect.Postgres, steps, AlertingSchema.StepMax, default);
        return new TestStore(store, SqlDialect.Postgres, () => Task.Run(() => schema.DisposeAsync().AsTask()).GetAwaiter().GetResult());
    }).GetAwaiter().GetResult();

    public void Dispose() => end();
}
