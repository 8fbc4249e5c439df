using System.Buffers;
using System.Text;

namespace Belfry.Sqlite;

/// <summary>
/// The headers of a record as one blob: for each name and value in order, its UTF-8 length as a 7-bit encoded integer and the bytes.
/// No headers are a SQL null.
/// </summary>
internal static class RecordHeaders
{
    public static byte[]? Encode(IReadOnlyList<KeyValuePair<string, string>> headers)
    {
        if (headers.Count == 0) return null;
        var bytes = new ArrayBufferWriter<byte>(128);
        foreach (var (name, value) in headers)
        {
            Write(bytes, name);
            Write(bytes, value);
        }

        return bytes.WrittenSpan.ToArray();
    }

    /// <exception cref="FormatException">The blob is cut short: the file is damaged.</exception>
    public static IReadOnlyList<KeyValuePair<string, string>> Decode(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty) return [];
        var headers = new List<KeyValuePair<string, string>>();
        while (!bytes.IsEmpty) headers.Add(new KeyValuePair<string, string>(Read(ref bytes), Read(ref bytes)));
        return headers;
    }

    private static void Write(ArrayBufferWriter<byte> bytes, string text)
    {
        var length = Encoding.UTF8.GetByteCount(text);
        var rest = (uint)length;
        var span = bytes.GetSpan(length + 5);
        var at = 0;
        for (; rest >= 0x80; rest >>= 7) span[at++] = (byte)(rest | 0x80);
        span[at++] = (byte)rest;
        bytes.Advance(at + Encoding.UTF8.GetBytes(text, span[at..]));
    }

    private static string Read(ref ReadOnlySpan<byte> bytes)
    {
        uint length = 0;
        for (var shift = 0; ; shift += 7)
        {
            if (bytes.IsEmpty || shift > 28) throw Damaged();
            var next = bytes[0];
            bytes = bytes[1..];
            length |= (next & 0x7Fu) << shift;
            if (next < 0x80) break;
        }

        if (length > bytes.Length) throw Damaged();
        var text = Encoding.UTF8.GetString(bytes[..(int)length]);
        bytes = bytes[(int)length..];
        return text;
    }

    private static FormatException Damaged() =>
        new("The headers of a stored record are cut short: the file is damaged, check it (integrity_check).");
}
