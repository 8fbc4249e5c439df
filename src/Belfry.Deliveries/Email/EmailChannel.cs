using System.Net;
using System.Net.Mail;
using System.Net.Sockets;
using System.Security.Authentication;

namespace Belfry.Deliveries;

/// <summary>How e-mail goes out.</summary>
public sealed record EmailOptions
{
    /// <summary>The sender, <c>Belfry &lt;belfry@example.org&gt;</c>; its host also names the message ids.</summary>
    public required string From { get; init; }

    public required string Host { get; init; }

    /// <summary>Default 587, submission.</summary>
    public int Port { get; init; } = 587;

    /// <summary>True: STARTTLS before anything is said, and no mail without it. Default true.</summary>
    public bool UseTls { get; init; } = true;

    /// <summary>Null: no log-in.</summary>
    public string? User { get; init; }

    public string? Password { get; init; }

    /// <summary>Limit on one whole conversation. Default 10 s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);
}

/// <summary>
/// E-mail over SMTP, one connection a message. SMTP offers no idempotency key, so a repeat is a second mail with the same
/// <c>Message-ID</c>, which most mailboxes show once. Replies 4xx are transient and 5xx permanent (RFC 5321, section 4.2.1), but for
/// those that refuse the one who sends, and say nothing of the mail: see <see cref="EmailRefusal"/>. A connection lost, or silent to
/// the timeout, is transient before the server has asked for the data, and an unknown outcome after.
/// </summary>
public sealed class EmailChannel : IDeliveryChannel
{
    private readonly EmailOptions _options;
    private readonly MailAddress _from;
    private readonly string _endpoint;

    /// <exception cref="FormatException">The sender is no address.</exception>
    public EmailChannel(EmailOptions options)
    {
        _options = options;
        _from = EmailComposer.Address(options.From);
        _endpoint = $"smtp:{options.Host}:{options.Port}";
    }

    public string Name => "email";

    public UnknownOutcomePolicy WhenUnknown => UnknownOutcomePolicy.AtLeastOnce;

    public string EndpointOf(Delivery delivery) => _endpoint;

    public async ValueTask<SendOutcome> SendAsync(Delivery delivery, int attempt, CancellationToken cancel)
    {
        MailMessage message;
        try
        {
            message = EmailComposer.Compose(EmailContent.Decode(delivery.Content), delivery.IdempotencyKey, _from);
        }
        catch (FormatException refused)
        {
            return new SendOutcome.Permanent(refused.Message);
        }

        using (message)
        {
            return await SendAsync(message, cancel);
        }
    }

    private async ValueTask<SendOutcome> SendAsync(MailMessage message, CancellationToken cancel)
    {
        using var client = new SmtpClient(_options.Host, _options.Port)
        {
            EnableSsl = _options.UseTls,
            Timeout = (int)_options.Timeout.TotalMilliseconds,
            UseDefaultCredentials = false,
            Credentials = _options.User is { } user ? new NetworkCredential(user, _options.Password) : null,
        };
        try
        {
            // The client's asynchronous calls read the answer to the data synchronously, beyond the reach of any token: a silent server
            // would hold the caller for ever. Its synchronous call has a timeout that breaks the connection, wherever it stands. A
            // thread is held for one send and its timeout at most; why that is borne: 2026-11-22-mail-by-the-platforms-client.md
            // in docs/decisions.
            using var stop = cancel.UnsafeRegister(static state => ((SmtpClient)state!).SendAsyncCancel(), client);
            await Task.Run(() => client.Send(message), CancellationToken.None);
            return new SendOutcome.Sent(message.Headers["Message-ID"]);
        }
        catch (SmtpException fault)
        {
            return OutcomeOf(fault, message);
        }
        catch (AuthenticationException tls)
        {
            return new SendOutcome.Transient($"{_endpoint}: TLS failed: {tls.Message}");
        }
        catch (Exception lost) when (lost is IOException or SocketException)
        {
            return Unanswered(message, $"{_endpoint}: the connection was lost: {lost.Message}");
        }
    }

    private SendOutcome OutcomeOf(SmtpException fault, MailMessage message)
    {
        var code = (int)fault.StatusCode;
        if (code is < 400 or >= 600) return Unanswered(message, Line($"{_endpoint}: {fault.Message} {fault.GetBaseException().Message}"));
        var answer = $"{_endpoint} answered {code}";
        var text = Line(fault.Message);
        if (code < 500) return new SendOutcome.Transient($"{answer}: {text}");
        var step = EmailComposer.HasBegunData(message) ? EmailStep.Data
            : fault is SmtpFailedRecipientException ? EmailStep.Recipient : EmailStep.Sender;
        return EmailRefusal.OfTheSender(code, fault.Message, _options.User is not null, step) is { } refusal
            ? new SendOutcome.Transient($"{answer}, {refusal}: {text}")
            : new SendOutcome.Permanent($"{answer}: {text}");
    }

    private static SendOutcome Unanswered(MailMessage message, string reason) =>
        EmailComposer.HasBegunData(message) ? new SendOutcome.Unknown(reason) : new SendOutcome.Transient(reason);

    private static string Line(string text)
    {
        var line = string.Concat(text.Take(300).Select(c => char.IsControl(c) ? ' ' : c));
        return line.TrimEnd();
    }
}
