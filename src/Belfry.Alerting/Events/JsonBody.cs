using System.Buffers.Text;
using System.Text.Unicode;

namespace Belfry.Alerting.Events;

/// <summary>
/// Makes a request body safe to read as JSON once and for all: whatever text is taken from it later is whole Unicode without NUL, so no
/// store, mail or page further on can stumble over it.
/// </summary>
internal static class JsonBody
{
    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    /// <summary>
    /// Drops a byte order mark and replaces each escaped NUL by U+FFFD. Null: not UTF-8, or an escaped surrogate stands alone.
    /// The same memory comes back when there is nothing to replace.
    /// </summary>
    public static ReadOnlyMemory<byte>? Normalise(ReadOnlyMemory<byte> body)
    {
        if (body.Span.StartsWith(ByteOrderMark)) body = body[ByteOrderMark.Length..];
        if (!Utf8.IsValid(body.Span)) return null;
        return body.Span.IndexOf("\\u"u8) < 0 ? body : ReplaceNul(body);
    }

    private static ReadOnlyMemory<byte>? ReplaceNul(ReadOnlyMemory<byte> body)
    {
        byte[]? copy = null;
        var text = body.Span;
        for (var at = 0; at < text.Length; at++)
        {
            if (text[at] != '\\') continue;
            at++;
            if (at >= text.Length || text[at] != 'u') continue;
            if (CodeUnitAt(text, at + 1) is not { } unit) continue; // Bad hex digits: the JSON reader refuses them.
            if (char.IsLowSurrogate(unit)) return null;
            if (char.IsHighSurrogate(unit))
            {
                if (at + 6 >= text.Length || text[at + 5] != '\\' || text[at + 6] != 'u') return null;
                if (CodeUnitAt(text, at + 7) is not { } low || !char.IsLowSurrogate(low)) return null;
                at += 6;
            }
            else if (unit == '\0')
            {
                copy ??= body.ToArray();
                "fffd"u8.CopyTo(copy.AsSpan(at + 1));
            }

            at += 4;
        }

        return copy ?? body;
    }

    private static char? CodeUnitAt(ReadOnlySpan<byte> text, int at) =>
        at + 4 <= text.Length && Utf8Parser.TryParse(text.Slice(at, 4), out ushort unit, out var read, 'x') && read == 4
            ? (char)unit
            : null;
}
