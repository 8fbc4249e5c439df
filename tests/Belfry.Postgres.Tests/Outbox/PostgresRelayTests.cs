using System.Text;
using Belfry.Log;
using Belfry.Outbox;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Postgres.Tests;

/// <summary>Relays of several processes over one outbox.</summary>
public sealed class PostgresRelayTests : IAsyncLifetime
{
    private const string Lane = "people";
    private TestSchema _schema = null!;

    public async Task InitializeAsync() => _schema = await TestSchema.CreateAsync();

    public async Task DisposeAsync() => await _schema.DisposeAsync();

    [Fact]
    public async Task Two_relays_of_one_lane_publish_all_and_keep_the_order_of_each_key()
    {
        const int Writers = 4, Each = 50;
        // A lot that takes longer than it may is published by the other relay meanwhile: here none does.
        await using var one = PostgresDatabase.Open(_schema.Options with { LaneHoldIdleMax = TimeSpan.FromMinutes(1) });
        await using var other = PostgresDatabase.Open(_schema.Options with { LaneHoldIdleMax = TimeSpan.FromMinutes(1) });
        var log = new SlowLog();
        using var stop = new CancellationTokenSource();
        OutboxRelay[] relays = [Relay(one, log), Relay(other, log)];
        var running = relays.Select(relay => relay.RunAsync(stop.Token)).ToArray();
        await Task.WhenAll(Enumerable.Range(0, Writers).Select(async writer =>
        {
            var store = new PostgresOutboxStore(writer % 2 == 0 ? one : other);
            for (var n = 0; n < Each; n++)
            {
                await AddAsync(store, $"key-{writer}", $"{n}");
                foreach (var relay in relays) relay.Poke();
            }
        }));
        await log.AppendedAsync(Writers * Each);
        await stop.CancelAsync();
        await Task.WhenAll(running);
        log.MostAtOnce.ShouldBe(1);
        for (var writer = 0; writer < Writers; writer++)
            log.Of($"key-{writer}").Distinct().ShouldBe(Enumerable.Range(0, Each).Select(n => $"{n}"));
        for (var writer = 0; writer < Writers; writer++) log.Of($"key-{writer}").ShouldBe(log.Of($"key-{writer}").OrderBy(int.Parse));
    }

    [Fact]
    public async Task A_lane_is_held_by_one_until_it_lets_go()
    {
        await using var other = _schema.OpenAnother();
        var (mine, theirs) = (new PostgresOutboxStore(_schema.Database), new PostgresOutboxStore(other));
        var hold = await mine.TryHoldLaneAsync(Lane, default);
        hold.ShouldNotBeNull();
        (await mine.TryHoldLaneAsync(Lane, default)).ShouldBeNull();
        (await theirs.TryHoldLaneAsync(Lane, default)).ShouldBeNull();
        (await theirs.TryHoldLaneAsync("another", default)).ShouldNotBeNull();
        await hold.DisposeAsync();
        await hold.DisposeAsync();
        (await theirs.TryHoldLaneAsync(Lane, default)).ShouldNotBeNull();
        (await mine.TryHoldLaneAsync(Lane, default)).ShouldBeNull();
    }

    [Fact]
    public async Task A_session_that_is_gone_holds_no_lane_and_takes_none_from_the_next()
    {
        await using var other = _schema.OpenAnother();
        var lost = await new PostgresOutboxStore(_schema.Database).TryHoldLaneAsync(Lane, default);
        lost.ShouldNotBeNull();
        await _schema.RunAsync($"""
            select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted
                and (classid::bigint << 32) | objid::bigint = hashtextextended(current_schema() || '/{Lane}', 0)
            """);
        var theirs = new PostgresOutboxStore(other);
        IAsyncDisposable? hold = null;

        // The lock goes when the ended backend has cleaned up.
        while (hold is null) hold = await theirs.TryHoldLaneAsync(Lane, default);
        await lost.DisposeAsync();
        (await new PostgresOutboxStore(_schema.Database).TryHoldLaneAsync(Lane, default)).ShouldBeNull();
        await hold.DisposeAsync();
        (await new PostgresOutboxStore(_schema.Database).TryHoldLaneAsync(Lane, default)).ShouldNotBeNull();
    }

