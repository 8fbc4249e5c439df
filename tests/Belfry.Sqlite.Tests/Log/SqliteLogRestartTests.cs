using System.Diagnostics;
using System.Text;
using Belfry.Log;
using Belfry.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit.Abstractions;

namespace Belfry.Sqlite.Tests;

public sealed class SqliteLogRestartTests(ITestOutputHelper output) : IAsyncLifetime
{
    private static readonly TopicPartition Orders = new("orders", 0);
    private readonly TempFolder _folder = new();
    private readonly ManualTime _time = new();
    private SqliteFile _file = null!;
    private SqliteLog _log = null!;

    public Task InitializeAsync() => OpenAsync();

    public async Task DisposeAsync()
    {
        await _file.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task Records_and_commits_are_there_after_a_restart_and_offsets_go_on()
    {
        await AppendAsync("0", "1", "2");
        await using (var consumer = _log.OpenConsumer(new ConsumerGroup("g", ["orders"])))
        {
            await consumer.PollAsync(new Listener(), 10, TimeSpan.Zero, default);
            await consumer.CommitAsync([new(Orders, 2)], default);
        }

        await RestartAsync();
        (await _log.CommittedAsync("g", Orders, default)).ShouldBe(2);
        (await _log.OffsetsAsync(Orders, default)).ShouldBe((0, 3));
        await AppendAsync("3");
        (await TextsAsync()).ShouldBe([(0, "0"), (1, "1"), (2, "2"), (3, "3")]);
        await using var next = _log.OpenConsumer(new ConsumerGroup("g", ["orders"]));
        (await next.PollAsync(new Listener(), 10, TimeSpan.Zero, default)).Select(r => r.Offset).ShouldBe([2, 3]);
    }

    [Fact]
    public async Task Offsets_go_on_after_retention_emptied_a_partition_and_a_restart()
    {
        await AppendAsync("0", "1", "2");
        _time.Advance(TimeSpan.FromHours(2));
        (await CleanAsync()).ShouldBe(3);
        await RestartAsync();
        (await _log.OffsetsAsync(Orders, default)).ShouldBe((3, 3));
        await AppendAsync("3");
        (await TextsAsync()).ShouldBe([(3, "3")]);
    }

    [Fact]
    public async Task Offsets_go_on_after_compaction_removed_the_newest_record_and_a_restart()
    {
        var rules = new TopicPartition("rules", 0);
        await _log.AppendAsync([Record("rules", "x"), Record("rules", "")], default);
        await CleanAsync();
        _time.Advance(TimeSpan.FromHours(2));
        await CleanAsync();
        (await _log.ReadAsync(rules, 0, 10, default)).ShouldBeEmpty();
        await RestartAsync();
        (await _log.OffsetsAsync(rules, default)).End.ShouldBe(2);
        await _log.AppendAsync([Record("rules", "y")], default);
        (await _log.ReadAsync(rules, 0, 10, default)).Single().Offset.ShouldBe(2);
    }

    [Fact]
    public async Task Appends_of_a_lot_that_began_anew_keep_their_offsets_and_are_told_once()
    {
        await AppendAsync("0");
        using var held = await WriterHold.TakeAsync(_file);
        var before = AppendAsync("1", "2");
        var failing = _file.WriteAsync<int>(_ => throw new FormatException("mine"), default).AsTask();
        var after = AppendAsync("3");
        held.Release();
        await Task.WhenAll(before, after).WaitAsync(TimeSpan.FromSeconds(30));
        await Should.ThrowAsync<FormatException>(failing);
        (await TextsAsync()).ShouldBe([(0, "0"), (1, "1"), (2, "2"), (3, "3")]);
        await RestartAsync();
        (await TextsAsync()).ShouldBe([(0, "0"), (1, "1"), (2, "2"), (3, "3")]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_append_that_was_rolled_back_leaves_no_gap_and_no_ghost(bool begunAnew)
    {
        await _file.WriteAsync(c =>
        {
            c.Statement("create table parent (n integer primary key)").Run();
            c.Statement("create table child (n integer references parent (n) deferrable initially deferred)").Run();
            return 0;
        }, default);
        await AppendAsync("0");
        using var held = await WriterHold.TakeAsync(_file);
        var append = AppendAsync("lost", "lost too");
        Task failing = begunAnew ? _file.WriteAsync<int>(_ => throw new FormatException("mine"), default).AsTask() : Task.CompletedTask;
        var breaking = _file.WriteAsync(c =>
        {
            c.Statement("insert into child values (1)").Run();
            return 0;
        }, default).AsTask();
        held.Release();
        var within = TimeSpan.FromSeconds(30);
        await Should.ThrowAsync<LogUnavailableException>(append.WaitAsync(within));
        await Should.ThrowAsync<Exception>(Task.WhenAll(failing, breaking));
        await AppendAsync("1");
        (await TextsAsync()).ShouldBe([(0, "0"), (1, "1")]);
        (await _log.OffsetsAsync(Orders, default)).ShouldBe((0, 2));
    }

    [Fact]
    public async Task A_changed_partition_count_is_refused_after_a_restart()
    {
        await _file.DisposeAsync();
        _file = SqliteFile.Open(_folder.File);
        _log = await SqliteLog.OpenAsync(_file, _time);
        await Should.ThrowAsync<TopicMismatchException>(
            async () => await _log.DeclareAsync([new TopicDeclaration("orders", 2, CleanUp.Time, TimeSpan.FromHours(1))], default));
    }

    [Fact]
    public async Task Values_are_the_logs_own_once_appended()
    {
        var bytes = "first"u8.ToArray();
        await _log.AppendAsync([Record("orders", "") with { Value = bytes }], default);
        bytes[0] = (byte)'X';
        (await TextsAsync()).ShouldBe([(0, "first")]);
    }

    [Fact]
    public async Task Lots_appended_at_once_share_commits_and_all_arrive()
    {
        var value = new byte[200];
        var lot = Enumerable.Range(0, 1_000).Select(n => new OutgoingRecord { Topic = "wide", OrderingKey = $"key-{n}", Value = value })
            .ToArray();
        await _log.AppendAsync(lot, default);
        var before = _file.Counters.Commits;
        var watch = Stopwatch.StartNew();
        using var held = await WriterHold.TakeAsync(_file);
        var appends = Enumerable.Range(0, 20).Select(_ => _log.AppendAsync(lot, default).AsTask()).ToList();
        held.Release();
        await Task.WhenAll(appends);
        output.WriteLine($"{20_000 / watch.Elapsed.TotalSeconds:n0} records/s appended");
        (_file.Counters.Commits - before).ShouldBeLessThan(20);
        long appended = 0;
        for (var n = 0; n < 12; n++) appended += (await _log.OffsetsAsync(new TopicPartition("wide", n), default)).End;
        appended.ShouldBe(21_000);
    }

    private async Task OpenAsync()
    {
        _file = SqliteFile.Open(_folder.File);
        _log = await SqliteLog.OpenAsync(_file, _time);
        await _log.DeclareAsync(
            [
                new TopicDeclaration("orders", 1, CleanUp.Time, TimeSpan.FromHours(1)),
                new TopicDeclaration("rules", 1, CleanUp.Compact, TimeSpan.FromHours(1)),
                new TopicDeclaration("wide", 12, CleanUp.Time, TimeSpan.FromHours(1)),
            ],
            default);
    }

    private async Task RestartAsync()
    {
        await _file.DisposeAsync();
        await OpenAsync();
    }

    private async Task<long> CleanAsync() =>
        await new LogCleaner(_log, new LogCleanerOptions { BatchRecords = 2 }, NullLogger.Instance).RunOnceAsync(default);

    private async Task AppendAsync(params string[] values) => await _log.AppendAsync([.. values.Select(v => Record("orders", v))], default);

    private static OutgoingRecord Record(string topic, string value) =>
        new() { Topic = topic, OrderingKey = "k", Value = Encoding.UTF8.GetBytes(value) };

    private async Task<List<(long, string)>> TextsAsync() =>
        [.. (await _log.ReadAsync(Orders, 0, 100, default)).Select(r => (r.Offset, Encoding.UTF8.GetString(r.Value.Span)))];

    private sealed class Listener : IAssignmentListener
    {
        public void Assigned(IReadOnlyList<TopicPartition> partitions)
        {
        }

        public ValueTask RevokedAsync(ILogConsumer consumer, IReadOnlyList<TopicPartition> partitions) => ValueTask.CompletedTask;

        public void Lost(IReadOnlyList<TopicPartition> partitions)
        {
        }
    }
}
