namespace Belfry.Deliveries;

/// <summary>
/// Deliveries as lines of an <see cref="AuditFile"/>. The file knows its keys, also after a restart: a repeat adds nothing.
/// </summary>
public sealed class AuditChannel(AuditFile file, TimeProvider time) : IDeliveryChannel
{
    public string Name => "audit";

    public UnknownOutcomePolicy WhenUnknown => UnknownOutcomePolicy.ResendWithKey;

    public string EndpointOf(Delivery delivery) => "audit-file";

    public ValueTask<SendOutcome> SendAsync(Delivery delivery, int attempt, CancellationToken cancel)
    {
        try
        {
            file.Append(delivery.IdempotencyKey, delivery.Recipient, delivery.Content, time.GetUtcNow());
            return new(new SendOutcome.Sent(null));
        }
        catch (IOException fault)
        {
            return new(new SendOutcome.Transient($"The audit file took no line: {fault.Message}"));
        }
    }
}
