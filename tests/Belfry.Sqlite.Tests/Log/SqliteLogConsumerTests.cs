using Belfry.Log;
using Belfry.Testing;

namespace Belfry.Sqlite.Tests;

public sealed class SqliteLogConsumerTests : IAsyncLifetime
{
    private const int Partitions = 512;
    private const int RecordCount = 2_000;
    private const int Rounds = 100;
    private readonly TempFolder _folder = new();
    private readonly AskedTime _time = new();
    private SqliteFile _file = null!;
    private SqliteLog _log = null!;

    public async Task InitializeAsync()
    {
        _file = SqliteFile.Open(_folder.File);
        _log = await SqliteLog.OpenAsync(_file, _time);
        await _log.DeclareAsync([new TopicDeclaration("t", Partitions, CleanUp.Time, TimeSpan.FromDays(1))], default);
    }

    /// <summary>Each round ends the consumer a little later in its poll.</summary>
    [Fact]
    public async Task A_consumer_whose_poll_was_given_up_as_it_took_partitions_leaves_all_of_them_to_the_next()
    {
        for (var round = 0; round < Rounds; round++)
        {
            var consumer = _log.OpenConsumer(new ConsumerGroup("g", ["t"]));
            using var polls = new ManualResetEventSlim();
            _time.Asked = polls.Set;
            var poll = Task.Factory.StartNew(
                () => consumer.PollAsync(new Listener(), 1, TimeSpan.Zero, default).AsTask(), default, TaskCreationOptions.LongRunning,
                TaskScheduler.Default).Unwrap();
            polls.Wait();
            _time.Asked = () => { };
            Thread.SpinWait(round * 20);
            await consumer.DisposeAsync();
            await poll;

            var next = new Listener();
            await using var successor = _log.OpenConsumer(new ConsumerGroup("g", ["t"]));
            await successor.PollAsync(next, 1, TimeSpan.Zero, default);
            next.Taken.ShouldBe(Partitions);
        }

        (await ReadAllAsync()).ShouldBe(RecordCount);
        for (var n = 0; n < Partitions; n++)
        {
            var partition = _log.Partition(new TopicPartition("t", n));
            var (start, end) = partition.Extent;
            (end > start && partition.TryReadTail(end - 1, 1, [])).ShouldBeFalse("one that ended is still counted as a reader");
        }
    }

    private async Task<int> ReadAllAsync()
    {
        await using var reader = _log.OpenConsumer(new ConsumerGroup("g", ["t"]));
        await reader.PollAsync(new Listener(), 1, TimeSpan.Zero, default);
        var value = new byte[1];
        await _log.AppendAsync(
            [.. Enumerable.Range(0, RecordCount).Select(n => new OutgoingRecord { Topic = "t", OrderingKey = $"{n}", Value = value })],
            default);
        for (var read = 0; ;)
        {
            var count = (await reader.PollAsync(new Listener(), RecordCount, TimeSpan.Zero, default)).Count;
            if (count == 0) return read;
            read += count;
        }
    }

    public async Task DisposeAsync()
    {
        await _file.DisposeAsync();
        _folder.Dispose();
    }

    private sealed class Listener : IAssignmentListener
    {
        public int Taken { get; private set; }

        public void Assigned(IReadOnlyList<TopicPartition> partitions) => Taken += partitions.Count;

        public ValueTask RevokedAsync(ILogConsumer consumer, IReadOnlyList<TopicPartition> partitions) => ValueTask.CompletedTask;

        public void Lost(IReadOnlyList<TopicPartition> partitions)
        {
        }
    }

    /// <summary>Tells when it is asked for a timestamp: the last that a poll does before it takes partitions.</summary>
    private sealed class AskedTime : TimeProvider
    {
        private readonly ManualTime _inner = new();

        public Action Asked { get; set; } = () => { };

        public override DateTimeOffset GetUtcNow() => _inner.GetUtcNow();

        public override long GetTimestamp()
        {
            Asked();
            return _inner.GetTimestamp();
        }

        public override long TimestampFrequency => _inner.TimestampFrequency;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            _inner.CreateTimer(callback, state, dueTime, period);
    }
}
