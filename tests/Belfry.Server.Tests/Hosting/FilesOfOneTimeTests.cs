using Belfry.Alerting.Storage;
using Belfry.Log;
using Belfry.Server.Hosting;
using Belfry.Sqlite;
using Dapper;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Server.Tests.Hosting;

public sealed class FilesOfOneTimeTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("belfry-files-test").FullName;

    private string Stores => Path.Combine(_folder, "belfry.db");
    private string Log => Path.Combine(_folder, "belfry-log.db");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Stores_without_their_log_are_refused_by_what_they_have_taken()
    {
        await using (var shape = await OpenAsync()) await TakeOneAsync(shape);
        Remove(Log);
        var error = await Should.ThrowAsync<InvalidOperationException>(OpenAsync);
        error.Message.ShouldContain($"'{Log}' ends at 0");
        error.Message.ShouldContain($"'{Stores}' has taken it up to 1");
    }

    [Theory]
    [InlineData("belfry.db")]
    [InlineData("belfry-log.db")]
    public async Task A_file_restored_without_the_other_is_refused(string restored)
    {
        var file = Path.Combine(_folder, restored);
        await StartAsync();
        File.Copy(file, file + ".backup");
        await StartAsync();
        await StartAsync();
        Remove(file);
        File.Move(file + ".backup", file);
        var error = await Should.ThrowAsync<InvalidOperationException>(OpenAsync);
        error.Message.ShouldContain($"'{Stores}' was started {(restored == "belfry.db" ? 1 : 3)} times");
        error.Message.ShouldContain($"'{Log}' {(restored == "belfry.db" ? 3 : 1)} times");
    }

    [Fact]
    public async Task A_start_cut_off_between_the_two_counts_is_no_reason_to_refuse()
    {
        await StartAsync();
        await using (var stores = SqliteFile.Open(Stores))
            await stores.WriteAsync(connection => connection.Execute("update start_count set starts = starts + 1"), default);
        await StartAsync();
        await StartAsync();
    }

    [Fact]
    public async Task A_folder_of_a_build_that_kept_the_log_beside_the_stores_is_refused()
    {
        await using (var stores = SqliteFile.Open(Stores))
            await stores.WriteAsync(connection => connection.Execute("create table log_topic (name text primary key)"), default);
        (await Should.ThrowAsync<InvalidOperationException>(OpenAsync)).Message.ShouldContain("start with an empty folder");
    }

    private static async Task TakeOneAsync(ServerShape shape)
    {
        var topic = shape.Topics.IncomingEvents;
        var record = new OutgoingRecord { Topic = topic.Name, OrderingKey = "k", Value = new byte[] { 1 } };
        await shape.Ports.Log.AppendAsync([record], default);
        var source = new TopicPartition(topic.Name, Partitioner.PartitionOf("k", topic.Partitions));
        var records = await shape.Ports.Log.ReadAsync(source, 0, 1, default);
        await shape.Ports.Store.WriteAsync(tx =>
        {
            new PartitionFence("incidents", source.Partition).SavePositions(tx.Connection, records);
            return ValueTask.FromResult(true);
        }, default);
    }

    private static void Remove(string file)
    {
        foreach (var part in (string[])[file, file + "-wal", file + "-shm"]) File.Delete(part);
    }

    private async Task StartAsync()
    {
        await using var shape = await OpenAsync();
    }

    private Task<ServerShape> OpenAsync() =>
        ServerShape.OpenAsync(new ServerOptions { DataDir = _folder }, TimeProvider.System, NullLoggerFactory.Instance, default);
}
