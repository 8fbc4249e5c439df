using System.Text;
using System.Text.RegularExpressions;

namespace Belfry.EndToEnd.Tests.Support;

/// <summary>A received message, read as a mail program would: headers, and the decoded text of its parts.</summary>
internal sealed partial record Mail(IReadOnlyDictionary<string, string> Headers, string Text)
{
    public string To => Headers.GetValueOrDefault("to", "");
    public string Subject => Headers.GetValueOrDefault("subject", "");
    public string MessageId => Headers.GetValueOrDefault("message-id", "");

    /// <summary>The first link that acknowledges.</summary>
    public Uri AcknowledgeLink => new(AckUrl().Match(Text).Value);

    public static Mail Parse(string raw)
    {
        var (headers, body) = Split(raw.Replace("\r\n", "\n", StringComparison.Ordinal));
        var text = new StringBuilder();
        Collect(headers, body, text);
        return new Mail(headers, text.ToString());
    }

    private static void Collect(IReadOnlyDictionary<string, string> headers, string body, StringBuilder text)
    {
        var type = headers.GetValueOrDefault("content-type", "text/plain");
        if (Boundary().Match(type) is { Success: true } boundary)
        {
            foreach (var part in body.Split("--" + boundary.Groups[1].Value)[1..])
            {
                if (part.StartsWith("--", StringComparison.Ordinal)) break;
                var (partHeaders, partBody) = Split(part.TrimStart('\n'));
                Collect(partHeaders, partBody, text);
            }

            return;
        }

        text.AppendLine(headers.GetValueOrDefault("content-transfer-encoding", "7bit").ToLowerInvariant() switch
        {
            "base64" => Encoding.UTF8.GetString(Convert.FromBase64String(body.Replace("\n", "", StringComparison.Ordinal))),
            "quoted-printable" => FromQuotedPrintable(body),
            _ => body,
        });
    }

    private static (Dictionary<string, string> Headers, string Body) Split(string message)
    {
        var end = message.IndexOf("\n\n", StringComparison.Ordinal);
        var head = end < 0 ? message : message[..end];
        var headers = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in Fold().Replace(head, " ").Split('\n'))
            if (line.IndexOf(':', StringComparison.Ordinal) is > 0 and var colon)
                headers[line[..colon].ToLowerInvariant()] = DecodeWords(line[(colon + 1)..].Trim());
        return (headers, end < 0 ? "" : message[(end + 2)..]);
    }

    private static string DecodeWords(string header) => EncodedWord().Replace(BetweenWords().Replace(header, "$1$2"), match =>
        match.Groups[1].Value is "B" or "b"
            ? Encoding.UTF8.GetString(Convert.FromBase64String(match.Groups[2].Value))
            : FromQuotedPrintable(match.Groups[2].Value.Replace('_', ' ')));

    private static string FromQuotedPrintable(string text)
    {
        var bytes = new List<byte>();
        text = text.Replace("=\n", "", StringComparison.Ordinal);
        for (var i = 0; i < text.Length; i++)
            if (text[i] == '=' && i + 2 < text.Length)
            {
                bytes.Add(Convert.ToByte(text.Substring(i + 1, 2), 16));
                i += 2;
            }
            else
            {
                bytes.AddRange(Encoding.UTF8.GetBytes(text[i].ToString()));
            }

        return Encoding.UTF8.GetString([.. bytes]);
    }

    [GeneratedRegex(@"https?://\S+/ack/[^\s""<>]+")]
    private static partial Regex AckUrl();

    [GeneratedRegex(@"boundary=""?([^"";\n]+)")]
    private static partial Regex Boundary();

    [GeneratedRegex(@"\n[ \t]+")]
    private static partial Regex Fold();

    [GeneratedRegex(@"=\?utf-8\?([BbQq])\?([^?]*)\?=", RegexOptions.IgnoreCase)]
    private static partial Regex EncodedWord();

    [GeneratedRegex(@"(\?=)\s+(=\?)")]
    private static partial Regex BetweenWords();
}
