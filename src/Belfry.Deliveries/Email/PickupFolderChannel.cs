using System.Net.Mail;

namespace Belfry.Deliveries;

/// <summary>
/// E-mail as <c>.eml</c> files in a folder that another program picks up. A file appears whole or not at all, named for the
/// idempotency key: a repeat replaces it.
/// </summary>
public sealed class PickupFolderChannel : IDeliveryChannel
{
    private readonly string _folder;
    private readonly MailAddress _from;

    /// <param name="folder">Created when missing.</param>
    /// <param name="from">The sender's address.</param>
    /// <exception cref="FormatException">The sender is no address.</exception>
    public PickupFolderChannel(string folder, string from)
    {
        _folder = Path.GetFullPath(folder);
        _from = EmailComposer.Address(from);
        Directory.CreateDirectory(_folder);
    }

    public string Name => "email";

    public UnknownOutcomePolicy WhenUnknown => UnknownOutcomePolicy.ResendWithKey;

    public string EndpointOf(Delivery delivery) => "pickup-folder";

    public ValueTask<SendOutcome> SendAsync(Delivery delivery, int attempt, CancellationToken cancel) => new(Write(delivery));

    private SendOutcome Write(Delivery delivery)
    {
        var name = EmailComposer.NameOf(delivery.IdempotencyKey);
        try
        {
            using var message = EmailComposer.Compose(EmailContent.Decode(delivery.Content), delivery.IdempotencyKey, _from);
            // The mail client chooses the file's name itself, so each message is written in a folder of its own.
            var draft = Directory.CreateDirectory(Path.Combine(_folder, $".{name}-{Path.GetRandomFileName()}"));
            try
            {
                using var client = new SmtpClient
                {
                    DeliveryMethod = SmtpDeliveryMethod.SpecifiedPickupDirectory, PickupDirectoryLocation = draft.FullName,
                };
                client.Send(message);
                var written = draft.GetFiles("*.eml").Single().FullName;
                using (var file = new FileStream(written, FileMode.Open, FileAccess.ReadWrite)) file.Flush(flushToDisk: true);
                File.Move(written, Path.Combine(_folder, $"{name}.eml"), overwrite: true);
            }
            finally
            {
                draft.Delete(recursive: true);
            }

            return new SendOutcome.Sent($"{name}.eml");
        }
        catch (FormatException refused)
        {
            return new SendOutcome.Permanent(refused.Message);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or SmtpException)
        {
            return new SendOutcome.Transient($"Folder '{_folder}' took no file: {fault.GetBaseException().Message}");
        }
    }
}
