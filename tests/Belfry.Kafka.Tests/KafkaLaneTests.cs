using Belfry.Log;
using Belfry.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Kafka.Tests;

/// <summary>
/// Runner and lanes over the real client and a mock cluster: what went wrong in other runtimes (reference: Kafka, section 8), each by name.
/// The same promises hold in the simulator, under every order of events; here they meet the client's threads.
/// </summary>
public sealed class KafkaLaneTests : IAsyncLifetime
{
    private const int TopicAuthorizationFailed = 29;
    private const int NotCoordinator = 16;
    private const string Orders = "orders";
    private const string Pairs = "pairs";
    private const string DeadLetters = "dead";
    private static readonly TopicPartition Source = new(Orders, 0);
    private static readonly TimeSpan Session = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Often = TimeSpan.FromMilliseconds(50);
    private readonly TimeProvider _time = TimeProvider.System;
    private readonly Watched<(string Text, int Attempt)> _handled = new();
    private readonly Watched<string> _deadLetterTries = new();
    private readonly Watched<(int Runner, TopicPartition Source)> _owned = new();
    private readonly List<(CancellationTokenSource Stop, Task Running)> _runners = [];
    private MockCluster _cluster = null!;
    private KafkaLog _log = null!;
    private LaneOptions _lanes = new() { Backoff = [.. Enumerable.Repeat(TimeSpan.FromMilliseconds(20), 5)] };
    private Func<string, int, CancellationToken, ValueTask<HandlerOutcome>> _handle = (_, _, _) => new(HandlerOutcome.Success);

    [SkippableFact]
    public async Task An_exception_in_a_handler_is_an_attempt_that_failed_and_the_record_is_handled_again()
    {
        _handle = (_, attempt, _) => attempt < 3 ? throw new InvalidOperationException("broken") : new(HandlerOutcome.Success);
        await AppendAsync("a");
        Start();
        await CommittedAsync(1);
        _handled.Items.ShouldBe([("a", 1), ("a", 2), ("a", 3)]);
    }

    [SkippableFact]
    public async Task A_stop_in_a_retry_wait_ends_at_once_and_leaves_the_record_for_the_next()
    {
        await OpenAsync(Session);
        _handle = (_, _, _) => new(new HandlerOutcome.Retry("later", TimeSpan.FromMinutes(10)));
        _lanes = _lanes with { LaneWaitMax = TimeSpan.FromHours(1) };
        await AppendAsync("a");
        var first = Start();
        await _handled.UntilAsync(items => items.Count == 1);
        var since = _time.GetTimestamp();
        await StopAsync(first);
        _time.GetElapsedTime(since).ShouldBeLessThan(TimeSpan.FromSeconds(20), "it waits for no retry");
        (await NextAsync()).ShouldBe(0);
        _handle = (_, _, _) => new(HandlerOutcome.Success);
        Start();
        await CommittedAsync(1);
        _handled.Items.ShouldBe([("a", 1), ("a", 1)]);
    }

    [SkippableFact]
    public async Task A_dead_letter_that_cannot_be_produced_keeps_its_offset_pending_and_stops_no_other_key()
    {
        _handle = (text, _, _) => new(text == "bad" ? new HandlerOutcome.DeadLetter("never") : HandlerOutcome.Success);
        await AppendAsync("bad", "good", "fine");
        _cluster.FailOn(ApiKey.Produce, TopicAuthorizationFailed);
        Start();
        await _deadLetterTries.UntilAsync(tries => tries.Count >= 3);
        await _handled.UntilAsync(items => items.Count == 3);
        (await NextAsync()).ShouldBe(0);
        _cluster.Mend(ApiKey.Produce);
        await CommittedAsync(3);
        (await _log.ReadAsync(new TopicPartition(DeadLetters, 0), 0, 10, default)).Select(TestLog.Text).ShouldContain("bad");
        _handled.Items.Count.ShouldBe(3);
    }

