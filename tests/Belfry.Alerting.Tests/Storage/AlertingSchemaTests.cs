using Belfry.Alerting.Access;
using Belfry.Alerting.Storage;
using Dapper;

namespace Belfry.Alerting.Tests.Storage;

public class AlertingSchemaTests : IDisposable
{
    private static readonly IReadOnlyList<SchemaStep> All = [.. Pipeline.SchemaSteps, .. AccessSchema.Steps];
    private readonly TestStore _store;

    public AlertingSchemaTests() : this(TestStore.OnSqlite)
    {
    }

    private protected AlertingSchemaTests(StoreOpener open) => _store = open([]);

    public void Dispose() => _store.Dispose();

    [Fact]
    public async Task All_steps_of_all_modules_run_once_whoever_starts_at_the_same_time()
    {
        await Task.WhenAll(Enumerable.Range(0, 3).Select(_ =>
            AlertingSchema.MigrateAsync(_store.Store, _store.Dialect, All, AlertingSchema.StepMax, default)));
        await AlertingSchema.MigrateAsync(_store.Store, _store.Dialect, All, AlertingSchema.StepMax, default);
        var count = await _store.Store.ReadAsync(
            connection => ValueTask.FromResult(connection.ExecuteScalar<long>("select count(*) from alerting_schema")), default);
        count.ShouldBe(All.Select(step => (step.Module, step.Number)).Distinct().Count());
    }
}
