using Belfry.Deliveries;
using Belfry.Log;
using Belfry.Testing;

namespace Belfry.Postgres.Tests;

public sealed class PostgresDeliveryStoreTests : DeliveryStoreSpec
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private TestSchema? _schema;

    [Fact]
    public async Task Owners_of_different_partitions_grant_a_new_key_once()
    {
        var fences = new List<DeliveryFence>();
        for (var n = 0; n < 6; n++)
        {
            var source = new TopicPartition("notifications", n);
            fences.Add(new DeliveryFence("g", source, await Store.TakeOverAsync("g", source, default)));
        }

        for (var round = 0; round < 10; round++)
        {
            var key = $"key-{round}";
            var results = await Task.WhenAll(fences.Select(
                async fence => (await Store.ClaimAsync(fence, [Claim("first " + key), Claim(key)], Now, default))[1]));

            // A later epoch takes over what an earlier one was granted, an earlier one finds it held: never two under one epoch.
            var granted = results.Where(result => result.Verdict == ClaimVerdict.Granted).ToList();
            granted.Select(result => result.Row.Attempt).Order().ShouldBe(Enumerable.Range(1, granted.Count));
            results.ShouldAllBe(result => result.Verdict == ClaimVerdict.Granted || result.Verdict == ClaimVerdict.HeldByNewer);
        }
    }

    protected override async Task<IDeliveryStore> OpenAsync()
    {
        _schema = await TestSchema.CreateAsync();
        return new PostgresDeliveryStore(_schema.Database);
    }

    protected override async Task CloseAsync()
    {
        if (_schema is not null) await _schema.DisposeAsync();
    }

    private static DeliveryClaim Claim(string key) => new()
    {
        Delivery = new Delivery
        {
            IdempotencyKey = key, Day = new DateOnly(2026, 3, 1), Channel = "email", Recipient = "bob@example.org",
            Content = new byte[] { 1 },
        },
        Record = new LogRecord
        {
            Source = new TopicPartition("notifications", 0), Offset = 1, AppendedAt = Now, Key = "k", Value = new byte[] { 1 },
        },
        WhenUnknown = UnknownOutcomePolicy.AtLeastOnce,
        AttemptsMax = 100,
    };
}
