using Belfry.Log;

namespace Belfry.Testing;

/// <summary>The records of one simulated partition, in offset order. Guarded by the log's lock.</summary>
internal sealed class SimulatedPartition(TopicPartition source, TopicDeclaration topic)
{
    private readonly List<LogRecord> _records = [];
    private DateTimeOffset _lastAt = DateTimeOffset.MinValue;

    public long Start { get; private set; }

    public long End { get; private set; }

    public void Append(OutgoingRecord record, DateTimeOffset now)
    {
        var at = new DateTimeOffset(now.UtcTicks - (now.UtcTicks % TimeSpan.TicksPerMillisecond), TimeSpan.Zero);
        if (at < _lastAt) at = _lastAt;
        _lastAt = at;
        _records.Add(new LogRecord
        {
            Source = source,
            Offset = End++,
            AppendedAt = at,
            Key = record.Key ?? record.OrderingKey,
            // The writer may reuse its buffers once the append is through.
            Value = record.Value.ToArray(),
            Headers = record.Headers.Count == 0 ? [] : [.. record.Headers],
        });
    }

    public void Read(long fromOffset, int max, List<LogRecord> into)
    {
        for (var at = IndexOf(fromOffset); at < _records.Count && max > 0; at++, max--) into.Add(_records[at]);
    }

    public void Clean(DateTimeOffset now)
    {
        var oldest = now - topic.Retention;
        if (topic.CleanUp == CleanUp.Time)
        {
            var gone = _records.FindIndex(r => r.AppendedAt >= oldest);
            _records.RemoveRange(0, gone < 0 ? _records.Count : gone);
            Start = _records.Count > 0 ? _records[0].Offset : End;
            return;
        }

        var newest = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var record in _records)
            if (record.Key is not null) newest[record.Key] = record.Offset;
        _records.RemoveAll(r => r.Key is not null && (newest[r.Key] != r.Offset || (r.Value.IsEmpty && r.AppendedAt < oldest)));
    }

    private int IndexOf(long offset)
    {
        int low = 0, high = _records.Count;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_records[middle].Offset < offset) low = middle + 1;
            else high = middle;
        }

        return low;
    }
}
