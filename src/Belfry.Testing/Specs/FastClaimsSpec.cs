using Belfry.Deliveries;
using Shouldly;
using Xunit;

namespace Belfry.Testing;

/// <summary>What every <see cref="IFastClaims"/> must do. Each case uses keys of its own.</summary>
public abstract class FastClaimsSpec : IAsyncLifetime
{
    private readonly string _key = $"k-{Guid.NewGuid():N}";

    /// <summary>The claims under test, opened before each case.</summary>
    protected IFastClaims Claims { get; private set; } = null!;

    protected abstract Task<IFastClaims> OpenAsync();

    protected virtual Task CloseAsync() => Task.CompletedTask;

    public virtual async Task InitializeAsync() => Claims = await OpenAsync();

    public virtual Task DisposeAsync() => CloseAsync();

    [Fact]
    public virtual async Task A_free_key_is_claimed() => (await ClaimAsync("a")).ShouldBe(FastClaim.Claimed);

    [Fact]
    public virtual async Task Its_owner_may_claim_a_key_again()
    {
        await ClaimAsync("a");
        (await ClaimAsync("a")).ShouldBe(FastClaim.Claimed);
    }

    [Fact]
    public virtual async Task Another_owner_is_told_that_a_key_is_held()
    {
        await ClaimAsync("a");
        (await ClaimAsync("b")).ShouldBe(FastClaim.HeldByOther);
    }

    [Fact]
    public virtual async Task A_completed_key_is_completed_for_everybody()
    {
        await ClaimAsync("a");
        (await CompleteAsync("a")).ShouldBeTrue();
        (await ClaimAsync("a")).ShouldBe(FastClaim.Completed);
        (await ClaimAsync("b")).ShouldBe(FastClaim.Completed);
    }

    [Fact]
    public virtual async Task Only_the_holder_completes_a_key()
    {
        await ClaimAsync("a");
        (await CompleteAsync("b")).ShouldBeFalse();
        (await ClaimAsync("a")).ShouldBe(FastClaim.Claimed);
    }

    [Fact]
    public virtual async Task A_key_that_nobody_claimed_cannot_be_completed()
    {
        (await CompleteAsync("a")).ShouldBeFalse();
        (await ClaimAsync("b")).ShouldBe(FastClaim.Claimed);
    }

    [Fact]
    public virtual async Task Keys_and_owners_may_hold_any_text()
    {
        var odd = $"{_key} é:{{}}*\n\0'";
        (await Claims.TryClaimAsync(odd, "o:é 1", default)).ShouldBe(FastClaim.Claimed);
        (await Claims.TryClaimAsync(odd, "o:é 2", default)).ShouldBe(FastClaim.HeldByOther);
        (await Claims.CompleteAsync(odd, "o:é 1", default)).ShouldBeTrue();
        (await Claims.TryClaimAsync(odd, "o:é 2", default)).ShouldBe(FastClaim.Completed);
    }

    [Fact]
    public virtual async Task Of_many_at_once_one_gets_the_key()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(i => ClaimAsync($"o{i}")));
        answers.Count(a => a == FastClaim.Claimed).ShouldBe(1);
        answers.Count(a => a == FastClaim.HeldByOther).ShouldBe(49);
    }

    private Task<FastClaim> ClaimAsync(string owner) => Claims.TryClaimAsync(_key, owner, default).AsTask();

    private Task<bool> CompleteAsync(string owner) => Claims.CompleteAsync(_key, owner, default).AsTask();
}
