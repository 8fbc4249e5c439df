using System.Buffers.Binary;
using System.Text;

namespace Belfry.Alerting.Events;

/// <summary>
/// The newest events that this process received, some 16,000 of usual length, however far they came: for looking up what the store does not
/// have yet. One block of bytes, as an object each would be kept just long enough to cost the garbage collector most. Any thread.
/// </summary>
internal sealed class RecentEvents
{
    /// <summary>All that is held.</summary>
    public const int BytesMax = 4 << 20;
    private const int HeadBytes = (3 * 16) + 8 + 1 + (2 * sizeof(ushort));
    private readonly Lock _lock = new();

    // Under the lock. Places count on without end; an event is at its place modulo the length, in one piece.
    private readonly byte[] _bytes = new byte[BytesMax];
    private readonly Queue<(EventId Id, long Place, int Length)> _byAge = new();
    private readonly Dictionary<EventId, long> _places = [];
    private long _end;

    public void Add(AlertEvent received)
    {
        var summary = RefusedEvent.Cut(received.Summary)!;
        var (keyBytes, summaryBytes) = (Encoding.UTF8.GetByteCount(received.DedupKey), Encoding.UTF8.GetByteCount(summary));
        var length = HeadBytes + keyBytes + summaryBytes;
        lock (_lock)
        {
            if (_places.ContainsKey(received.Id)) return;
            var rest = BytesMax - (int)(_end % BytesMax);
            var place = rest < length ? _end + rest : _end;
            _end = place + length;
            while (_byAge.TryPeek(out var oldest) && oldest.Place < _end - BytesMax) _places.Remove(_byAge.Dequeue().Id);
            _byAge.Enqueue((received.Id, place, length));
            _places.Add(received.Id, place);
            Write(At(place, length), received, summary, keyBytes, summaryBytes);
        }
    }

    /// <summary>As it was received.</summary>
    public EventMark? Find(EventId id)
    {
        lock (_lock) return _places.TryGetValue(id, out var place) ? Read(_bytes.AsSpan((int)(place % BytesMax))) : null;
    }

    /// <summary>Those of a dedup key as they were received, newest first.</summary>
    public IReadOnlyList<EventMark> OfKey(IntegrationId integration, string dedupKey, int max)
    {
        var newest = new Queue<EventMark>();
        var key = Encoding.UTF8.GetBytes(dedupKey);

        // Who receives waits meanwhile, so only what is asked for is made into objects.
        lock (_lock)
            foreach (var (_, place, length) in _byAge)
            {
                if (!IsOf(At(place, length), integration, key)) continue;
                newest.Enqueue(Read(At(place, length)));
                if (newest.Count > max) newest.Dequeue();
            }

        return [.. newest.Reverse()];
    }

    private Span<byte> At(long place, int length) => _bytes.AsSpan((int)(place % BytesMax), length);

    private static void Write(Span<byte> into, AlertEvent received, string summary, int keyBytes, int summaryBytes)
    {
        received.Id.Value.TryWriteBytes(into);
        received.ServiceId.Value.TryWriteBytes(into[16..]);
        received.IntegrationId.Value.TryWriteBytes(into[32..]);
        BinaryPrimitives.WriteInt64LittleEndian(into[48..], received.ReceivedAt.UtcTicks);
        into[56] = (byte)received.Action;
        BinaryPrimitives.WriteUInt16LittleEndian(into[57..], (ushort)keyBytes);
        BinaryPrimitives.WriteUInt16LittleEndian(into[59..], (ushort)summaryBytes);
        Encoding.UTF8.GetBytes(received.DedupKey, into[HeadBytes..]);
        Encoding.UTF8.GetBytes(summary, into[(HeadBytes + keyBytes)..]);
    }

    private static bool IsOf(ReadOnlySpan<byte> held, IntegrationId integration, ReadOnlySpan<byte> dedupKey) =>
        new Guid(held[32..48]) == integration.Value
        && held.Slice(HeadBytes, BinaryPrimitives.ReadUInt16LittleEndian(held[57..])).SequenceEqual(dedupKey);

    private static EventMark Read(ReadOnlySpan<byte> from)
    {
        var receivedAt = new DateTimeOffset(BinaryPrimitives.ReadInt64LittleEndian(from[48..]), TimeSpan.Zero);
        var keyBytes = BinaryPrimitives.ReadUInt16LittleEndian(from[57..]);
        var summaryBytes = BinaryPrimitives.ReadUInt16LittleEndian(from[59..]);
        return new EventMark
        {
            Id = new EventId(new Guid(from[..16])),
            Progress = EventProgress.Received,
            At = receivedAt,
            ReceivedAt = receivedAt,
            ServiceId = new ServiceId(new Guid(from[16..32])),
            IntegrationId = new IntegrationId(new Guid(from[32..48])),
            Action = (EventAction)from[56],
            DedupKey = Encoding.UTF8.GetString(from.Slice(HeadBytes, keyBytes)),
            Summary = Encoding.UTF8.GetString(from.Slice(HeadBytes + keyBytes, summaryBytes)),
        };
    }
}
