using System.Data.Common;
using System.Globalization;
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
    /// <summary>What a step may take where nobody says otherwise: it may rewrite a table.</summary>
    public static readonly TimeSpan StepMax = TimeSpan.FromMinutes(10);

    /// <summary>
    /// Runs what has not run yet, each step in its own transaction. Safe to repeat; of several that start at once, one runs a step.
    /// </summary>
    /// <param name="store">Where the tables are.</param>
    /// <param name="dialect">Its.</param>
    /// <param name="steps">Of all modules; those of one module in order.</param>
    /// <param name="stepMax">The longest that one step, or the wait for another starter's, may take; whole seconds count.</param>
    /// <param name="cancel">Ends it between statements.</param>
    /// <exception cref="StoreUnavailableException">The store is away, or it took too long: the step was not made. Retryable.</exception>
    public static async Task MigrateAsync(
        IOutboxStore store, SqlDialect dialect, IReadOnlyList<SchemaStep> steps, TimeSpan stepMax, CancellationToken cancel)
    {
        var seconds = (int)Math.Ceiling(stepMax.TotalSeconds);
        await store.WriteAsync(tx =>
        {
            Begin(tx.Connection, dialect, seconds);
            // To ask for a table that is there takes the right to make one: "if not exists" asks later.
            if (tx.Connection.ExecuteScalar<long>(dialect.HasTable, new { table = "alerting_schema" }) == 0)
                tx.Connection.Execute(
                    "create table alerting_schema (module text not null, number bigint not null, primary key (module, number))");
            return ValueTask.FromResult(true);
        }, cancel);
        foreach (var step in steps)
            await store.WriteAsync(tx =>
            {
                Begin(tx.Connection, dialect, seconds);
                var done = tx.Connection.ExecuteScalar<long>(
                    "select count(*) from alerting_schema where module = @Module and number = @Number", new { step.Module, step.Number });
                if (done > 0) return ValueTask.FromResult(true);
                tx.Connection.Execute(dialect.Spell(step.Sql), commandTimeout: seconds);
                tx.Connection.Execute(
                    "insert into alerting_schema (module, number) values (@Module, @Number)", new { step.Module, step.Number });
                return ValueTask.FromResult(true);
            }, cancel);
    }

    /// <summary>
    /// One starter at a time, for two that see no table would both make it; under the limit of steps, not of requests.
    /// </summary>
    private static void Begin(DbConnection connection, SqlDialect dialect, int seconds)
    {
        if (dialect.LetRun.Length > 0)
            connection.Execute(string.Format(CultureInfo.InvariantCulture, dialect.LetRun, seconds * 1000L));
        if (dialect.LockSchema.Length > 0) connection.Execute(dialect.LockSchema, commandTimeout: seconds);
    }
}
