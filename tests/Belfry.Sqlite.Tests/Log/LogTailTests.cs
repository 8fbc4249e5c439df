using System.Text;
using Belfry.Log;
using Belfry.Testing;

namespace Belfry.Sqlite.Tests;

/// <summary>What of a partition is kept in memory: the newest records, until all who read the partition have them.</summary>
public sealed class LogTailTests : IAsyncLifetime
{
    private static readonly TopicPartition Source = new("t", 0);
    private readonly TempFolder _folder = new();
    private SqliteFile _file = null!;
    private SqliteLog _log = null!;

    public async Task InitializeAsync()
    {
        _file = SqliteFile.Open(_folder.File);
        _log = await SqliteLog.OpenAsync(_file, new ManualTime());
        await _log.DeclareAsync([new TopicDeclaration("t", 1, CleanUp.Time, TimeSpan.FromDays(1))], default);
    }

    [Fact]
    public async Task A_record_goes_from_memory_once_all_readers_have_it_and_is_read_from_the_disk_after_that()
    {
        await using var first = await JoinedAsync("first");
        await using var second = await JoinedAsync("second");
        await AppendAsync(10);
        (await PollAsync(first, 10)).ShouldBe(10);
        InMemory(0).ShouldBeTrue("the second has none of them");
        (await PollAsync(second, 4)).ShouldBe(4);
        (InMemory(3), InMemory(4)).ShouldBe((false, true));
        (await PollAsync(second, 10)).ShouldBe(6);
        InMemory(9).ShouldBeFalse();

        await using var late = await JoinedAsync("late", 10);
        var read = await _log.ReadAsync(Source, 0, 20, default);
        read.Select(record => record.Offset).ShouldBe(Enumerable.Range(0, 10).Select(offset => (long)offset));
    }

    [Fact]
    public async Task A_reader_that_left_holds_nothing_up_and_one_that_comes_back_starts_where_it_had_committed()
    {
        await using var first = await JoinedAsync("first");
        var second = await JoinedAsync("second");
        await AppendAsync(3);
        await second.DisposeAsync();
        (await PollAsync(first, 3)).ShouldBe(3);
        InMemory(2).ShouldBeFalse();
        await AppendAsync(3);
        (await PollAsync(first, 3)).ShouldBe(3);
        await using var again = await JoinedAsync("second", 6);
    }

    [Fact]
    public async Task What_a_reader_gets_after_it_has_left_does_not_count()
    {
        await using var first = await JoinedAsync("first");
        await using var second = await JoinedAsync("second");
        await AppendAsync(3);
        var partition = _log.Partition(Source);
        partition.RemoveReader((SqliteLogConsumer)second);
        partition.ReadBy((SqliteLogConsumer)second, 1);
        (await PollAsync(first, 3)).ShouldBe(3);
        InMemory(2).ShouldBeFalse("nobody else reads it");
    }

    public async Task DisposeAsync()
    {
        await _file.DisposeAsync();
        _folder.Dispose();
    }

    private bool InMemory(long offset) => _log.Partition(Source).TryReadTail(offset, 1, []);

    private async Task<ILogConsumer> JoinedAsync(string group, int expected = 0)
    {
        var consumer = _log.OpenConsumer(new ConsumerGroup(group, ["t"]));
        (await PollAsync(consumer, 100)).ShouldBe(expected);
        return consumer;
    }

    private static async Task<int> PollAsync(ILogConsumer consumer, int max) =>
        (await consumer.PollAsync(new NoListener(), max, TimeSpan.Zero, default)).Count;

    private async Task AppendAsync(int count) => await _log.AppendAsync(
        [
            .. Enumerable.Range(0, count).Select(number => new OutgoingRecord
            {
                Topic = "t", OrderingKey = "k", Value = Encoding.UTF8.GetBytes($"{number}"),
            }),
        ], default);

    private sealed class NoListener : IAssignmentListener
    {
        public void Assigned(IReadOnlyList<TopicPartition> sources)
        {
        }

        public ValueTask RevokedAsync(ILogConsumer consumer, IReadOnlyList<TopicPartition> sources) => ValueTask.CompletedTask;

        public void Lost(IReadOnlyList<TopicPartition> sources)
        {
        }
    }
}
