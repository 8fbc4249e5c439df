using Belfry.Alerting.Storage;
using Belfry.Log;
using Belfry.Server.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Server.Tests.Hosting;

public sealed class FilesOfOneTimeTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("belfry-files-test").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_log_that_ends_before_what_the_stores_have_taken_is_refused_and_both_files_are_named()
    {
        await using (var shape = await OpenAsync())
        {
            var topic = shape.Topics.IncomingEvents.Name;
            await shape.Log.AppendAsync([new OutgoingRecord { Topic = topic, OrderingKey = "k", Value = new byte[] { 1 } }], default);
            var partition = Partitioner.PartitionOf("k", shape.Topics.IncomingEvents.Partitions);
            await shape.Store.WriteAsync(tx =>
            {
                var record = new LogRecord
                {
                    Source = new TopicPartition(topic, partition), Offset = 0, AppendedAt = DateTimeOffset.UtcNow, Key = "k",
                    Headers = [], Value = new byte[] { 1 },
                };
                var fence = new PartitionFence("incidents", partition);
                fence.TakeOver(tx.Connection);
                fence.SavePositions(tx.Connection, [record]);
                return ValueTask.FromResult(true);
            }, default);
        }

        await using (await OpenAsync())
        {
            // The stores are as far as the log: all is well.
        }

        foreach (var file in Directory.GetFiles(_folder, "belfry-log.db*")) File.Delete(file);
        var error = await Should.ThrowAsync<InvalidOperationException>(OpenAsync);
        error.Message.ShouldContain(Path.Combine(_folder, "belfry-log.db"));
        error.Message.ShouldContain(Path.Combine(_folder, "belfry.db"));
        error.Message.ShouldContain("ends at 0");
        error.Message.ShouldContain("up to 1");
    }

    private Task<EmbeddedShape> OpenAsync() =>
        EmbeddedShape.OpenAsync(new ServerOptions { DataDir = _folder }, TimeProvider.System, NullLoggerFactory.Instance, default);
}
