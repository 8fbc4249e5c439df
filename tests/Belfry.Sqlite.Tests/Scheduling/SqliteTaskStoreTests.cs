using Belfry.Log;
using Belfry.Scheduling;
using Belfry.Testing;

namespace Belfry.Sqlite.Tests;

public sealed class SqliteTaskStoreTests : TaskStoreSpec
{
    private readonly TempFolder _folder = new();
    private SqliteFile? _file;

    [Fact]
    public async Task Tasks_epoch_and_position_outlive_the_file_being_closed()
    {
        var partition = new TaskPartition(new TopicPartition("scheduled-tasks", 0), 1);
        var store = await OpenAsync();
        var before = await store.TakeOverAsync(partition, default);
        var row = new StoredTask
        {
            Sequence = StoredTask.SequenceOf(before.Epoch, 0), Id = new("o", "k", "u"), DueMs = 5, Generation = 2,
            State = TaskState.Waiting, Offset = 3,
        };
        await store.ApplyAsync(new TaskBatch { Partition = partition, Epoch = before.Epoch, Position = 4, Tasks = [row] }, default);
        await _file!.DisposeAsync();
        store = await OpenAsync();
        var after = await store.TakeOverAsync(partition, default);
        after.Position.ShouldBe(4);
        after.Epoch.ShouldBeGreaterThan(before.Epoch);
        (await store.LoadWindowAsync(partition, TaskKey.First, 10, 10, 1_000, default)).Tasks.Single().Id.ShouldBe(row.Id);
    }

    [Theory]
    [InlineData(
        "select * from task where state < 2 and hash % 12 = 1 and (due_ms, sequence) > (1, 1) and due_ms <= 9 order by due_ms, sequence",
        "task_window_12")]
    [InlineData("select * from task where id_hash in (select value from json_each('[1]'))", "task_identity")]
    [InlineData("select sequence from task where state in (2, 3) and keep_from_ms < 5 order by keep_from_ms limit 3", "task_keep")]
    public async Task Queries_go_by_their_index_and_never_sort(string sql, string index)
    {
        var store = await OpenAsync();
        await store.TakeOverAsync(new TaskPartition(new TopicPartition("scheduled-tasks", 0), 12), default);
        var plan = await _file!.ReadAsync(connection =>
        {
            using var command = connection.CreateCommand();
            command.CommandText = $"explain query plan {sql}";
            using var reader = command.ExecuteReader();
            var lines = new List<string>();
            while (reader.Read()) lines.Add(reader.GetString(3));
            return string.Join("; ", lines);
        }, default);
        plan.ShouldContain(index);
        plan.ShouldNotContain("TEMP B-TREE");
    }

    protected override async Task<ITaskStore> OpenAsync()
    {
        _file = SqliteFile.Open(_folder.File);
        return await SqliteTaskStore.OpenAsync(_file, default);
    }

    protected override async Task CloseAsync()
    {
        if (_file is not null) await _file.DisposeAsync();
        _folder.Dispose();
    }
}
