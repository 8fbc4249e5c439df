using Microsoft.Extensions.Logging;

namespace Belfry.Log;

/// <summary>Settings of the monitor.</summary>
public sealed record ConsumerMonitorOptions
{
    /// <summary>Time between two looks. Default 10 s.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The longest one question to the log may take; what is not answered is unknown. Default 2 s.</summary>
    public TimeSpan AnswerTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>After so many unanswered questions the rest of a look asks no more. Default 3.</summary>
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
    private volatile Watched[] _watched = [];
    private volatile bool _logAnswers = true;

    // The worker's own: of one look.
    private readonly Dictionary<TopicPartition, long> _ends = [];
    private int _turn;
    private int _unanswered;

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
    public void Watch(ConsumerRunner runner) => _watched = [.. _watched, new Watched(runner, _options.Interval)];

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
        _ends.Clear();
        _unanswered = 0;
        var watched = _watched;
        var answered = 0;
        for (var at = 0; at < watched.Length; at++)
        {
            // Each time another one first: where answers are slow, the last ones get none.
            var one = watched[(at + _turn) % watched.Length];
            var status = one.Runner.Status;
            var owned = await OwnedAsync(one, status, cancel);
            var unowned = status is { IsRunning: true, Partitions.Count: 0 } ? await UnownedAsync(one.Runner.Group, cancel) : [];
            answered += owned.Count + unowned.Count;
            one.Report = one.Detector.Look(new ConsumerSnapshot
            {
                At = _time.GetElapsedTime(_startedAt),
                Now = _time.GetUtcNow(),
                Status = status,
                IsPollStalled = one.Runner.IsPollStalled,
                LogAnswers = owned.Count + unowned.Count > 0,
                Owned = owned,
                Unowned = unowned,
            });
            CarryOut(one, one.Report);
        }

        _turn++;
        _logAnswers = answered > 0 || _unanswered == 0;
    }

    /// <summary>Ends the metrics.</summary>
    public void Dispose() => _meter.Dispose();

    private ConsumerHealth Current(Watched one)
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

    private async ValueTask<Dictionary<TopicPartition, LogOffsets>> OwnedAsync(
        Watched one, ConsumerStatus status, CancellationToken cancel)
    {
        var owned = new Dictionary<TopicPartition, LogOffsets>();
        foreach (var partition in status.Partitions)
        {
            var source = partition.Source;
            if (await EndAsync(source, cancel) is not { } end) continue;
            // Only the owner commits: what the group had before needs to be asked for once.
            var committed = partition.Committed ?? (one.Committed.TryGetValue(source, out var asked) ? asked : null);
            if (committed is null)
            {
                if (await CommittedAsync(one.Runner.Group.Name, source, cancel) is not { } answer) continue;
                committed = one.Committed[source] = answer;
            }

            var next = partition.Position ?? committed.Value;
            if (next < end && one.Stands(source, next))
            {
                // The last records may be gone: aborted, compacted away. What cannot be read is not missed.
                var read = await AskAsync(limit => _log.ReadAsync(source, next, 1, limit), cancel);
                if (read is null) continue;
                if (read.Count == 0) end = next;
            }

            owned[source] = new LogOffsets(committed.Value, end);
        }

        one.Remember(status);
        return owned;
    }

    private async ValueTask<Dictionary<TopicPartition, LogOffsets>> UnownedAsync(ConsumerGroup group, CancellationToken cancel)
    {
        var unowned = new Dictionary<TopicPartition, LogOffsets>();
        foreach (var topic in group.Topics)
            for (var number = 0; number < _partitions[topic]; number++)
            {
                var source = new TopicPartition(topic, number);
                if (await EndAsync(source, cancel) is { } end && await CommittedAsync(group.Name, source, cancel) is { } committed)
                    unowned[source] = new LogOffsets(committed, end);
            }

        return unowned;
    }

    private async ValueTask<long?> EndAsync(TopicPartition source, CancellationToken cancel)
    {
        if (_ends.TryGetValue(source, out var known)) return known;
        var offsets = await AskAsync(async limit => new Extent(await _log.OffsetsAsync(source, limit)), cancel);
        if (offsets is not null) _ends[source] = offsets.Offsets.End;
        return offsets?.Offsets.End;
    }

    private async ValueTask<long?> CommittedAsync(string group, TopicPartition source, CancellationToken cancel)
    {
        var answer = await AskAsync(async limit => new Extent(
            (await _log.CommittedAsync(group, source, limit) ?? (await _log.OffsetsAsync(source, limit)).Start, 0)), cancel);
        return answer?.Offsets.Start;
    }

    /// <summary>Null: not answered, or not asked since too much was not answered.</summary>
    private async ValueTask<T?> AskAsync<T>(Func<CancellationToken, ValueTask<T>> ask, CancellationToken cancel) where T : class
    {
        if (_unanswered >= _options.UnansweredMax) return null;
        using var limit = new CancellationTokenSource(_options.AnswerTimeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancel);
        try
        {
            return await ask(either.Token).AsTask().OrCancelledAsync(either.Token);
        }
        catch (Exception fault) when (!cancel.IsCancellationRequested)
        {
            if (_unanswered++ == 0) NotAnswered(fault.Message);
            return null;
        }
    }

    private void CarryOut(Watched one, StallReport report)
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

    private sealed record Extent((long Start, long End) Offsets);

    /// <summary>One consumer under watch. All but the report is the worker's own.</summary>
    private sealed class Watched(ConsumerRunner runner, TimeSpan interval)
    {
        private readonly Dictionary<TopicPartition, StallClass> _classes = [];
        private Dictionary<TopicPartition, long?> _positions = [];
        private int _rebuilds;
        private volatile StallReport _report = new(
            new ConsumerHealth { Group = runner.Group.Name, Class = StallClass.None }, [], null);

        public ConsumerRunner Runner => runner;
        public StallDetector Detector { get; } = new(runner.Group.Name, runner.Options, interval);
        public Dictionary<TopicPartition, long?> Committed { get; } = [];
        public StallClass Told { get; set; }

        public StallReport Report
        {
            get => _report;
            set => _report = value;
        }

        /// <summary>True when it was there at the last look already, and nothing was handed out since.</summary>
        public bool Stands(TopicPartition source, long next) =>
            _positions.TryGetValue(source, out var before) && (before is null || before == next);

        public void Remember(ConsumerStatus status)
        {
            _positions = status.Partitions.ToDictionary(p => p.Source, p => p.Position);
            foreach (var source in Committed.Keys.Where(s => status.Rebuilds != _rebuilds || !_positions.ContainsKey(s)).ToList())
                Committed.Remove(source);
            _rebuilds = status.Rebuilds;
        }

        /// <summary>True when the partition was of another class and now is of an unhealthy one.</summary>
        public bool Turned(PartitionHealth partition)
        {
            var before = _classes.GetValueOrDefault(partition.Source);
            if (partition.Class == StallClass.None) _classes.Remove(partition.Source);
            else _classes[partition.Source] = partition.Class;
            return partition.Class > StallClass.Breaker && partition.Class != before;
        }
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
