using System.Runtime.InteropServices;
using System.Text;
using Belfry.Log;
using Confluent.Kafka;
using TopicPartition = Belfry.Log.TopicPartition;

namespace Belfry.Kafka;

/// <summary>Records of the seam as messages of Kafka, and back.</summary>
internal static class KafkaRecords
{
    /// <summary>On a compacted topic an empty value becomes none at all: Kafka's tombstone.</summary>
    public static Message<byte[], byte[]> ToMessage(OutgoingRecord record, bool compacted)
    {
        var message = new Message<byte[], byte[]>
        {
            Key = Encoding.UTF8.GetBytes(record.Key ?? record.OrderingKey),
            Value = compacted && record.Value.IsEmpty ? null! : WholeArray(record.Value),
        };
        if (record.Headers.Count == 0) return message;
        message.Headers = [];
        foreach (var (name, value) in record.Headers) message.Headers.Add(name, Encoding.UTF8.GetBytes(value));
        return message;
    }

    public static LogRecord FromResult(ConsumeResult<byte[], byte[]> result) => new()
    {
        Source = new TopicPartition(result.Topic, result.Partition.Value),
        Offset = result.Offset.Value,
        AppendedAt = DateTimeOffset.FromUnixTimeMilliseconds(Math.Max(0, result.Message.Timestamp.UnixTimestampMs)),
        Key = result.Message.Key is { } key ? Encoding.UTF8.GetString(key) : null,
        Value = result.Message.Value,
        Headers = FromHeaders(result.Message.Headers),
    };

    public static Confluent.Kafka.TopicPartition ToKafka(TopicPartition source) => new(source.Topic, source.Partition);

    public static TopicPartition FromKafka(Confluent.Kafka.TopicPartition source) => new(source.Topic, source.Partition.Value);

    private static KeyValuePair<string, string>[] FromHeaders(Headers? headers) => headers is null or { Count: 0 }
        ? []
        : [.. headers.Select(h => KeyValuePair.Create(h.Key, h.GetValueBytes() is { } bytes ? Encoding.UTF8.GetString(bytes) : ""))];

    // The client copies what it is given before the append returns, so that no copy is needed here.
    private static byte[] WholeArray(ReadOnlyMemory<byte> value) =>
        MemoryMarshal.TryGetArray(value, out var segment) && segment.Offset == 0 && segment.Count == segment.Array!.Length
            ? segment.Array
            : value.ToArray();
}
