using Belfry.Deliveries;
using Belfry.Outbox;

namespace Belfry.Alerting.Dispatch;

/// <summary>Adds a contact method's signing secret at the very send: it is read for each, and stands in no record.</summary>
/// <param name="inner">The channel that sends.</param>
/// <param name="secretOf">Null: the method is gone.</param>
internal sealed class WebhookSigningChannel(
    IDeliveryChannel inner, Func<ContactMethodId, CancellationToken, ValueTask<string?>> secretOf) : IDeliveryChannel
{
    public string Name => inner.Name;

    public UnknownOutcomePolicy WhenUnknown => inner.WhenUnknown;

    public string EndpointOf(Delivery delivery) => inner.EndpointOf(delivery);

    public async ValueTask<SendOutcome> SendAsync(Delivery delivery, int attempt, CancellationToken cancel)
    {
        var content = WebhookContent.Decode(delivery.Content);
        if (!Id.TryParse<ContactMethodId>(content.Subscription, out var method))
            return new SendOutcome.Permanent($"'{content.Subscription}' is no contact method.");
        string? secret;
        try
        {
            secret = await secretOf(method, cancel);
        }
        catch (StoreUnavailableException unavailable)
        {
            return new SendOutcome.Transient($"The signing secret could not be read: {unavailable.Message}");
        }

        return secret is null
            ? new SendOutcome.Permanent("The contact method was deleted.")
            : await inner.SendAsync(delivery with { Content = (content with { Secrets = [secret] }).Encode() }, attempt, cancel);
    }
}
