using Belfry.Log;
using Microsoft.Extensions.Logging;

namespace Belfry.Scheduling;

/// <summary>Runs due tasks: one member of the scheduler's consumer group, with an owner for each partition it is given.</summary>
public sealed class SchedulerWorker
{
    private const int ForgetMax = 2_000;
    private static readonly TimeSpan ForgetEvery = TimeSpan.FromMinutes(10);

    private readonly ITaskStore _store;
    private readonly SchedulerOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    /// <param name="log">The log, its topics declared.</param>
    /// <param name="topic">The declaration of the <c>scheduled-tasks</c> topic, prefix included.</param>
    /// <param name="group">The consumer group's full name.</param>
    /// <param name="store">Holds the tasks that wait and the history.</param>
    /// <param name="handlers">One per kind. Tasks of other kinds are parked, never failed.</param>
    /// <param name="options">Limits and waits of each partition.</param>
    /// <param name="consumer">
    /// Settings of the consumer; <see cref="ConsumerOptions.StuckAfter"/> longer than a handler may take, or it counts as stuck.
    /// </param>
    /// <param name="time">The clock.</param>
    /// <param name="loggers">For diagnostics.</param>
    /// <param name="generation">Of the topic (<see cref="TaskTopic"/>).</param>
    /// <exception cref="ArgumentException">
    /// Options are out of range, two handlers share a kind, or history is kept shorter than the topic.
    /// </exception>
    public SchedulerWorker(
        IPartitionedLog log, TopicDeclaration topic, string group, ITaskStore store, IReadOnlyList<ITaskHandler> handlers,
        SchedulerOptions options, ConsumerOptions consumer, TimeProvider time, ILoggerFactory loggers, int generation = 1)
    {
        _store = store;
        _options = options;
        _time = time;
        _logger = loggers.CreateLogger<SchedulerWorker>();
        var faults = options.Faults().Concat(FaultsOf(handlers)).ToList();
        if (options.HistoryRetention < topic.Retention)
            faults.Add(
                $"Scheduling:{nameof(SchedulerOptions.HistoryRetention)} is {options.HistoryRetention} but topic '{topic.Name}' keeps " +
                $"{topic.Retention}; a replay of it could run ended tasks again. Keep history at least as long.");
        if (faults.Count > 0) throw new ArgumentException(string.Join(' ', faults));
        var byKind = handlers.ToDictionary(handler => handler.Kind, StringComparer.Ordinal);
        var owners = loggers.CreateLogger<SchedulerOwner>();
        Runner = new ConsumerRunner(
            log, new ConsumerGroup(group, [topic.Name]),
            (_, sources) => new SchedulerOwner(
                new TaskPartition(sources[0], topic.Partitions, generation), store, byKind, options, time, owners),
            consumer, time, loggers.CreateLogger<ConsumerRunner>());
    }

    /// <summary>The consumer that feeds the owners, for health and metrics.</summary>
    public ConsumerRunner Runner { get; }

    /// <summary>
    /// Runs until cancelled, then drains within the consumer's bound. Heals from faults of log and store; never throws for one.
    /// </summary>
    public Task RunAsync(CancellationToken cancel) => Task.WhenAll(Runner.RunAsync(cancel), ForgetLoopAsync(cancel));

    /// <summary>Forgets history that is old enough, in lots, until none is left. Returns how many tasks were forgotten.</summary>
    public async ValueTask<int> ForgetOnceAsync(CancellationToken cancel)
    {
        var beforeMs = (_time.GetUtcNow() - _options.HistoryRetention).ToUnixTimeMilliseconds();
        for (var total = 0; ;)
        {
            var count = await _store.ForgetAsync(beforeMs, ForgetMax, cancel);
            total += count;
            if (count < ForgetMax) return total;
        }
    }

    private async Task ForgetLoopAsync(CancellationToken cancel)
    {
        while (!cancel.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(ForgetEvery, _time, cancel);
                await ForgetOnceAsync(cancel);
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                return;
            }
            catch (Exception error)
            {
                _logger.LogWarning(error, "Forgetting old tasks failed; trying again in {Wait}.", ForgetEvery);
            }
        }
    }

    private static IEnumerable<string> FaultsOf(IReadOnlyList<ITaskHandler> handlers) => handlers
        .GroupBy(handler => handler.Kind, StringComparer.Ordinal)
        .Where(same => same.Count() > 1)
        .Select(same => $"Kind '{same.Key}' has {same.Count()} handlers; register one.");
}
