using System.Net.Mail;
using System.Net.Mime;
using System.Security.Cryptography;
using System.Text;

namespace Belfry.Deliveries;

/// <summary>Makes a MIME message of an <see cref="EmailContent"/>. No text of a user can begin a header of its own.</summary>
internal static class EmailComposer
{
    private const int SubjectCharsMax = 255;
    private const int HeaderCharsMax = 900;

    private static readonly HashSet<string> OwnHeaders = new(StringComparer.OrdinalIgnoreCase)
    {
        "From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Subject", "Date", "Message-ID", "MIME-Version", "Return-Path", "Received",
        "X-Sender", "X-Receiver", "Resent-To", "Resent-Cc", "Resent-Bcc",
    };

    /// <exception cref="FormatException">An address or a header is not allowed. Not retryable.</exception>
    public static MailMessage Compose(EmailContent content, string idempotencyKey, MailAddress from)
    {
        var message = new MailMessage
        {
            From = from,
            Subject = SafeSubject(content.Subject),
            SubjectEncoding = Encoding.UTF8,
            HeadersEncoding = Encoding.UTF8,
        };
        try
        {
            message.To.Add(Address(content.To));
            message.Headers.Add("Message-ID", $"<{NameOf(idempotencyKey)}@{from.Host}>");
            message.Headers.Add("Auto-Submitted", "auto-generated");
            foreach (var (name, value) in content.Headers) AddHeader(message, name, value);
            message.AlternateViews.Add(View(content.Text.Length > 0 ? content.Text : "\r\n", MediaTypeNames.Text.Plain));
            if (content.Html is { } html) message.AlternateViews.Add(View(html, MediaTypeNames.Text.Html));
            return message;
        }
        catch
        {
            message.Dispose();
            throw;
        }
    }

    /// <summary>
    /// True once any of the text has been read to be sent, which happens only after the server has asked for the data (354 in RFC 5321,
    /// section 4.1.1.4). False: the server cannot have taken the mail.
    /// </summary>
    public static bool HasBegunData(MailMessage message) => message.AlternateViews[0].ContentStream.Position > 0;

    /// <summary>A name for files and message ids that is the same for the same key: 40 hexadecimal digits.</summary>
    public static string NameOf(string idempotencyKey) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(idempotencyKey)).AsSpan(0, 20));

    /// <exception cref="FormatException">No single address, or it holds a control character.</exception>
    public static MailAddress Address(string text)
    {
        if (text.Any(char.IsControl)) throw new FormatException("The e-mail address holds a control character.");
        // The parser takes a list for one address with a strange display name.
        return MailAddress.TryCreate(text, out var address) && !address.DisplayName.Contains('@', StringComparison.Ordinal)
            ? address
            : throw new FormatException("The e-mail address cannot be read as a single one.");
    }

    private static string SafeSubject(string subject)
    {
        var safe = string.Concat(subject.Select(c => char.IsControl(c) || c is '\u2028' or '\u2029' ? ' ' : c));
        if (safe.Length <= SubjectCharsMax) return safe;
        return safe[..(char.IsHighSurrogate(safe[SubjectCharsMax - 1]) ? SubjectCharsMax - 1 : SubjectCharsMax)];
    }

    private static AlternateView View(string text, string mediaType) =>
        AlternateView.CreateAlternateViewFromString(text, Encoding.UTF8, mediaType);

    private static void AddHeader(MailMessage message, string name, string value)
    {
        var isToken = name.Length is > 0 and <= 70 && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '-');
        if (!isToken || OwnHeaders.Contains(name) || name.StartsWith("Content-", StringComparison.OrdinalIgnoreCase))
        {
            throw new FormatException($"The e-mail header name '{Shown(name)}' is not allowed.");
        }

        if (value.Length is 0 or > HeaderCharsMax || value.Any(char.IsControl))
        {
            throw new FormatException(
                $"The e-mail header '{name}' must have 1 to {HeaderCharsMax} characters and no control character; it has {value.Length}.");
        }

        message.Headers.Add(name, value);
    }

    private static string Shown(string name) =>
        string.Concat(name.Take(40).Select(c => char.IsAsciiLetterOrDigit(c) || c == '-' ? c : '?'));
}
