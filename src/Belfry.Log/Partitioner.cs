using System.Buffers.Binary;
using System.Text;

namespace Belfry.Log;

/// <summary>
/// The partition of a key, equal to the Kafka Java client's default, so that writers in all languages agree.
/// Source: org.apache.kafka.common.utils.Utils.murmur2; design section 2.
/// </summary>
public static class Partitioner
{
    /// <summary>(murmur2(UTF-8 of <paramref name="orderingKey"/>) &amp; 0x7fffffff) % <paramref name="partitions"/>.</summary>
    public static int PartitionOf(string orderingKey, int partitions) => Hash(orderingKey) % partitions;

    /// <summary>The positive hash, 0 to 2^31-1.</summary>
    public static int Hash(string orderingKey)
    {
        var length = Encoding.UTF8.GetMaxByteCount(orderingKey.Length);
        Span<byte> bytes = length <= 512 ? stackalloc byte[length] : new byte[length];
        var written = Encoding.UTF8.GetBytes(orderingKey, bytes);
        return (int)(Murmur2(bytes[..written]) & 0x7fffffff);
    }

    internal static uint Murmur2(ReadOnlySpan<byte> bytes)
    {
        unchecked
        {
            const uint m = 0x5bd1e995;
            var hash = 0x9747b28c ^ (uint)bytes.Length;
            var at = 0;
            for (; at + 4 <= bytes.Length; at += 4)
            {
                var k = BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]) * m;
                k = (k ^ (k >> 24)) * m;
                hash = (hash * m) ^ k;
            }

            var rest = bytes.Length & 3;
            if (rest == 3) hash ^= (uint)bytes[at + 2] << 16;
            if (rest >= 2) hash ^= (uint)bytes[at + 1] << 8;
            if (rest >= 1) hash = (hash ^ bytes[at]) * m;
            hash = (hash ^ (hash >> 13)) * m;
            return hash ^ (hash >> 15);
        }
    }
}