    [Fact]
    public async Task A_frozen_process_loses_its_lanes_when_its_session_was_idle_too_long()
    {
        await using var frozen = PostgresDatabase.Open(_schema.Options with
        {
            LaneHoldIdleMax = TimeSpan.FromSeconds(1), LaneHoldIdleMin = TimeSpan.FromSeconds(1),
        });
        var store = new PostgresOutboxStore(frozen);
        var lost = await HeldAsync(store);
        var hold = await HeldAsync(new PostgresOutboxStore(_schema.Database));
        await lost.DisposeAsync();
        await hold.DisposeAsync();
        await (await HeldAsync(store)).DisposeAsync();
    }

    [Fact]
    public async Task A_message_is_never_passed_by_while_an_older_one_is_not_committed()
    {
        var store = new PostgresOutboxStore(_schema.Database);
        var first = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var older = store.WriteAsync(async tx =>
        {
            await tx.AddAsync(Lane, [Record("k", "1")]);
            first.SetResult();
            await go.Task;
            return true;
        }, default).AsTask();
        await first.Task;
        var newer = AddAsync(store, "k", "2");
        (await store.PendingAsync(Lane, 10, default)).ShouldBeEmpty();
        newer.IsCompleted.ShouldBeFalse();
        go.SetResult();
        await Task.WhenAll(older, newer);
        (await store.PendingAsync(Lane, 10, default)).Select(m => Encoding.UTF8.GetString(m.Record.Value.Span)).ShouldBe(["1", "2"]);
    }

    /// <summary>Asks until it has the lane, also where its session was idle too long before it could ask.</summary>
    private static async Task<IAsyncDisposable> HeldAsync(PostgresOutboxStore store)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (true)
        {
            try
            {
                if (await store.TryHoldLaneAsync(Lane, limit.Token) is { } hold) return hold;
            }
            catch (StoreUnavailableException)
            {
                // The next try opens another session.
            }
        }
    }

    private static OutboxRelay Relay(PostgresDatabase database, SlowLog log) =>
        new(new PostgresOutboxStore(database), log, Lane, TimeProvider.System, NullLogger.Instance)
        {
            LookAgain = TimeSpan.FromMilliseconds(20),
            LotTimeMax = Timeout.InfiniteTimeSpan,
        };

    private static OutgoingRecord Record(string key, string value) =>
        new() { Topic = "t", OrderingKey = key, Value = Encoding.UTF8.GetBytes(value) };

    private static async Task AddAsync(PostgresOutboxStore store, string key, string value) => await store.WriteAsync(async tx =>
    {
        await tx.AddAsync(Lane, [Record(key, value)]);
        return true;
    }, default);

    /// <summary>Appends that take their time, so that two relays would meet in them.</summary>
    private sealed class SlowLog : IPartitionedLog
    {
        private readonly Lock _lock = new();
        private readonly List<(string Key, string Value)> _records = [];
        private readonly List<(int Count, TaskCompletionSource Reached)> _waiters = [];
        private int _now;

        public int MostAtOnce { get; private set; }

        public async ValueTask AppendAsync(IReadOnlyList<OutgoingRecord> records, CancellationToken cancel)
        {
            lock (_lock) MostAtOnce = Math.Max(MostAtOnce, ++_now);
            for (var n = 0; n < 20; n++) await Task.Yield();
            lock (_lock)
            {
                _now--;
                _records.AddRange(records.Select(record => (record.OrderingKey, Encoding.UTF8.GetString(record.Value.Span))));
                foreach (var (count, reached) in _waiters)
                    if (_records.Distinct().Count() >= count) reached.TrySetResult();
            }
        }

        public Task AppendedAsync(int count)
        {
            lock (_lock)
            {
                var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                _waiters.Add((count, reached));
                if (_records.Distinct().Count() >= count) reached.SetResult();
                return reached.Task.WaitAsync(TimeSpan.FromMinutes(2));
            }
        }

        public IReadOnlyList<string> Of(string key)
        {
            lock (_lock) return [.. _records.Where(record => record.Key == key).Select(record => record.Value)];
        }

        public ValueTask DeclareAsync(IReadOnlyList<TopicDeclaration> topics, CancellationToken cancel) =>
            throw new NotSupportedException();

        public ILogConsumer OpenConsumer(ConsumerGroup group) => throw new NotSupportedException();

        public ValueTask<IReadOnlyList<LogRecord>> ReadAsync(
            TopicPartition source, long fromOffset, int max, CancellationToken cancel) => throw new NotSupportedException();

        public ValueTask<(long Start, long End)> OffsetsAsync(TopicPartition source, CancellationToken cancel) =>
            throw new NotSupportedException();

        public ValueTask<long?> CommittedAsync(string group, TopicPartition source, CancellationToken cancel) =>
            throw new NotSupportedException();
    }
}
