using Microsoft.Extensions.Logging;

namespace Belfry.Log;

/// <summary>Settings of the monitor.</summary>
public sealed record ConsumerMonitorOptions
{
    /// <summary>Time between two looks. Default 10 s.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The longest one question to the log may take; what is not answered is unknown. Default 2 s.</summary>
    public TimeSpan AnswerTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// So many questions to the log go side by side, and after so many unanswered ones the rest of a look asks no more. Default 3.
    /// </summary>
    public int UnansweredMax { get; init; } = 3;
}

/// <summary>
/// Looks after the consumers of one process: asks the log where its partitions end, has a <see cref="StallDetector"/> a consumer say what
/// is stuck, and has runners resume or rebuild what is not fetched. Its own worker beside the runners; a log that does not answer delays
/// nobody but it. Meter <c>Belfry.Log</c>. Safe for use by several threads.
/// </summary>
public sealed partial class ConsumerMonitor : IDisposable
{
    private readonly IPartitionedLog _log;
    private readonly Dictionary<string, int> _partitions;
    private readonly ConsumerMonitorOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ConsumerMeter _meter;
    private readonly long _startedAt;

    // Replaced as a whole, read by anybody.
    private volatile WatchedConsumer[] _watched = [];
    private volatile bool _logAnswers = true;

    // The worker's own.
    private int _turn;

    /// <param name="log">Its topics declared.</param>
    /// <param name="topics">The declarations of all topics that watched consumers read.</param>
    /// <param name="options">How often and how long to ask.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Told of changes only.</param>
    public ConsumerMonitor(
        IPartitionedLog log, IEnumerable<TopicDeclaration> topics, ConsumerMonitorOptions options, TimeProvider time, ILogger logger)
    {
        (_log, _options, _time, _logger) = (log, options, time, logger);
        _partitions = topics.ToDictionary(topic => topic.Name, topic => topic.Partitions, StringComparer.Ordinal);
        _startedAt = time.GetTimestamp();
        _meter = new ConsumerMeter(() => Healths);
    }

    /// <summary>
    /// How the consumers fare, in the order of watching: as of the last look, but a poll that does not come back is told at once.
    /// </summary>
    public IReadOnlyList<ConsumerHealth> Healths => [.. _watched.Select(Current)];

    /// <summary>Begins to look after a consumer. Once each, before it runs.</summary>
    public void Watch(ConsumerRunner runner) => _watched = [.. _watched, new WatchedConsumer(runner, _options.Interval)];

    /// <summary>Looks once an interval until cancelled; ends for no other reason.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        while (!cancel.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(_options.Interval, _time, cancel);
                await LookOnceAsync(cancel);
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                return;
            }
            catch (Exception fault)
            {
                LookFailed(fault);
            }
        }
    }

    /// <summary>One look at all consumers.</summary>
    public async ValueTask LookOnceAsync(CancellationToken cancel)
    {
        var watched = _watched;
        var questions = new LogQuestions(_options, _time, NotAnswered);
        // Each time another one first: where answers are slow, the last ones get none.
        List<ConsumerGlance> glances =
            [.. watched.Select((_, at) => new ConsumerGlance(watched[(at + _turn) % watched.Length], _partitions))];
        await AskAsync(glances, questions, cancel);
        foreach (var glance in glances)
        {
            var one = glance.One;
            one.Report = one.Detector.Look(new ConsumerSnapshot
            {
                At = _time.GetElapsedTime(_startedAt),
                Now = _time.GetUtcNow(),
                Status = glance.Status,
                IsPollStalled = one.Runner.IsPollStalled,
                LogAnswers = glance.LogAnswers,
                Owned = glance.Owned,
                Unowned = glance.Unowned,
            });
            CarryOut(one, one.Report);
        }

        _turn++;
        _logAnswers = questions.AllAnswered || glances.Any(glance => glance.LogAnswers);
    }

    /// <summary>Ends the metrics.</summary>
    public void Dispose() => _meter.Dispose();

    private ConsumerHealth Current(WatchedConsumer one)
    {
        var status = one.Runner.Status;
        var waited = _time.GetUtcNow() - status.StartedAt >= one.Runner.Options.AssignmentGrace;
        var health = one.Report.Health with { IsAssigned = status.Partitions.Count > 0 || waited, Rebuilds = status.Rebuilds };
        if (health.Class == StallClass.Poll || !_logAnswers || !one.Runner.IsPollStalled) return health;
        return health with
        {
            Class = StallClass.Poll,
            Reason = $"its poll has not come back for {(long?)one.Runner.PollAge?.TotalSeconds} s",
            Since = _time.GetUtcNow() - one.Runner.PollAge,
            FailsLiveness = true,
        };
    }

    /// <summary>Each kind of question for all consumers at once, since partitions of several have the same ends.</summary>
    private async ValueTask AskAsync(List<ConsumerGlance> glances, LogQuestions questions, CancellationToken cancel)
    {
        var ends = await questions.AskEachAsync(
            glances.SelectMany(glance => glance.Sources),
            async (source, limit) => (await _log.OffsetsAsync(source, limit)).End, cancel);
        var committed = await questions.AskEachAsync(
            glances.SelectMany(glance => glance.Uncommitted).Where(asked => ends.ContainsKey(asked.Source)),
            async (asked, limit) =>
                await _log.CommittedAsync(asked.Group, asked.Source, limit) ?? (await _log.OffsetsAsync(asked.Source, limit)).Start,
            cancel);
        foreach (var glance in glances) glance.TakeOffsets(ends, committed);
        var found = await questions.AskEachAsync(
            glances.SelectMany(glance => glance.Standing),
            async (at, limit) => (await _log.ReadAsync(at.Source, at.Next, 1, limit)).Count > 0, cancel);
        foreach (var glance in glances) glance.TakeRecords(found);
    }

    private void CarryOut(WatchedConsumer one, StallReport report)
    {
        foreach (var source in report.ToResume) one.Runner.RequestResume(source);
        if (report.RebuildFor is { } reason) one.Runner.RequestRebuild(reason);
        var health = report.Health;
        foreach (var partition in health.Partitions)
        {
            if (!one.Turned(partition)) continue;
            _meter.Stalled(health.Group, partition.Class);
            Stalled(health.Group, partition.Class, partition.Source, partition.Reason);
        }

        if (health.Class == one.Told) return;
        if (health.Class is StallClass.Poll or StallClass.Orphan)
        {
            _meter.Stalled(health.Group, health.Class);
            Stalled(health.Group, health.Class, null, health.Reason);
        }

        if (health.Class == StallClass.None) Recovered(health.Group, one.Told);
        one.Told = health.Class;
    }

    [LoggerMessage(1041, LogLevel.Error, "Looking after the consumers failed; it goes on")]
    private partial void LookFailed(Exception fault);

    [LoggerMessage(1042, LogLevel.Warning, "The log does not say where its partitions end: {Reason}")]
    private partial void NotAnswered(string reason);

    [LoggerMessage(1043, LogLevel.Error, "Group {Group} is stuck ({Class}) at {Partition}: {Reason}")]
    private partial void Stalled(string group, StallClass @class, TopicPartition? partition, string? reason);

    [LoggerMessage(1044, LogLevel.Information, "Group {Group} goes on; it was {Class}")]
    private partial void Recovered(string group, StallClass @class);
}
