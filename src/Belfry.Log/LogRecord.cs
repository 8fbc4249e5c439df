namespace Belfry.Log;

/// <summary>A record to append. The log chooses the partition from <see cref="OrderingKey"/> (<see cref="Partitioner"/>).</summary>
public sealed record OutgoingRecord
{
    /// <summary>A declared topic's full name.</summary>
    public required string Topic { get; init; }

    /// <summary>Records of one ordering key share a partition and keep their order of appending.</summary>
    public required string OrderingKey { get; init; }

    /// <summary>The record's own key, by which a compacted topic keeps the newest; null means <see cref="OrderingKey"/>.</summary>
    public string? Key { get; init; }

    /// <summary>The bytes; empty on a compacted topic is a tombstone.</summary>
    public required ReadOnlyMemory<byte> Value { get; init; }

    /// <summary>Small text pairs beside the value (trace parent, record id). Names are not repeated.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];
}

/// <summary>A record as read. Offsets of a partition grow, and may have gaps.</summary>
public sealed record LogRecord
{
    public required TopicPartition Source { get; init; }
    public required long Offset { get; init; }

    /// <summary>When the log took it in, UTC, milliseconds.</summary>
    public required DateTimeOffset AppendedAt { get; init; }

    /// <summary>Null for a foreign record without a key.</summary>
    public required string? Key { get; init; }

    public required ReadOnlyMemory<byte> Value { get; init; }
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    public override string ToString() => $"{Source}@{Offset}";
}
