using System.Buffers.Binary;
using System.Text;

namespace Belfry.Kafka;

/// <summary>Writes the protocol's types, big-endian. Source: Kafka protocol guide, "Protocol Primitive Types".</summary>
internal sealed class WireWriter
{
    private readonly MemoryStream _bytes = new();

    public void Int16(short value)
    {
        Span<byte> bytes = stackalloc byte[2];
        BinaryPrimitives.WriteInt16BigEndian(bytes, value);
        _bytes.Write(bytes);
    }

    public void Int32(int value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, value);
        _bytes.Write(bytes);
    }

    /// <summary>The length of an array, or of a text, of the flexible versions: one more than it is, as a varint.</summary>
    public void CompactCount(int count)
    {
        var rest = (uint)count + 1;
        for (; rest >= 0x80; rest >>= 7) _bytes.WriteByte((byte)(rest | 0x80));
        _bytes.WriteByte((byte)rest);
    }

    public void CompactText(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        CompactCount(bytes.Length);
        _bytes.Write(bytes);
    }

    public void Text(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        Int16((short)bytes.Length);
        _bytes.Write(bytes);
    }

    public void Bytes(ReadOnlySpan<byte> bytes) => _bytes.Write(bytes);

    public void NoTags() => _bytes.WriteByte(0);

    public byte[] ToArray() => _bytes.ToArray();

    /// <summary>With the size before it, as it goes over the wire.</summary>
    public byte[] ToFrame()
    {
        var frame = new byte[4 + _bytes.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame, (int)_bytes.Length);
        _bytes.ToArray().CopyTo(frame, 4);
        return frame;
    }
}

/// <summary>Reads them.</summary>
/// <exception cref="InvalidDataException">From all: the bytes end too early, or are no such type.</exception>
internal sealed class WireReader(byte[] bytes)
{
    /// <summary>The next byte's place.</summary>
    public int At { get; private set; }

    public short Int16() => BinaryPrimitives.ReadInt16BigEndian(Take(2));

    public int Int32() => BinaryPrimitives.ReadInt32BigEndian(Take(4));

    public long Int64() => BinaryPrimitives.ReadInt64BigEndian(Take(8));

    /// <summary>-1 for null.</summary>
    public int CompactCount() => Varint() - 1;

    public string? CompactText() => CompactCount() is >= 0 and var length ? Encoding.UTF8.GetString(Take(length)) : null;

    public string? Text() => Int16() is >= 0 and var length ? Encoding.UTF8.GetString(Take(length)) : null;

    public byte[] Bytes() => Int32() is > 0 and var length ? Take(length).ToArray() : [];

    public void Skip(int length) => Take(length);

    public void SkipTags()
    {
        for (var tags = Varint(); tags > 0; tags--)
        {
            Varint();
            Take(Varint());
        }
    }

    private int Varint()
    {
        uint value = 0;
        for (var shift = 0; shift < 32; shift += 7)
        {
            var next = Take(1)[0];
            value |= (uint)(next & 0x7f) << shift;
            if (next < 0x80 && value <= int.MaxValue) return (int)value;
        }

        throw new InvalidDataException("a length is above 2^31");
    }

    private ReadOnlySpan<byte> Take(int length)
    {
        if (length < 0 || length > bytes.Length - At) throw new InvalidDataException("an answer ends too early");
        var taken = bytes.AsSpan(At, length);
        At += length;
        return taken;
    }
}
