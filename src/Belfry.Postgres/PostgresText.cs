using System.Text;

namespace Belfry.Postgres;

/// <summary>
/// Text that may hold what PostgreSQL's <c>text</c> refuses: NUL is kept as <c>\0</c> and a backslash as <c>\\</c>, so equality is kept and
/// every other text stands as it is. Half a surrogate pair becomes U+FFFD, as in any UTF-8.
/// </summary>
internal static class PostgresText
{
    public static string Encode(string text)
    {
        if (text.AsSpan().IndexOfAny('\0', '\\') >= 0)
            text = text.Replace(@"\", @"\\", StringComparison.Ordinal).Replace("\0", @"\0", StringComparison.Ordinal);
        return text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') < 0 ? text : Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
    }

    public static string? EncodeOrNull(string? text) => text is null ? null : Encode(text);

    public static string Decode(string text)
    {
        if (!text.Contains('\\', StringComparison.Ordinal)) return text;
        var plain = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
            if (text[i] != '\\') plain.Append(text[i]);
            else if (++i < text.Length) plain.Append(text[i] == '0' ? '\0' : text[i]);
        return plain.ToString();
    }

    public static string? DecodeOrNull(string? text) => text is null ? null : Decode(text);
}
