using Belfry.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Outbox.Tests;

public sealed class OutboxRelayTests : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private readonly FakeOutboxStore _store = new();
    private readonly FakeLog _log = new();
    private readonly ManualTime _time = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly OutboxRelay _relay;
    private Task _running = Task.CompletedTask;

    // Without a limit for a lot, whose timer would be taken for the wait of a relay that is idle.
    public OutboxRelayTests() => _relay = new OutboxRelay(_store, _log, "a", _time, NullLogger.Instance)
    {
        LotTimeMax = Timeout.InfiniteTimeSpan,
    };

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.WaitAsync(Patience);
        _stop.Dispose();
    }

    [Fact]
    public async Task What_is_there_at_the_start_is_published_in_order_and_deleted()
    {
        _store.Add("a", "1", "2", "3");
        Start();
        await UntilIdleAsync(() => _store.Count == 0);
        _log.Appended.ShouldBe(["1", "2", "3"]);
    }

    [Fact]
    public async Task Other_lanes_are_left_alone()
    {
        _store.Add("b", "1");
        Start();
        await UntilIdleAsync(() => true);
        _log.Appended.ShouldBeEmpty();
        _store.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_poke_publishes_at_once()
    {
        Start();
        await UntilIdleAsync(() => true);
        _store.Add("a", "1");
        _relay.Poke();
        await UntilIdleAsync(() => _store.Count == 0);
        _time.GetUtcNow().ShouldBe(new ManualTime().GetUtcNow(), "no time has passed");
    }

    [Fact]
    public async Task What_nobody_poked_for_goes_after_five_seconds()
    {
        Start();
        await UntilIdleAsync(() => true);
        _store.Add("a", "1");
        _time.Advance(TimeSpan.FromSeconds(4.999));
        _store.Count.ShouldBe(1);
        _time.Advance(TimeSpan.FromSeconds(0.001));
        await UntilIdleAsync(() => _store.Count == 0);
    }

    [Fact]
    public async Task An_idle_relay_looks_every_five_seconds_and_no_more()
    {
        Start();
        await UntilIdleAsync(() => _store.PendingCalls == 1);
        for (var look = 2; look < 6; look++)
        {
            _time.Advance(TimeSpan.FromSeconds(5));
            await UntilIdleAsync(() => _store.PendingCalls >= look);
            _store.PendingCalls.ShouldBe(look);
        }
    }

    [Fact]
    public async Task More_than_a_lot_goes_in_several_without_a_wait()
    {
        _store.Add("a", [.. Enumerable.Range(0, 1_234).Select(n => $"{n}")]);
        Start();
        await UntilIdleAsync(() => _store.Count == 0);
        _log.Appends.ShouldBe(3);
        _log.Appended.ShouldBe(Enumerable.Range(0, 1_234).Select(n => $"{n}"));
    }

    [Fact]
    public async Task A_failed_append_is_repeated_whole_and_in_order_after_a_growing_pause()
    {
        var fails = new Queue<int?>([0, 2, 3]);
        _log.FailsAfter = () => fails.TryDequeue(out var after) ? after : null;
        _store.Add("a", "1", "2", "3");
        Start();
        foreach (var (appends, pauseMs) in new[] { (1, 100), (2, 200), (3, 400) })
        {
            await UntilIdleAsync(() => _log.Appends == appends);
            _store.Count.ShouldBe(3, "nothing is deleted before its append succeeded");
            _relay.Poke();
            _time.Advance(TimeSpan.FromMilliseconds(pauseMs - 1));
            _log.Appends.ShouldBe(appends, "a poke does not shorten the pause");
            _time.Advance(TimeSpan.FromMilliseconds(1));
        }

        await UntilIdleAsync(() => _store.Count == 0);
        _log.Appended.ShouldBe(["1", "2", "1", "2", "3", "1", "2", "3"]);
    }

    [Fact]
    public async Task Messages_whose_deletion_failed_are_deleted_later_and_not_appended_again()
    {
        var fails = 1;
        _store.Fault = call => call == "delete" && fails-- > 0 ? new StoreUnavailableException("planted") : null;
        _store.Add("a", "1", "2");
        Start();
        await UntilIdleAsync(() => _log.Appends == 1);
        _store.Add("a", "3");
        _time.Advance(TimeSpan.FromMilliseconds(100));
        await UntilIdleAsync(() => _store.Count == 0);
        _log.Appended.ShouldBe(["1", "2", "3"]);
    }

    [Fact]
    public async Task A_lower_sequence_that_appears_after_a_failed_deletion_is_published()
    {
        var fails = 1;
        _store.Fault = call => call == "delete" && fails-- > 0 ? new StoreUnavailableException("planted") : null;
        _store.AddAt(10, "a", "late");
        Start();
        await UntilIdleAsync(() => _log.Appends == 1);
        _store.AddAt(9, "a", "later still");
        _time.Advance(TimeSpan.FromMilliseconds(100));
        await UntilIdleAsync(() => _store.Count == 0);
        _log.Appended.ShouldBe(["late", "later still"]);
    }

    [Fact]
    public async Task A_store_that_cannot_be_read_is_asked_again()
    {
        var fails = 2;
        _store.Fault = call => call == "pending" && fails-- > 0 ? new StoreUnavailableException("planted") : null;
        _store.Add("a", "1");
        Start();
        await UntilIdleAsync(() => _store.PendingCalls == 1);
        _time.Advance(TimeSpan.FromMilliseconds(100));
        await UntilIdleAsync(() => _store.PendingCalls == 2);
        _time.Advance(TimeSpan.FromMilliseconds(200));
        await UntilIdleAsync(() => _store.Count == 0);
        _log.Appended.ShouldBe(["1"]);
    }

    [Fact]
    public async Task Stopping_in_the_midst_of_a_lot_deletes_nothing_and_the_next_relay_publishes_all()
    {
        _store.Add("a", "1", "2");
        var appending = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _log.OnAppend = async cancel =>
        {
            appending.TrySetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, cancel);
        };
        Start();
        await appending.Task.WaitAsync(Patience);
        await _stop.CancelAsync();
        await _running.WaitAsync(Patience);
        _store.Count.ShouldBe(2);

        _log.OnAppend = _ => Task.CompletedTask;
        var next = new OutboxRelay(_store, _log, "a", _time, NullLogger.Instance);
        (await next.PublishOnceAsync(default)).ShouldBe(2);
        _log.Appended.ShouldBe(["1", "2"]);
        _store.Count.ShouldBe(0);
    }

    [Fact]
    public async Task A_lot_that_hangs_for_five_seconds_is_given_up_and_published_again()
    {
        _store.Add("a", "1");
        var appending = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _log.OnAppend = async cancel =>
        {
            appending.TrySetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, cancel);
        };
        var relay = new OutboxRelay(_store, _log, "a", _time, NullLogger.Instance);
        var publishing = relay.PublishOnceAsync(default);
        await appending.Task.WaitAsync(Patience);
        _time.Advance(TimeSpan.FromMilliseconds(4_999));
        publishing.IsCompleted.ShouldBeFalse();
        _time.Advance(TimeSpan.FromMilliseconds(1));
        await Should.ThrowAsync<TimeoutException>(() => publishing.WaitAsync(Patience));
        _log.OnAppend = _ => Task.CompletedTask;
        (await relay.PublishOnceAsync(default)).ShouldBe(1);
        _log.Appended.ShouldBe(["1"]);
    }

    [Fact]
    public void Pauses_double_up_to_ten_seconds()
    {
        Enumerable.Range(0, 9).Select(n => OutboxRelay.Backoff(n).TotalMilliseconds)
            .ShouldBe([100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
        OutboxRelay.Backoff(int.MaxValue).ShouldBe(TimeSpan.FromSeconds(10));
    }

    private void Start() => _running = Task.Run(() => _relay.RunAsync(_stop.Token));

    /// <summary>Until the condition holds and the relay has armed its next wait.</summary>
    private async Task UntilIdleAsync(Func<bool> reached)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!reached() || _time.ArmedTimers == 0)
        {
            if (TimeProvider.System.GetElapsedTime(started) > Patience)
                throw new TimeoutException(
                    $"Not reached; pending {_store.Count}, appended [{string.Join(", ", _log.Appended)}], timers {_time.ArmedTimers}");
            await Task.Yield();
        }
    }
}
