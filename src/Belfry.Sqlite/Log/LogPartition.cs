using Belfry.Log;

namespace Belfry.Sqlite;

/// <summary>What is known in memory of one partition: its extent, its newest records, and who waits for more.</summary>
internal sealed class LogPartition(long id, TopicPartition source, SqliteLogOptions options)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<SqliteLogConsumer, long> _readers = [];

    // The newest records, at offset modulo length: offsets from _tailStart to below _end, without gaps.
    private LogRecord?[] _tail = [];
    private long _tailStart;
    private long _tailBytes;
    private long _start;
    private long _end;

    public long Id => id;
    public TopicPartition Source => source;

    /// <summary>The writer's thread only: the offset the next record gets, ahead of the end until its lot has committed.</summary>
    public long NextOffset { get; set; }

    /// <summary>The writer's thread only: the append that touched it last.</summary>
    public object? TouchedBy { get; set; }

    /// <summary>The first offset still there and the offset after the newest durable record.</summary>
    public (long Start, long End) Extent
    {
        get
        {
            lock (_lock) return (_start, _end);
        }
    }

    public void Load(long start, long end)
    {
        lock (_lock) (_start, _end, _tailStart, NextOffset) = (start, end, end, end);
    }

    /// <summary>Takes in a record that is now durable. Readers are woken apart, once a lot.</summary>
    public void Publish(LogRecord record)
    {
        lock (_lock)
        {
            if (_tail.Length == 0) _tail = new LogRecord?[options.TailRecordsMax];
            if (_end - _tailStart == _tail.Length) DropOldest_NeedsLock();
            _tail[record.Offset % _tail.Length] = record;
            _tailBytes += record.Value.Length;
            _end = record.Offset + 1;
            while (_tailBytes > options.TailBytesMax && _tailStart < _end) DropOldest_NeedsLock();
        }
    }

    public void WakeReaders()
    {
        lock (_lock)
            foreach (var reader in _readers.Keys) reader.Wake();
    }

    /// <summary>Clean-up removed what is below.</summary>
    public void MoveStart(long start)
    {
        lock (_lock)
        {
            _start = Math.Max(_start, start);
            while (_tailStart < Math.Min(_start, _end)) DropOldest_NeedsLock();
        }
    }

    /// <summary>Compaction removed records in the midst: those in memory may be among them.</summary>
    public void ForgetTail()
    {
        lock (_lock)
            while (_tailStart < _end) DropOldest_NeedsLock();
    }

    /// <summary>Adds up to <paramref name="max"/> records from memory. False: the next ones are on the disk only.</summary>
    public bool TryReadTail(long from, int max, List<LogRecord> into)
    {
        lock (_lock)
        {
            if (from < _tailStart && from < _end) return false;
            for (var offset = from; offset < _end && max > 0; offset++, max--) into.Add(_tail[offset % _tail.Length]!);
            return true;
        }
    }

    public void AddReader(SqliteLogConsumer consumer, long next)
    {
        lock (_lock) _readers.Add(consumer, next);
    }

    /// <summary>The reader has all records below <paramref name="next"/>. What every reader has need not grow old here.</summary>
    public void ReadBy(SqliteLogConsumer consumer, long next)
    {
        lock (_lock)
        {
            // One that was given up may come back from a slow disk after it has left.
            if (!_readers.ContainsKey(consumer)) return;
            _readers[consumer] = next;
            var readByAll = Math.Min(_readers.Values.Min(), _end);
            while (_tailStart < readByAll) DropOldest_NeedsLock();
        }
    }

    public void RemoveReader(SqliteLogConsumer consumer)
    {
        lock (_lock) _readers.Remove(consumer);
    }

    private void DropOldest_NeedsLock()
    {
        ref var oldest = ref _tail[_tailStart++ % _tail.Length];
        _tailBytes -= oldest!.Value.Length;
        oldest = null;
    }
}
