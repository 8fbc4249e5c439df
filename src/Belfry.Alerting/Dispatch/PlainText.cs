using System.Globalization;
using System.Text;

namespace Belfry.Alerting.Dispatch;

/// <summary>Makes senders' text safe to stand in one line of a message.</summary>
internal static class PlainText
{
    /// <summary>
    /// One line of at most <paramref name="charsMax"/> UTF-16 units: control characters (CR, LF, NUL, ESC) and line separators become
    /// spaces, direction overrides and other invisible formatting is dropped, halves of surrogate pairs become U+FFFD. Never splits a pair.
    /// </summary>
    public static string OneLine(string text, int charsMax)
    {
        var line = new StringBuilder(Math.Min(text.Length, charsMax));
        foreach (var rune in text.EnumerateRunes())
        {
            var category = Rune.GetUnicodeCategory(rune);
            if (category == UnicodeCategory.Format && rune.Value != ZeroWidthJoiner) continue;
            var shown = category is UnicodeCategory.Control or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
                ? new Rune(' ')
                : rune;
            if (line.Length + shown.Utf16SequenceLength > charsMax - 1)
            {
                line.Append('…');
                break;
            }

            line.Append(shown.ToString());
        }

        return line.ToString().Trim();
    }

    // Joins emoji and letters of several scripts; it hides nothing.
    private const int ZeroWidthJoiner = 0x200D;
}
