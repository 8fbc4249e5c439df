using Belfry.Log;
using Belfry.Scheduling;
using Belfry.Testing;

namespace Belfry.Postgres.Tests;

public sealed class PostgresTaskStoreTests : TaskStoreSpec
{
    private static readonly TaskPartition Partition = new(new TopicPartition("scheduled-tasks", 0), 1);
    private TestSchema? _schema;

    [Fact]
    public async Task Of_two_writes_of_a_row_in_a_batch_the_last_one_counts()
    {
        var store = await OpenAsync();
        var epoch = (await store.TakeOverAsync(Partition, default)).Epoch;
        await store.ApplyAsync(Batch(epoch, Row(epoch, 1), Row(epoch, 2), Row(epoch, 1) with { DueMs = 99 }), default);
        (await store.FindAsync([Row(epoch, 1).Id], default)).Single().DueMs.ShouldBe(99);
    }

    [Fact]
    public async Task Texts_of_any_kind_come_back_as_they_were()
    {
        const string Odd = "k é \0 \\0 \\ ' 😀";
        var store = await OpenAsync();
        var epoch = (await store.TakeOverAsync(Partition, default)).Epoch;
        var row = Row(epoch, 1) with { Id = new(Odd, Odd, Odd), Reason = Odd };
        await store.ApplyAsync(Batch(epoch, row) with { Undecodable = [new UndecodableTask(1, 2, Odd, default, Odd)] }, default);
        var found = (await store.FindAsync([row.Id], default)).Single();
        (found.Id, found.Reason).ShouldBe((row.Id, Odd));
        var record = (await store.ListUndecodableAsync(Partition.Source, 0, 1, default)).Single();
        (record.Key, record.Reason).ShouldBe((Odd, Odd));
    }

    [Fact]
    public async Task Owners_that_take_over_side_by_side_never_share_an_epoch()
    {
        var store = await OpenAsync();
        var taken = await Task.WhenAll(Enumerable.Range(0, 24).Select(n => store.TakeOverAsync(
            new TaskPartition(new TopicPartition("scheduled-tasks", n % 12), 12), default).AsTask()));
        taken.Select(ownership => ownership.Epoch).Distinct().Count().ShouldBe(24);
    }

    [Theory]
    [InlineData(
        "select * from task where state < 2 and hash % 12 = 1 and (due_ms, sequence) > (1, 1) and due_ms <= 9 order by due_ms, sequence",
        "task_window_12")]
    [InlineData("select * from task where id_hash = any (array[1, 2])", "task_identity")]
    [InlineData("select sequence from task where state in (2, 3) and keep_from_ms < 5 order by keep_from_ms limit 3", "task_keep")]
    [InlineData("select * from task where state = 4 and sequence > 1 order by sequence limit 3", "task_dead")]
    public async Task Queries_go_by_their_index_and_never_sort(string sql, string index)
    {
        var store = await OpenAsync();
        await store.TakeOverAsync(new TaskPartition(new TopicPartition("scheduled-tasks", 0), 12), default);
        await _schema!.RunAsync("""
            insert into task (sequence, id_hash, due_ms, generation, log_offset, hash, attempts, bucket, state, keep_from_ms, ordering_id,
                kind, unique_key, payload)
            select n, n, n, 0, 0, n, 0, 0, n % 5, n, '', '', '', '' from generate_series(1, 20000) n;
            analyze task
            """);
        var plan = await _schema.ScalarAsync<string>($"explain (format json) {sql}");
        plan.ShouldContain(index);
        plan.ShouldNotContain("\"Sort\"");
    }

    protected override async Task<ITaskStore> OpenAsync()
    {
        _schema ??= await TestSchema.CreateAsync();
        return new PostgresTaskStore(_schema.Database);
    }

    protected override async Task CloseAsync()
    {
        if (_schema is not null) await _schema.DisposeAsync();
    }

    private static TaskBatch Batch(long epoch, params StoredTask[] rows) =>
        new() { Partition = Partition, Epoch = epoch, Position = 1, Tasks = rows };

    private static StoredTask Row(long epoch, int n) => new()
    {
        Sequence = StoredTask.SequenceOf(epoch, n), Id = new("o", "k", $"u{n}"), DueMs = 5, Generation = 2, State = TaskState.Waiting,
        Offset = 3,
    };
}
