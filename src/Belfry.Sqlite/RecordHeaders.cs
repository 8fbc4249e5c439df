using System.Buffers;

namespace Belfry.Sqlite;

/// <summary>
/// The headers of a record as one blob: each name and value in order, as <see cref="PackedBytes"/>. No headers are a SQL null.
/// </summary>
internal static class RecordHeaders
{
    public static byte[]? Encode(IReadOnlyList<KeyValuePair<string, string>> headers)
    {
        if (headers.Count == 0) return null;
        var bytes = new ArrayBufferWriter<byte>(128);
        foreach (var (name, value) in headers)
        {
            PackedBytes.WriteText(bytes, name);
            PackedBytes.WriteText(bytes, value);
        }

        return bytes.WrittenSpan.ToArray();
    }

    /// <exception cref="FormatException">The blob is cut short: the file is damaged.</exception>
    public static IReadOnlyList<KeyValuePair<string, string>> Decode(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty) return [];
        var headers = new List<KeyValuePair<string, string>>();
        while (!bytes.IsEmpty) headers.Add(new(PackedBytes.ReadText(ref bytes), PackedBytes.ReadText(ref bytes)));
        return headers;
    }
}
