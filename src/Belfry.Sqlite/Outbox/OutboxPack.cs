using System.Buffers;
using Belfry.Log;
using Belfry.Outbox;

namespace Belfry.Sqlite;

/// <summary>
/// Messages of a lane in one row: they are written together and go together, and a row each, written and deleted, was most of what a
/// busy fold cost. Each carries its sequence, so that any of them may go first.
/// </summary>
internal static class OutboxPack
{
    /// <summary>
    /// Bounds what is read to delete one message. It may grow and never shrink: stored packs are looked for by it.
    /// </summary>
    public const int MessagesMax = 64;

    /// <summary>Valid until the next use of <paramref name="bytes"/>.</summary>
    public static ReadOnlySpan<byte> Encode(ArrayBufferWriter<byte> bytes, long first, IReadOnlyList<OutboxMessage> messages)
    {
        bytes.ResetWrittenCount();
        foreach (var (sequence, record) in messages)
        {
            PackedBytes.WriteNumber(bytes, (ulong)(sequence - first));
            PackedBytes.WriteText(bytes, record.Topic);
            PackedBytes.WriteText(bytes, record.OrderingKey);
            PackedBytes.WriteNumber(bytes, record.Key is null ? 0UL : 1);
            if (record.Key is { } key) PackedBytes.WriteText(bytes, key);
            PackedBytes.WriteBytes(bytes, RecordHeaders.Encode(record.Headers));
            PackedBytes.WriteBytes(bytes, record.Value.Span);
        }

        return bytes.WrittenSpan;
    }

    /// <exception cref="FormatException">The blob is cut short: the file is damaged.</exception>
    public static List<OutboxMessage> Decode(long first, ReadOnlySpan<byte> bytes)
    {
        var messages = new List<OutboxMessage>(MessagesMax);
        while (!bytes.IsEmpty)
            messages.Add(new OutboxMessage(first + (long)PackedBytes.ReadNumber(ref bytes), new OutgoingRecord
            {
                Topic = PackedBytes.ReadText(ref bytes),
                OrderingKey = PackedBytes.ReadText(ref bytes),
                Key = PackedBytes.ReadNumber(ref bytes) == 0 ? null : PackedBytes.ReadText(ref bytes),
                Headers = RecordHeaders.Decode(PackedBytes.ReadBytes(ref bytes)),
                Value = PackedBytes.ReadBytes(ref bytes).ToArray(),
            }));
        return messages;
    }
}
