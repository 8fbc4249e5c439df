namespace Belfry.Deliveries;

/// <summary>How far a conversation has come.</summary>
internal enum EmailStep
{
    /// <summary>Greeting, log-in, and who sends.</summary>
    Sender,

    /// <summary>To whom.</summary>
    Recipient,

    /// <summary>The server has asked for the data.</summary>
    Data,
}

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
    /// <param name="step">What it refuses after the data is the mail, unless it names the log-in.</param>
    public static string? OfTheSender(int code, string text, bool hasLogIn, EmailStep step)
    {
        // RFC 4954, section 6: authentication required, mechanism too weak, credentials invalid, encryption required.
        if (code is 530 or 534 or 535 or 538) return hasLogIn ? "the log-in was refused" : "and no log-in is configured";
        if (step == EmailStep.Data) return null;
        if (hasLogIn && SaysStranger(text, step)) return "the log-in seems to have been refused";

        // RFC 5321, section 3.1, and RFC 7504: no mail service here, for nobody or not for us, which is said instead of a greeting. Some
        // say 554 of a recipient too, which the client does not tell apart: such a mail is tried in vain until its attempts are spent.
        return code is 521 or 554 ? "which refuses who sends, not the mail" : null;
    }

    /// <summary>
    /// Security status of RFC 3463, section 3.8 (5.7.1 Relaying denied), which for a recipient may be a right of its own, or what servers
    /// say that know no such codes (relay not permitted). Addresses in it are nobody's words.
    /// </summary>
    private static bool SaysStranger(string text, EmailStep step)
    {
        var said = text.Split(' ').Where(word => !word.Contains('@', StringComparison.Ordinal) && !word.StartsWith('<')).ToList();
        return (step == EmailStep.Sender && said.Exists(word => word.StartsWith("5.7.", StringComparison.Ordinal))) ||
            StrangersWords.Any(word => string.Join(' ', said).Contains(word, StringComparison.OrdinalIgnoreCase));
    }
}
