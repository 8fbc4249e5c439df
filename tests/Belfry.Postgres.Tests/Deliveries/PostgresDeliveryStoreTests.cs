using Belfry.Deliveries;
using Belfry.Log;
using Belfry.Outbox;
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

    [Fact]
    public async Task Many_more_callers_than_connections_wait_for_one_and_are_all_served()
    {
        await using var narrow = PostgresDatabase.Open(_schema!.Options with { ConnectionsMax = 2 });
        var store = new PostgresDeliveryStore(narrow);
        var fences = await Task.WhenAll(Enumerable.Range(0, 12).Select(async n =>
        {
            var source = new TopicPartition("notifications", n);
            return new DeliveryFence("g", source, await store.TakeOverAsync("g", source, default));
        }));
        var claimed = await Task.WhenAll(Enumerable.Range(0, 12 * 8).Select(async n =>
        {
            var claim = Claim($"key-{n}");
            var granted = (await store.ClaimAsync(fences[n % fences.Length], [claim], Now, default)).Single();
            var completion = new DeliveryCompletion
            {
                Delivery = claim.Delivery, Record = claim.Record, Attempt = granted.Row.Attempt, State = DeliveryState.Sent,
            };
            return (granted.Verdict, IsDone: (await store.CompleteAsync(fences[n % fences.Length], [completion], Now, default)).Single());
        }));
        claimed.ShouldAllBe(one => one.Verdict == ClaimVerdict.Granted && one.IsDone);
    }

    [Fact]
    public async Task Callers_that_find_no_connection_in_time_are_told_which_knob_to_turn_and_the_pool_goes_on()
    {
        await using var narrow = PostgresDatabase.Open(_schema!.Options with
        {
            ConnectionsMax = 1, WaitMax = TimeSpan.FromSeconds(1), OpenMax = TimeSpan.FromMinutes(1),
        });
        var store = new PostgresDeliveryStore(narrow);
        var source = new TopicPartition("notifications", 0);
        var fence = new DeliveryFence("g", source, await store.TakeOverAsync("g", source, default));
        var hang = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var busy = narrow.ReadAsync(async _ =>
        {
            await hang.Task;
            return true;
        }, default).AsTask();
        var faults = await Task.WhenAll(Enumerable.Range(0, 20).Select(n => Should.ThrowAsync<StoreUnavailableException>(
            async () => await store.ClaimAsync(fence, [Claim($"key-{n}")], Now, default))));
        faults.ShouldAllBe(fault => fault.Message.Contains(nameof(PostgresOptions.ConnectionsMax)));
        hang.SetResult();
        (await busy).ShouldBeTrue();
        (await store.ClaimAsync(fence, [Claim("after")], Now, default)).Single().Verdict.ShouldBe(ClaimVerdict.Granted);
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
