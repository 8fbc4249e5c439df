using Belfry.Log;
using Belfry.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Kafka.Tests;

/// <summary>A consumer that hangs, or that reads nothing any more, over a real broker.</summary>
public sealed class KafkaStallTests : IAsyncLifetime
{
    private static readonly TimeSpan Often = TimeSpan.FromMilliseconds(100);
    private readonly string _orders = $"t{Guid.NewGuid():N}-orders";
    private readonly Handled _handled = new();
    private Opened _log = null!;
    private KafkaLog _kafka = null!;
    private ConsumerRunner _runner = null!;

    [SkippableFact]
    public async Task One_whose_thread_hangs_is_replaced_under_its_own_identity_long_before_its_session_or_poll_limit_ends()
    {
        await RunAsync(async () =>
        {
            using var gate = new ManualResetEventSlim();
            var before = _runner.Status.Rebuilds;
            var hangs = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _log.Last.Thread.Post(() =>
            {
                hangs.SetResult();
                gate.Wait();
            });
            try
            {
                // A poll that was under way might bring the records before it hangs.
                await hangs.Task;
                await TestLog.FillAsync(_kafka, _orders, 2, 10);
                await _handled.UntilAsync(40);
                _runner.Status.Rebuilds.ShouldBeGreaterThan(before);
            }
            finally
            {
                gate.Set();
            }
        });
    }

    [SkippableFact]
    public async Task A_pause_that_leaked_is_found_and_ended_and_the_lag_is_told()
    {
        using var monitor = new ConsumerMonitor(
            _kafka, [TestLog.Topic(_orders, 2)], new ConsumerMonitorOptions(), TimeProvider.System, NullLogger.Instance);
        monitor.Watch(_runner);
        await RunAsync(async () =>
        {
            _log.Last.Pause(new TopicPartition(_orders, 0));
            _log.Last.Pause(new TopicPartition(_orders, 1));
            await _log.Last.Thread.RunAsync(() => { });
            await TestLog.FillAsync(_kafka, _orders, 2, 10);
            var (before, found) = (_runner.Status.Rebuilds, false);
            while (_handled.Distinct < 40)
            {
                await monitor.LookOnceAsync(default);
                found |= monitor.Healths.Single().Class == StallClass.Fetch;
            }

            found.ShouldBeTrue();
            _runner.Status.Rebuilds.ShouldBe(before);
            while (monitor.Healths.Single() is not { Class: StallClass.None, Partitions: [{ Lag: 0, End: 20 }, { Lag: 0, End: 20 }] })
                await monitor.LookOnceAsync(default);
        });
    }

    public async Task InitializeAsync()
    {
        _kafka = TestLog.Open(TestLog.Options(await KafkaBroker.BootstrapAsync()) with
        {
            GroupInstanceId = "one", CloseTimeout = TimeSpan.FromSeconds(5),
        });
        await _kafka.DeclareAsync([TestLog.Topic(_orders, 2)], default);
        _log = new Opened(_kafka);
        var options = new ConsumerOptions
        {
            CommitInterval = Often, ErrorBackoff = Often, PollStallAfter = TimeSpan.FromSeconds(3), DrainBudget = TimeSpan.FromSeconds(1),
            StuckAfter = TimeSpan.FromSeconds(2), AssignmentGrace = TimeSpan.FromSeconds(1),
        };
        _runner = new ConsumerRunner(
            _log, new ConsumerGroup(_orders + "-g", [_orders]), _handled.Owner, options, TimeProvider.System, NullLogger.Instance);
    }

    public async Task DisposeAsync()
    {
        if (_kafka is null) return;
        await TestLog.DeleteTopicsAsync(_kafka);
        await _kafka.DisposeAsync();
    }

    /// <summary>With the runner at work, and twenty records handled.</summary>
    private async Task RunAsync(Func<Task> test)
    {
        using var stop = new CancellationTokenSource();
        var running = _runner.RunAsync(stop.Token);
        await TestLog.FillAsync(_kafka, _orders, 2, 10);
        await _handled.UntilAsync(20);
        await test().WaitAsync(TimeSpan.FromSeconds(60), TimeProvider.System);
        await stop.CancelAsync();
        await running;
    }

    /// <summary>Remembers the consumer opened last.</summary>
    private sealed class Opened(KafkaLog log) : ForwardingLog(log)
    {
        public KafkaLogConsumer Last { get; private set; } = null!;

        public override ILogConsumer OpenConsumer(ConsumerGroup group) => Last = (KafkaLogConsumer)base.OpenConsumer(group);
    }
}