    [SkippableFact]
    public async Task Commits_that_fail_are_made_up_for_and_nothing_is_handled_twice()
    {
        await AppendAsync("a");
        Start();
        await CommittedAsync(1);
        _cluster.Fail(ApiKey.OffsetCommit, TopicAuthorizationFailed, NotCoordinator, TopicAuthorizationFailed);
        await AppendAsync("b");
        await AppendAsync("c");
        await CommittedAsync(3);
        _handled.Items.Select(item => item.Text).ShouldBe(["a", "b", "c"]);
    }

    [SkippableFact]
    public async Task A_key_with_half_of_the_records_holds_up_none_of_the_others()
    {
        const int Half = 200;
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _lanes = _lanes with { Credits = 8 };
        _handle = async (text, _, cancel) =>
        {
            if (text.StartsWith("hot", StringComparison.Ordinal)) await gate.Task.WaitAsync(cancel);
            return HandlerOutcome.Success;
        };
        await AppendAsync([.. Enumerable.Range(0, Half).SelectMany(n => (string[])[$"hot-{n}", $"cold{n}"])]);
        Start();
        await _handled.UntilAsync(items => items.Count(item => item.Text.StartsWith("cold", StringComparison.Ordinal)) == Half);
        _handled.Items.Count(item => item.Text.StartsWith("hot", StringComparison.Ordinal)).ShouldBe(1);
        gate.SetResult();
        await CommittedAsync(2 * Half);
        _handled.Items.Where(item => item.Text.StartsWith("hot", StringComparison.Ordinal)).Select(item => item.Text)
            .ShouldBe(Enumerable.Range(0, Half).Select(n => $"hot-{n}"));
    }

    [SkippableFact]
    public async Task Keys_that_retry_for_ever_hold_no_credit_and_do_not_latch_the_intake()
    {
        var healed = false;
        _lanes = _lanes with { Credits = 4 };
        _handle = (text, _, _) => new(text.StartsWith("bad", StringComparison.Ordinal) && !Volatile.Read(ref healed)
            ? new HandlerOutcome.Retry("away", TimeSpan.FromMilliseconds(100), BurnsAttempt: false)
            : HandlerOutcome.Success);
        await AppendAsync([.. Enumerable.Range(0, 20).Select(n => $"bad{n}")]);
        Start();
        await _handled.UntilAsync(items => items.Count >= 60);
        await AppendAsync([.. Enumerable.Range(0, 200).Select(n => $"good{n}")]);
        await _handled.UntilAsync(items => items.Count(item => item.Text.StartsWith("good", StringComparison.Ordinal)) == 200);
        (await NextAsync()).ShouldBe(0, "the first records are not done");
        Volatile.Write(ref healed, true);
        await CommittedAsync(220);
    }

    [SkippableFact]
    public async Task A_drain_longer_than_the_session_keeps_the_partition_until_it_has_ended()
    {
        var session = TimeSpan.FromSeconds(4);
        await OpenAsync(session);
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _handle = async (_, _, _) =>
        {
            await gate.Task;
            return HandlerOutcome.Success;
        };
        await TestLog.FillAsync(_log, Pairs, 2, 1);
        Start(Pairs);
        await _handled.UntilAsync(items => items.Count == 2);
        Start(Pairs);

        // (A member more meanwhile would make the mock go on without the one that drains, as no broker does;
        // KafkaGroupTests has that.)
        await Task.Delay(session * 2, _time);
        _owned.Items.ShouldAllBe(owned => owned.Runner == 1);
        gate.SetResult();
        await _owned.UntilAsync(items => items.Any(owned => owned.Runner == 2));
        await TestLog.FillAsync(_log, Pairs, 2, 1);
        foreach (var n in (int[])[0, 1]) await CommittedAsync(2, new TopicPartition(Pairs, n));
    }

    public async Task InitializeAsync()
    {
        _cluster = new MockCluster();
        _cluster.CreateTopic(Orders, 1);
        _cluster.CreateTopic(Pairs, 2);
        _cluster.CreateTopic(DeadLetters, 1);
        await OpenAsync(TimeSpan.FromSeconds(30));
    }

