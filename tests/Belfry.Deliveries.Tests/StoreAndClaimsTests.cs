using Belfry.Testing;

namespace Belfry.Deliveries.Tests;

public sealed class SimulatedDeliveryStoreTests : DeliveryStoreSpec
{
    protected override Task<IDeliveryStore> OpenAsync() => Task.FromResult<IDeliveryStore>(new SimulatedDeliveryStore());
}

public sealed class MemoryFastClaimsTests : FastClaimsSpec
{
    private readonly ManualTime _time = new();

    protected override Task<IFastClaims> OpenAsync() =>
        Task.FromResult<IFastClaims>(new MemoryFastClaims(new MemoryFastClaimsOptions { KeysMax = 100 }, _time));

    [Fact]
    public async Task A_claim_that_was_not_completed_falls_free_after_its_time()
    {
        await Claims.TryClaimAsync("k", "a", default);
        _time.Advance(TimeSpan.FromMinutes(10) - TimeSpan.FromTicks(1));
        (await Claims.TryClaimAsync("k", "b", default)).ShouldBe(FastClaim.HeldByOther);
        _time.Advance(TimeSpan.FromTicks(1));
        (await Claims.TryClaimAsync("k", "b", default)).ShouldBe(FastClaim.Claimed);
        (await Claims.CompleteAsync("k", "a", default)).ShouldBeFalse();
    }

    [Fact]
    public async Task A_completed_key_is_remembered_for_a_day()
    {
        await Claims.TryClaimAsync("k", "a", default);
        await Claims.CompleteAsync("k", "a", default);
        _time.Advance(TimeSpan.FromHours(24) - TimeSpan.FromTicks(1));
        (await Claims.TryClaimAsync("k", "b", default)).ShouldBe(FastClaim.Completed);
        _time.Advance(TimeSpan.FromTicks(1));
        (await Claims.TryClaimAsync("k", "b", default)).ShouldBe(FastClaim.Claimed);
    }

    [Fact]
    public async Task The_oldest_key_goes_when_there_are_too_many()
    {
        for (var i = 0; i <= 100; i++) await Claims.TryClaimAsync($"k{i}", "a", default);
        ((MemoryFastClaims)Claims).Count.ShouldBe(100);
        (await Claims.TryClaimAsync("k1", "b", default)).ShouldBe(FastClaim.HeldByOther);
        (await Claims.TryClaimAsync("k0", "b", default)).ShouldBe(FastClaim.Claimed);
    }
}
