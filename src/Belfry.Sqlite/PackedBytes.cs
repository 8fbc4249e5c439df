using System.Buffers;
using System.Text;

namespace Belfry.Sqlite;

/// <summary>
/// Numbers, texts and bytes one after another in a blob: a number is a 7-bit encoded integer, text (UTF-8) and bytes follow their length.
/// Readers move the span past what they read.
/// </summary>
internal static class PackedBytes
{
    private const int NumberBytesMax = 10;

    public static void WriteNumber(ArrayBufferWriter<byte> into, ulong number)
    {
        var span = into.GetSpan(NumberBytesMax);
        var at = 0;
        for (; number >= 0x80; number >>= 7) span[at++] = (byte)(number | 0x80);
        span[at++] = (byte)number;
        into.Advance(at);
    }

    public static void WriteText(ArrayBufferWriter<byte> into, string text)
    {
        var length = Encoding.UTF8.GetByteCount(text);
        WriteNumber(into, (ulong)length);
        into.Advance(Encoding.UTF8.GetBytes(text, into.GetSpan(length)));
    }

    public static void WriteBytes(ArrayBufferWriter<byte> into, ReadOnlySpan<byte> bytes)
    {
        WriteNumber(into, (ulong)bytes.Length);
        into.Write(bytes);
    }

    /// <exception cref="FormatException">The blob is cut short: the file is damaged.</exception>
    public static ulong ReadNumber(ref ReadOnlySpan<byte> from)
    {
        var number = 0UL;
        for (var shift = 0; shift < NumberBytesMax * 7; shift += 7)
        {
            if (from.IsEmpty) break;
            var next = from[0];
            from = from[1..];
            number |= (next & 0x7FUL) << shift;
            if (next < 0x80) return number;
        }

        throw Damaged();
    }

    /// <inheritdoc cref="ReadNumber"/>
    public static string ReadText(ref ReadOnlySpan<byte> from) => Encoding.UTF8.GetString(ReadBytes(ref from));

    /// <inheritdoc cref="ReadNumber"/>
    public static ReadOnlySpan<byte> ReadBytes(ref ReadOnlySpan<byte> from)
    {
        var length = ReadNumber(ref from);
        if (length > (ulong)from.Length) throw Damaged();
        var bytes = from[..(int)length];
        from = from[(int)length..];
        return bytes;
    }

    private static FormatException Damaged() =>
        new("The parts of a stored record are cut short: the file is damaged, check it (integrity_check).");
}
