using Belfry.Deliveries.Tests.Support;

namespace Belfry.Deliveries.Tests;

public sealed class DeliveryCoreTests
{
    private static readonly DeliveryOptions Options = new();

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 4)]
    [InlineData(4, 8)]
    [InlineData(5, 16)]
    public void Waits_double_and_are_shortened_by_at_most_half(int attempt, int seconds)
    {
        DeliveryCore.WaitAfter(attempt, null, Options, 0).ShouldBe(TimeSpan.FromSeconds(seconds));
        DeliveryCore.WaitAfter(attempt, null, Options, 1).ShouldBe(TimeSpan.FromSeconds(seconds) / 2);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(30, 30)]
    [InlineData(3600, 900)]
    public void A_provider_may_ask_for_a_longer_wait_within_the_limit(int asked, int seconds) =>
        DeliveryCore.WaitAfter(1, TimeSpan.FromSeconds(asked), Options, 0).ShouldBe(TimeSpan.FromSeconds(seconds));

    [Theory]
    [InlineData(UnknownOutcomePolicy.ResendWithKey)]
    [InlineData(UnknownOutcomePolicy.AtLeastOnce)]
    [InlineData(UnknownOutcomePolicy.AtMostOnce)]
    public void Every_outcome_has_its_state(UnknownOutcomePolicy policy)
    {
        var blind = policy == UnknownOutcomePolicy.AtMostOnce;
        After(policy, 1, new SendOutcome.Sent("r")).ShouldBe((DeliveryState.Sent, null));
        After(policy, 1, new SendOutcome.Permanent("p")).ShouldBe((DeliveryState.Dead, "p"));
        After(policy, 5, new SendOutcome.Transient("t")).ShouldBe((DeliveryState.Retry, "t"));
        After(policy, 6, new SendOutcome.Transient("t")).ShouldBe((DeliveryState.Dead, "out of attempts, 6 of at most 6: t"));
        After(policy, 1, new SendOutcome.Unknown("u")).ShouldBe((blind ? DeliveryState.Unknown : DeliveryState.Retry, "u"));
        After(policy, 6, new SendOutcome.Unknown("u")).State.ShouldBe(blind ? DeliveryState.Unknown : DeliveryState.Dead);
    }

    [Fact]
    public void A_replay_has_the_full_number_of_attempts_again()
    {
        var row = Sample.Row(DeliveryState.Sending, attempt: 11, before: 6);
        DeliveryCore.AfterSend(Sample.Claim(), row, new SendOutcome.Transient("t"), Options, 0, Sample.Now)
            .State.ShouldBe(DeliveryState.Retry);
        DeliveryCore.AfterSend(Sample.Claim(), row with { Attempt = 12 }, new SendOutcome.Transient("t"), Options, 0, Sample.Now)
            .State.ShouldBe(DeliveryState.Dead);
    }

    [Fact]
    public void Options_out_of_bounds_are_told_all_at_once()
    {
        var bad = new DeliveryOptions { SendTimeout = TimeSpan.Zero, BatchMax = 0, Breaker = new BreakerOptions { FailuresToOpen = 0 } };
        var message = Should.Throw<ArgumentException>(bad.Validate).Message;
        message.ShouldSatisfyAllConditions(
            () => message.ShouldContain("SendTimeout"), () => message.ShouldContain("BatchMax"),
            () => message.ShouldContain("FailuresToOpen"));
        new DeliveryOptions().Validate();
    }

    private static (DeliveryState State, string? Reason) After(UnknownOutcomePolicy policy, int attempt, SendOutcome outcome)
    {
        var completion = DeliveryCore.AfterSend(
            Sample.Claim(policy), Sample.Row(DeliveryState.Sending, attempt: attempt), outcome, Options, 0, Sample.Now);
        return (completion.State, completion.Reason);
    }
}
