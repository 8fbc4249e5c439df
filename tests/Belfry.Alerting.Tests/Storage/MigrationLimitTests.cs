using Belfry.Alerting.Storage;
using Belfry.Outbox;
using Belfry.Postgres;
using Belfry.Postgres.Tests;

namespace Belfry.Alerting.Tests.Storage;

/// <summary>How long a step may take on PostgreSQL, where statements have a limit.</summary>
public sealed class MigrationLimitTests
{
    [Fact]
    public async Task A_step_may_take_longer_than_a_statement_of_the_program_or_of_the_server_may()
    {
        await using var schema = await ImpatientAsync();
        await MigrateAsync(
            schema, [new SchemaStep("slow", 1, "create table slow (id bigint); select pg_sleep(1.2)")], AlertingSchema.StepMax);
        (await schema.ScalarAsync<long>("select count(*) from slow")).ShouldBe(0);
        await Should.ThrowAsync<StoreUnavailableException>(async () => await new PostgresOutboxStore(schema.Database).WriteAsync(tx =>
        {
            using var command = tx.Connection.CreateCommand();
            command.CommandText = "select pg_sleep(1.2)";
            command.ExecuteNonQuery();
            return ValueTask.FromResult(true);
        }, default));
    }

    [Fact]
    public async Task A_step_waits_for_another_starter_for_as_long_as_it_may_take_itself()
    {
        await using var schema = await ImpatientAsync();
        SchemaStep[] steps = [new("slow", 1, "create table slow (id bigint); select pg_sleep(1.2)")];
        await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => MigrateAsync(schema, steps, AlertingSchema.StepMax)));
        (await schema.ScalarAsync<long>("select count(*) from alerting_schema")).ShouldBe(1);
    }

    [Fact]
    public async Task A_step_has_the_server_look_whether_its_starter_is_still_there()
    {
        await using var schema = await ImpatientAsync();
        SchemaStep[] steps =
        [
            new("told", 1, "create table told as select current_setting('client_connection_check_interval') as checks"),
        ];
        await MigrateAsync(schema, steps, AlertingSchema.StepMax);
        (await schema.ScalarAsync<string>("select checks from told")).ShouldBe("5s");
    }

    [Fact]
    public async Task A_step_that_takes_longer_than_its_own_limit_is_given_up_and_leaves_nothing()
    {
        await using var schema = await ImpatientAsync();
        await Should.ThrowAsync<StoreUnavailableException>(() => MigrateAsync(
            schema, [new SchemaStep("endless", 1, "create table endless (id bigint); select pg_sleep(60)")], TimeSpan.FromSeconds(1)));
        (await schema.ScalarAsync<long>("select count(*) from alerting_schema")).ShouldBe(0);
        (await schema.ScalarAsync<long>("select count(*) from pg_tables where schemaname = current_schema() and tablename = 'endless'"))
            .ShouldBe(0);
    }

    private static Task<TestSchema> ImpatientAsync() => TestSchema.CreateAsync(options => options with
    {
        StatementMax = TimeSpan.FromSeconds(1),
        ConnectionString = $"{options.ConnectionString};Options=-c statement_timeout=1000 -c lock_timeout=500",
    });

    private static Task MigrateAsync(TestSchema schema, IReadOnlyList<SchemaStep> steps, TimeSpan stepMax) =>
        AlertingSchema.MigrateAsync(new PostgresOutboxStore(schema.Database), SqlDialect.Postgres, steps, stepMax, default);
}
