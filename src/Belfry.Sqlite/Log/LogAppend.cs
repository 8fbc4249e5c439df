using Belfry.Log;
using Microsoft.Data.Sqlite;

namespace Belfry.Sqlite;

/// <summary>One append: gives out offsets on the writer's thread, and makes the records known once they are durable.</summary>
internal sealed class LogAppend(IReadOnlyList<LogAppend.Row> rows, Func<DateTimeOffset> clock)
{
    private readonly LogRecord[] _records = new LogRecord[rows.Count];
    private readonly List<(LogPartition Partition, long NextOffset)> _before = [];

    /// <summary>A record that knows its partition. The value is a copy, for the caller may reuse its bytes.</summary>
    public readonly record struct Row(LogPartition Partition, OutgoingRecord Record, byte[] Value, byte[]? Headers);

    public bool Run(SqliteConnection connection)
    {
        var appendedAt = clock();
        var appendedAtMs = appendedAt.ToUnixTimeMilliseconds();
        for (var at = 0; at < _records.Length; at++)
        {
            var (partition, record, value, headers) = rows[at];
            if (partition.TouchedBy != this)
            {
                partition.TouchedBy = this;
                _before.Add((partition, partition.NextOffset));
            }

            var offset = partition.NextOffset++;
            var key = record.Key ?? record.OrderingKey;
            LogTables.Insert(connection, LogTables.Position(partition.Id, offset), appendedAtMs, key, headers, value);
            _records[at] = new LogRecord
            {
                Source = partition.Source,
                Offset = offset,
                AppendedAt = appendedAt,
                Key = key,
                Value = value,
                Headers = headers is null ? [] : [.. record.Headers],
            };
        }

        return true;
    }

    public void Committed()
    {
        for (var at = 0; at < _records.Length; at++) rows[at].Partition.Publish(_records[at]);
        foreach (var (partition, _) in _before)
        {
            partition.TouchedBy = null;
            partition.WakeReaders();
        }
    }

    /// <summary>The offsets were never seen by anybody: the next append gets them.</summary>
    public void RolledBack()
    {
        foreach (var (partition, nextOffset) in _before)
        {
            partition.TouchedBy = null;
            partition.NextOffset = nextOffset;
        }

        _before.Clear();
    }
}
