using System.Data.Common;
using Belfry.Outbox;
using Dapper;

namespace Belfry.Alerting.Storage;

/// <summary>One forward-only step of a module's tables. Steps of a module run in order of <paramref name="Number"/>, each once.</summary>
/// <param name="Module">The owner of the tables, such as <c>incidents</c>.</param>
/// <param name="Number">From 1.</param>
/// <param name="Sql">Statements; <c>{bytes}</c> and <c>{by key}</c> stand for the dialect's words.</param>
public sealed record SchemaStep(string Module, int Number, string Sql);

/// <summary>Brings the alerting tables up to date.</summary>
public static class AlertingSchema
{
    /// <summary>
    /// Runs what has not run yet, each step in its own transaction. Safe to repeat; of several that start at once, one runs a step.
    /// </summary>
    public static async Task MigrateAsync(IOutboxStore store, SqlDialect dialect, IReadOnlyList<SchemaStep> steps, CancellationToken cancel)
    {
        await store.WriteAsync(tx =>
        {
            Lock(tx.Connection, dialect);
            tx.Connection.Execute(
                "create table if not exists alerting_schema (module text not null, number bigint not null, primary key (module, number))");
            return ValueTask.FromResult(true);
        }, cancel);
        foreach (var step in steps)
            await store.WriteAsync(tx =>
            {
                Lock(tx.Connection, dialect);
                var done = tx.Connection.ExecuteScalar<long>(
                    "select count(*) from alerting_schema where module = @Module and number = @Number", new { step.Module, step.Number });
                if (done > 0) return ValueTask.FromResult(true);
                tx.Connection.Execute(dialect.Spell(step.Sql));
                tx.Connection.Execute(
                    "insert into alerting_schema (module, number) values (@Module, @Number)", new { step.Module, step.Number });
                return ValueTask.FromResult(true);
            }, cancel);
    }

    /// <summary><c>if not exists</c> alone may collide with itself.</summary>
    private static void Lock(DbConnection connection, SqlDialect dialect)
    {
        if (dialect.LockSchema.Length > 0) connection.Execute(dialect.LockSchema);
    }
}
