using System.Buffers;
using Belfry.Log;
using Belfry.Outbox;

namespace Belfry.Sqlite;

/// <summary>
/// The embedded log: durable topics in a <see cref="SqliteFile"/>, for one process. Offsets are given out in memory by the file's
/// writer; an append completes with the commit of its lot. Groups rebalance within the process.
/// </summary>
public sealed partial class SqliteLog : IPartitionedLog
{
    private const int TopicCharsMax = 249;

    private static readonly SearchValues<char> TopicChars =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    private readonly SqliteFile _file;
    private readonly TimeProvider _time;
    private readonly SqliteLogOptions _options;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, (TopicDeclaration Declaration, LogPartition[] Partitions)> _topics = new(StringComparer.Ordinal);
    private readonly Dictionary<string, LogGroup> _groups = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Group, TopicPartition Source), long> _commits;

    // The writer's thread only.
    private DateTimeOffset _appendedAt = DateTimeOffset.MinValue;

    private SqliteLog(SqliteFile file, TimeProvider time, SqliteLogOptions options, Dictionary<(string, TopicPartition), long> commits)
    {
        _file = file;
        _time = time;
        _options = options;
        _commits = commits;
    }

    internal SqliteFile File => _file;
    internal TimeProvider Time => _time;
    internal SqliteLogOptions Options => _options;

    /// <summary>Creates or opens the log's tables in the file. Open one log a file.</summary>
    /// <exception cref="StoreUnavailableException">The file failed.</exception>
    public static async ValueTask<SqliteLog> OpenAsync(
        SqliteFile file, TimeProvider time, SqliteLogOptions? options = null, CancellationToken cancel = default)
    {
        options ??= new SqliteLogOptions();
        options.Validate();
        var commits = await file.WriteAsync(connection =>
        {
            LogTables.Create(connection);
            return LogTables.Commits(connection);
        }, cancel);
        return new SqliteLog(file, time, options, commits);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A name or a count is out of range.</exception>
    public async ValueTask DeclareAsync(IReadOnlyList<TopicDeclaration> topics, CancellationToken cancel)
    {
        foreach (var topic in topics) Check(topic);
        await Guarded(_file.WriteAsync(connection => topics.Select(topic => LogTables.Declare(connection, topic)).ToList(),
            extents =>
            {
                for (var at = 0; at < topics.Count; at++) Register(topics[at], extents[at]);
            }, null, cancel));
    }

    public async ValueTask AppendAsync(IReadOnlyList<OutgoingRecord> records, CancellationToken cancel)
    {
        if (records.Count == 0) return;
        var append = new LogAppend(Route(records), NowButNeverBack);
        try
        {
            await _file.WriteAsync(append.Run, _ => append.Committed(), append.RolledBack, cancel);
        }
        catch (StoreUnavailableException fault)
        {
            throw Unavailable(fault);
        }
    }

    public ILogConsumer OpenConsumer(ConsumerGroup group)
    {
        lock (_lock)
        {
            if (!_groups.TryGetValue(group.Name, out var state))
                _groups[group.Name] = state = new LogGroup(group, Units_NeedsLock(group));
            state.CheckSame(group);
            return new SqliteLogConsumer(this, state);
        }
    }

    public async ValueTask<IReadOnlyList<LogRecord>> ReadAsync(TopicPartition source, long fromOffset, int max, CancellationToken cancel)
    {
        var partition = Partition(source);
        var records = new List<LogRecord>();
        if (partition.TryReadTail(Math.Max(0, fromOffset), max, records)) return records;
        return await ReadFileAsync(partition, fromOffset, partition.Extent.End, max, long.MaxValue, cancel);
    }

    public ValueTask<(long Start, long End)> OffsetsAsync(TopicPartition source, CancellationToken cancel) => new(Partition(source).Extent);

    public ValueTask<long?> CommittedAsync(string group, TopicPartition source, CancellationToken cancel)
    {
        lock (_lock) return new(_commits.TryGetValue((group, source), out var next) ? next : null);
    }

    /// <summary>Reads from the disk up to below <paramref name="end"/>, an end that was known in memory.</summary>
    internal ValueTask<List<LogRecord>> ReadFileAsync(
        LogPartition partition, long from, long end, int max, long bytesMax, CancellationToken cancel)
    {
        from = Math.Max(0, from);
        return from >= end || max < 1
            ? new([])
            : Guarded(_file.ReadAsync(c => LogTables.Read(c, partition.Id, partition.Source, from, end, max, bytesMax), cancel));
    }

    internal async ValueTask CommitAsync(string group, IReadOnlyList<KeyValuePair<TopicPartition, long>> nextOffsets,
        CancellationToken cancel) =>
        await Guarded(_file.WriteAsync(
            connection =>
            {
                foreach (var (source, next) in nextOffsets) LogTables.Commit(connection, group, source, next);
                return true;
            },
            _ =>
            {
                lock (_lock)
                    foreach (var (source, next) in nextOffsets) _commits[(group, source)] = next;
            }, null, cancel));

    /// <summary>Where a group goes on: at its committed offset, else at the start.</summary>
    internal long NextOffset(string group, LogPartition partition)
    {
        lock (_lock) return _commits.TryGetValue((group, partition.Source), out var next) ? next : partition.Extent.Start;
    }

    internal LogPartition Partition(TopicPartition source)
    {
        lock (_lock)
        {
            var partitions = Topic_NeedsLock(source.Topic).Partitions;
            return (uint)source.Partition < (uint)partitions.Length
                ? partitions[source.Partition]
                : throw new ArgumentOutOfRangeException(
                    nameof(source), $"Topic '{source.Topic}' has {partitions.Length} partitions, so there is no {source}.");
        }
    }

    /// <summary>All partitions with their topic's declaration, by topic name and number.</summary>
    internal List<(TopicDeclaration Declaration, LogPartition Partition)> Partitions()
    {
        lock (_lock)
            return [.. _topics.Values.SelectMany(t => t.Partitions.Select(p => (t.Declaration, p))).OrderBy(t => t.p.Source)];
    }

    private static async ValueTask<T> Guarded<T>(ValueTask<T> call)
    {
        try
        {
            return await call;
        }
        catch (StoreUnavailableException fault)
        {
            throw Unavailable(fault);
        }
    }

    private static LogUnavailableException Unavailable(StoreUnavailableException fault) => new(fault.Message, fault);

    private static void Check(TopicDeclaration topic)
    {
        if (topic.Name.Length is 0 or > TopicCharsMax || topic.Name.AsSpan().ContainsAnyExcept(TopicChars))
            throw new ArgumentException($"Topic name '{topic.Name}' is not 1 to {TopicCharsMax} of a-z, A-Z, 0-9, '.', '_' and '-'.");
        if (topic.Partitions < 1)
            throw new ArgumentException($"Topic '{topic.Name}' declares {topic.Partitions} partitions; at least 1 is needed.");
    }

    /// <summary>On the writer's thread, so that no append falls between the loaded end and the registration.</summary>
    private void Register(TopicDeclaration topic, List<(long Id, long Start, long End)> extents)
    {
        lock (_lock)
        {
            if (_topics.TryGetValue(topic.Name, out var known))
            {
                _topics[topic.Name] = known with { Declaration = topic };
                return;
            }

            var partitions = new LogPartition[topic.Partitions];
            for (var n = 0; n < partitions.Length; n++)
            {
                partitions[n] = new LogPartition(extents[n].Id, new TopicPartition(topic.Name, n), _options);
                partitions[n].Load(extents[n].Start, extents[n].End);
            }

            _topics[topic.Name] = (topic, partitions);
        }
    }

    private LogAppend.Row[] Route(IReadOnlyList<OutgoingRecord> records)
    {
        var rows = new LogAppend.Row[records.Count];
        lock (_lock)
            for (var at = 0; at < rows.Length; at++)
                rows[at] = new LogAppend.Row(Route_NeedsLock(records[at]), records[at], [], null);
        for (var at = 0; at < rows.Length; at++)
            rows[at] = rows[at] with { Value = records[at].Value.ToArray(), Headers = RecordHeaders.Encode(records[at].Headers) };
        return rows;
    }

    private LogPartition Route_NeedsLock(OutgoingRecord record)
    {
        var partitions = Topic_NeedsLock(record.Topic).Partitions;
        return partitions[Partitioner.PartitionOf(record.OrderingKey, partitions.Length)];
    }

    private (TopicDeclaration Declaration, LogPartition[] Partitions) Topic_NeedsLock(string name) =>
        _topics.TryGetValue(name, out var topic)
            ? topic
            : throw new InvalidOperationException($"Topic '{name}' is not declared; pass it to {nameof(DeclareAsync)} first.");

    /// <summary>What is handed out together: a partition, or partition n of all topics.</summary>
    private LogPartition[][] Units_NeedsLock(ConsumerGroup group)
    {
        var topics = group.Topics.Select(name => Topic_NeedsLock(name).Partitions).ToList();
        if (!group.CoPartitioned) return [.. topics.SelectMany(partitions => partitions).Select(partition => new[] { partition })];
        if (topics.Select(partitions => partitions.Length).Distinct().Count() > 1)
            throw new ArgumentException(
                $"Group '{group.Name}' is co-partitioned, but its topics have " +
                $"{string.Join(", ", topics.Select(p => p.Length))} partitions.");
        return [.. Enumerable.Range(0, topics.Count == 0 ? 0 : topics[0].Length).Select(n => topics.Select(t => t[n]).ToArray())];
    }

    /// <summary>A clock that is set back leaves times of appending as they were for a while, never in disorder.</summary>
    private DateTimeOffset NowButNeverBack()
    {
        var now = DateTimeOffset.FromUnixTimeMilliseconds(_time.GetUtcNow().ToUnixTimeMilliseconds());
        return _appendedAt = now > _appendedAt ? now : _appendedAt;
    }
}
