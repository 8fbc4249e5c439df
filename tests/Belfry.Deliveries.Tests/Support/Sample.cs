using System.Text;
using Belfry.Log;

namespace Belfry.Deliveries.Tests.Support;

internal static class Sample
{
    public static readonly TopicPartition Source = new("notifications", 0);
    public static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static Delivery Delivery(string key = "k", ReadOnlyMemory<byte> content = default) => new()
    {
        IdempotencyKey = key, Day = new DateOnly(2026, 1, 1), Channel = "page", Recipient = "bob", Content = content,
    };

    public static LogRecord Record(string key = "k", long offset = 0, int generation = 0) => new()
    {
        Source = Source,
        Offset = offset,
        AppendedAt = Now,
        Key = "bob",
        Value = Encoding.UTF8.GetBytes(key),
        Headers = generation == 0 ? [] : [new(DeliveryReplay.Header, $"{generation}")],
    };

    public static DeliveryClaim Claim(UnknownOutcomePolicy policy = UnknownOutcomePolicy.AtLeastOnce, int attemptsMax = 6) => new()
    {
        Delivery = Delivery(), Record = Record(), WhenUnknown = policy, AttemptsMax = attemptsMax,
    };

    public static DeliveryRow Row(DeliveryState state, long epoch = 5, int attempt = 1, int before = 0) => new()
    {
        Day = new DateOnly(2026, 1, 1),
        IdempotencyKey = "k",
        Channel = "page",
        Recipient = "bob",
        State = state,
        Epoch = epoch,
        Attempt = attempt,
        AttemptsBefore = before,
        UpdatedAt = Now,
    };
}
