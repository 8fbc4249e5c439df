namespace Belfry.Deliveries;

/// <summary>
/// Which replies 5xx refuse the one who sends, and not the mail: the next try may well succeed, and all mails fare alike, which is a
/// matter for the breaker. The platform's client goes on without a log-in where the server refused it, also for the moment (454), so
/// that the refusal is only seen in what the server says to somebody unknown.
/// </summary>
internal static class EmailRefusal
{
    private static readonly string[] StrangersWords = ["relay", "authenticat", "logged in"];

    /// <summary>What was refused, in words; null: the mail.</summary>
    /// <param name="code">500 to 599.</param>
    /// <param name="text">What the server said with it.</param>
    /// <param name="hasLogIn">A log-in is configured.</param>
    /// <param name="hasBegunData">The server has asked for the data; what it refuses then is the mail, unless it names the log-in.</param>
    public static string? OfTheSender(int code, string text, bool hasLogIn, bool hasBegunData)
    {
        // RFC 4954, section 6: authentication required, mechanism too weak, credentials invalid, encryption required.
        if (code is 530 or 534 or 535 or 538) return hasLogIn ? "the log-in was refused" : "and no log-in is configured";
        if (hasBegunData) return null;
        if (hasLogIn && SaysStranger(text)) return "the log-in seems to have been refused";

        // RFC 5321, section 3.1, and RFC 7504: no mail service here, for nobody or not for us, which is said instead of a greeting.
        return code is 521 or 554 ? "which refuses who sends, not the mail" : null;
    }

    /// <summary>
    /// Security status of RFC 3463, section 3.8 (5.7.1 Relaying denied), or what servers say that know no such codes (relay not permitted).
    /// </summary>
    private static bool SaysStranger(string text) =>
        text.Split(' ').Any(word => word.StartsWith("5.7.", StringComparison.Ordinal)) ||
        StrangersWords.Any(word => text.Contains(word, StringComparison.OrdinalIgnoreCase));
}
