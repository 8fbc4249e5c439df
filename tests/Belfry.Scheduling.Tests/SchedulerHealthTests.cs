using Belfry.Log;
using Belfry.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Scheduling.Tests;

public sealed class SchedulerHealthTests
{
    private readonly SimulatedWorld _world = new(1);
    private readonly TopicDeclaration _topic = new("scheduled-tasks", 1, CleanUp.Time, TimeSpan.FromDays(7));
    private readonly SimulatedLog _log;
    private readonly SimulatedNode _node;

    public SchedulerHealthTests()
    {
        _log = new SimulatedLog(_world);
        _log.DeclareAsync([_topic], default).AsTask().Wait();
        _node = _world.AddNode("node");
    }

    [Fact]
    public void A_handler_that_never_ends_is_told_as_such_and_those_that_end_are_counted()
    {
        var handler = new HangingHandler();
        var (runner, monitor) = Start(handler);
        Schedule("a");
        Schedule("b");
        _world.Run(() => handler.Calls == 2, TimeSpan.FromSeconds(30)).ShouldBe(RunEnd.Reached);
        var began = _world.Now;
        _world.Run(length: TimeSpan.FromSeconds(5));
        var activity = runner.Status.Partitions.Single().Activity;
        activity.Running.ShouldBe(2);
        (began - activity.RunningSince!.Value).ShouldBeInRange(TimeSpan.Zero, TimeSpan.FromSeconds(2));

        _world.Run(() => monitor.Healths[0].Class == StallClass.Handler, TimeSpan.FromMinutes(3)).ShouldBe(RunEnd.Reached);
        monitor.Healths[0].FailsLiveness.ShouldBeFalse();

        handler.Ended.SetResult();
        _world.Run(() => monitor.Healths[0].Class == StallClass.None, TimeSpan.FromMinutes(1)).ShouldBe(RunEnd.Reached);
        runner.Status.Partitions.Single().Activity.ShouldBe(new OwnerActivity { Completed = 2 });
    }

    private (ConsumerRunner, ConsumerMonitor) Start(ITaskHandler handler)
    {
        var log = _log.On(_node);
        var worker = new SchedulerWorker(
            log, _topic, "scheduler", new SimulatedTaskStore(), [handler], new SchedulerOptions(), new ConsumerOptions(), _node.Time,
            NullLoggerFactory.Instance);
        var monitor = new ConsumerMonitor(log, [_topic], new ConsumerMonitorOptions(), _node.Time, NullLogger.Instance);
        monitor.Watch(worker.Runner);
        _node.Start(() => Task.WhenAll(worker.RunAsync(CancellationToken.None), monitor.RunAsync(CancellationToken.None)));
        return (worker.Runner, monitor);
    }

    private void Schedule(string orderingId) => _log.AppendAsync(
        [
            TaskRecords.Schedule(_topic.Name, new ScheduledTask
            {
                Id = new ScheduledTaskId(orderingId, "hang", "1"), DueAt = _world.Now,
            }),
        ], default).IsCompletedSuccessfully.ShouldBeTrue();

    private sealed class HangingHandler : ITaskHandler
    {
        public string Kind => "hang";
        public int Calls { get; private set; }
        public TaskCompletionSource Ended { get; } = new();

        public async ValueTask<TaskOutcome> RunAsync(DueTask due, CancellationToken cancel)
        {
            Calls++;
            await Ended.Task;
            return TaskOutcome.Success;
        }
    }
}
