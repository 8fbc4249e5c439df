using Belfry.Deliveries.Tests.Support;
using Belfry.Log;

namespace Belfry.Deliveries.Tests;

public sealed class CrashTests
{
    private static readonly string[] Points =
    [
        "before ClaimAsync", "after ClaimAsync", "after send", "before CompleteAsync", "after CompleteAsync", "after report",
    ];

    /// <summary>Receipts at the provider by point, for an idempotent one, a blind one at least once, a blind one at most once.</summary>
    public static TheoryData<string, UnknownOutcomePolicy, int, DeliveryState> Cases()
    {
        var cases = new TheoryData<string, UnknownOutcomePolicy, int, DeliveryState>();
        foreach (var point in Points)
        {
            var sentBefore = point is "after send" or "before CompleteAsync";
            var claimedOnly = point == "after ClaimAsync";
            cases.Add(point, UnknownOutcomePolicy.ResendWithKey, 1, DeliveryState.Sent);
            cases.Add(point, UnknownOutcomePolicy.AtLeastOnce, sentBefore ? 2 : 1, DeliveryState.Sent);
            cases.Add(
                point, UnknownOutcomePolicy.AtMostOnce, claimedOnly ? 0 : 1,
                sentBefore || claimedOnly ? DeliveryState.Unknown : DeliveryState.Sent);
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task A_crash_between_claim_and_offset_ends_as_the_policy_says(
        string point, UnknownOutcomePolicy policy, int receipts, DeliveryState state)
    {
        var rig = new Rig(policy);
        rig.FreezeAt(point);
        _ = (await rig.OwnerAsync()).HandleAsync(Sample.Record(), 1, default).AsTask();
        await rig.Frozen;

        var outcome = await (await rig.OwnerAsync()).HandleAsync(Sample.Record(), 1, default);
        outcome.ShouldBe(HandlerOutcome.Success);
        (rig.Channel.Receipts.Count, rig.Row.State).ShouldBe((receipts, state));
        rig.Reports.ShouldContain(r => r.State == state);
    }

    [Theory]
    [InlineData("before ClaimAsync")]
    [InlineData("before CompleteAsync")]
    public async Task An_owner_that_wakes_up_too_late_writes_nothing(string point)
    {
        var rig = new Rig();
        rig.FreezeAt(point);
        var zombie = (await rig.OwnerAsync()).HandleAsync(Sample.Record(), 1, default).AsTask();
        await rig.Frozen;
        await (await rig.OwnerAsync()).HandleAsync(Sample.Record(), 1, default);
        var after = rig.Row;
        var calls = rig.Channel.Calls;

        rig.Thaw();
        await Should.ThrowAsync<OwnershipLostException>(() => zombie);
        rig.Row.ShouldBe(after);
        rig.Channel.Calls.ShouldBe(calls);
    }

    [Fact]
    public async Task A_skip_tells_of_the_attempt_in_doubt_also_when_its_question_failed_at_first()
    {
        var rig = new Rig();
        rig.FreezeAt("after send");
        _ = (await rig.OwnerAsync()).HandleAsync(Sample.Record(), 1, default).AsTask();
        await rig.Frozen;
        var next = await rig.OwnerAsync();
        rig.Unwanted = () => throw new TimeoutException("store away");
        (await next.HandleAsync(Sample.Record(), 1, default)).ShouldBeOfType<HandlerOutcome.Retry>();
        rig.Unwanted = () => "acknowledged";
        (await next.HandleAsync(Sample.Record(), 2, default)).ShouldBe(HandlerOutcome.Success);
        (rig.Row.State, rig.Row.Reason).ShouldBe((DeliveryState.Skipped, "acknowledged (attempt 1 may have gone out)"));
        rig.Channel.Receipts.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_skip_after_a_crash_sends_nothing_more()
    {
        var rig = new Rig();
        rig.FreezeAt("after ClaimAsync");
        _ = (await rig.OwnerAsync()).HandleAsync(Sample.Record(), 1, default).AsTask();
        await rig.Frozen;
        rig.Unwanted = () => "acknowledged";
        await (await rig.OwnerAsync()).HandleAsync(Sample.Record(), 1, default);
        (rig.Channel.Calls, rig.Row.State).ShouldBe((0, DeliveryState.Skipped));
    }

    [Fact]
    public async Task Losing_all_fast_claims_sends_nothing_twice()
    {
        var rig = new Rig();
        await (await rig.OwnerAsync()).HandleAsync(Sample.Record(), 1, default);
        rig.Time.Advance(TimeSpan.FromHours(25));
        await (await rig.OwnerAsync()).HandleAsync(Sample.Record(), 1, default);
        rig.Channel.Receipts.Count.ShouldBe(1);
        rig.Asked.ShouldBe(1);
    }

    [Fact]
    public async Task A_completed_fast_claim_spares_the_store()
    {
        var rig = new Rig();
        var owner = await rig.OwnerAsync();
        await owner.HandleAsync(Sample.Record(), 1, default);
        rig.Store.BeforeCall = name => throw new InvalidOperationException($"{name} was called");
        (await owner.HandleAsync(Sample.Record(), 1, default)).ShouldBe(HandlerOutcome.Success);
        rig.Reports.Count.ShouldBe(1);
    }
}