    /// <summary>A rebalance of the mock takes a session less a second: short ones are for tests that wait for one.</summary>
    private async Task OpenAsync(TimeSpan session)
    {
        if (_log is not null) await _log.DisposeAsync();
        _log = TestLog.Open(TestLog.Options(_cluster.Bootstrap) with
        {
            // One that hangs up on a slow coordinator and joins by another connection would make the mock end the process.
            SessionTimeout = session, BrokerAnswerMax = TimeSpan.FromSeconds(30),
        });
        await _log.DeclareAsync([TestLog.Topic(Orders, 1), TestLog.Topic(Pairs, 2), TestLog.Topic(DeadLetters, 1)], default);
    }

    public async Task DisposeAsync()
    {
        foreach (var (stop, running) in _runners)
        {
            await stop.CancelAsync();
            await running;
            stop.Dispose();
        }

        await _log.DisposeAsync();
        _cluster.Dispose();
    }

    /// <summary>Each under a key of its own, but for those whose text has a dash: what stands before it is their key.</summary>
    private Task AppendAsync(params string[] texts) =>
        _log.AppendAsync([.. texts.Select(text => TestLog.Record(Orders, text, text.Split('-')[0]))], default).AsTask();

    private (CancellationTokenSource Stop, Task Running) Start(string topic = Orders)
    {
        var number = _runners.Count + 1;
        var stop = new CancellationTokenSource();
        var options = new ConsumerOptions { CommitInterval = Often, ErrorBackoff = Often, DrainBudget = TimeSpan.FromSeconds(60) };
        var runner = new ConsumerRunner(
            _log, new ConsumerGroup("g", [topic]), (_, sources) => Owner(number, sources[0]), options, _time, NullLogger.Instance);
        var started = (stop, Task.Run(() => runner.RunAsync(stop.Token)));
        _runners.Add(started);
        return started;
    }

    private async Task StopAsync((CancellationTokenSource Stop, Task Running) runner)
    {
        _runners.Remove(runner);
        await runner.Stop.CancelAsync();
        await runner.Running;
        runner.Stop.Dispose();
    }

    private LaneOwner Owner(int runner, TopicPartition source)
    {
        _owned.Add((runner, source));
        return new LaneOwner(
            "g", source, HandleAsync, record => record.Key, DeadLetterAsync, new NothingParked(), _lanes, new Random(1), _time,
            NullLogger.Instance);
    }

    private ValueTask<HandlerOutcome> HandleAsync(LogRecord record, int attempt, CancellationToken cancel)
    {
        _handled.Add((TestLog.Text(record), attempt));
        return _handle(TestLog.Text(record), attempt, cancel);
    }

    private async ValueTask DeadLetterAsync(LogRecord record, string reason, int attempts, CancellationToken cancel)
    {
        _deadLetterTries.Add(TestLog.Text(record));
        await _log.AppendAsync([TestLog.Record(DeadLetters, TestLog.Text(record))], cancel);
    }

    /// <summary>The offset that the next owner would begin with.</summary>
    private async Task<long> NextAsync() => await _log.CommittedAsync("g", Source, default) ?? 0;

    private async Task CommittedAsync(long next, TopicPartition? source = null)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60), _time);
        while (await _log.CommittedAsync("g", source ?? Source, limit.Token) is not { } at || at < next)
            await Task.Delay(Often, _time, limit.Token);
    }

    /// <summary>For tests whose waits all stay in the lane.</summary>
    private sealed class NothingParked : IParkedRecordStore
    {
        public ValueTask<long> TakeOverAsync(string group, TopicPartition source, CancellationToken cancel) => new(1);

        public ValueTask<IReadOnlyList<ParkedRecord>> LoadAsync(
            string group, TopicPartition source, long fromOffset, int max, CancellationToken cancel) => new([]);

        public ValueTask ApplyAsync(
            string group, TopicPartition source, long epoch, IReadOnlyList<ParkedRecord> parked, IReadOnlyList<long> doneOffsets,
            CancellationToken cancel) => parked.Count == 0 ? default : throw new InvalidOperationException("parked");
    }
}
