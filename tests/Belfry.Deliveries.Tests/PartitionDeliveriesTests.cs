using Belfry.Deliveries.Tests.Support;
using Belfry.Log;
using Belfry.Testing;

namespace Belfry.Deliveries.Tests;

public sealed class PartitionDeliveriesTests
{
    [Fact]
    public async Task A_delivery_is_sent_recorded_and_reported_once()
    {
        var rig = new Rig();
        (await HandleAsync(rig)).ShouldBe(HandlerOutcome.Success);
        rig.Channel.Receipts.ShouldHaveSingleItem().IdempotencyKey.ShouldBe("k");
        (rig.Row.State, rig.Row.Attempt, rig.Row.ProviderReference).ShouldBe((DeliveryState.Sent, 1, "ref"));
        var report = rig.Reports.ShouldHaveSingleItem();
        (report.State, report.Attempt, report.ProviderReference, report.Reason).ShouldBe((DeliveryState.Sent, 1, "ref", null));
        rig.DeadLetters.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_record_of_another_channel_is_done_without_a_row()
    {
        var rig = new Rig();
        (await HandleAsync(rig, Sample.Record("other channel"))).ShouldBe(HandlerOutcome.Success);
        rig.Store.Rows.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("malformed")]
    [InlineData("")]
    public async Task A_record_that_cannot_be_read_is_a_dead_letter(string value) =>
        (await HandleAsync(new Rig(), Sample.Record(value))).ShouldBeOfType<HandlerOutcome.DeadLetter>();

    [Fact]
    public async Task A_key_longer_than_200_characters_is_a_dead_letter_that_says_so()
    {
        var outcome = await HandleAsync(new Rig(), Sample.Record(new string('k', 201)));
        outcome.ShouldBeOfType<HandlerOutcome.DeadLetter>().Reason.ShouldContain("201");
        (await HandleAsync(new Rig(), Sample.Record(new string('k', 200)))).ShouldBe(HandlerOutcome.Success);
    }

    [Fact]
    public async Task Six_transient_failures_are_six_reports_and_one_dead_letter_with_its_bytes()
    {
        var rig = new Rig { Breakers = new BreakerSet(new BreakerOptions { FailuresToOpen = 100 }, TimeProvider.System) };
        rig.Channel.Script = (_, _) => ProviderAnswer.Busy;
        var owner = await rig.OwnerAsync();
        TimeSpan?[] waits = new TimeSpan?[5];
        for (var i = 0; i < 5; i++)
        {
            var retry = (await owner.HandleAsync(Sample.Record(), 1, default)).ShouldBeOfType<HandlerOutcome.Retry>();
            retry.BurnsAttempt.ShouldBeFalse();
            waits[i] = retry.After;
            rig.Time.Advance(retry.After!.Value);
        }

        (await owner.HandleAsync(Sample.Record(), 1, default)).ShouldBe(HandlerOutcome.Success);
        for (var i = 0; i < 5; i++) waits[i]!.Value.ShouldBeInRange(TimeSpan.FromSeconds(1 << i) / 2, TimeSpan.FromSeconds(1 << i));
        rig.Reports.Select(r => (r.State, r.Attempt)).ShouldBe(
            [.. Enumerable.Range(1, 5).Select(i => (DeliveryState.Retry, i)), (DeliveryState.Dead, 6)]);
        var dead = rig.DeadLetters.ShouldHaveSingleItem();
        (dead.Attempts, dead.Reason).ShouldBe((6, "out of attempts, 6 of at most 6: 503"));
        dead.Record.Value.ToArray().ShouldBe(Sample.Record().Value.ToArray());
        rig.Channel.Calls.ShouldBe(6);
    }

    [Fact]
    public async Task Attempts_survive_a_change_of_owner()
    {
        var rig = new Rig();
        rig.Channel.Script = (_, _) => ProviderAnswer.Busy;
        for (var i = 0; i < 5; i++) (await HandleAsync(rig)).ShouldBeOfType<HandlerOutcome.Retry>();
        (await HandleAsync(rig)).ShouldBe(HandlerOutcome.Success);
        (rig.Row.State, rig.Row.Attempt).ShouldBe((DeliveryState.Dead, 6));
    }

    [Fact]
    public async Task A_permanent_failure_dies_at_once_and_its_dead_letter_is_written_again_on_redelivery()
    {
        var rig = new Rig();
        rig.Channel.Script = (_, _) => ProviderAnswer.Fail;
        rig.FreezeAt("after CompleteAsync");
        _ = (await rig.OwnerAsync()).HandleAsync(Sample.Record(), 1, default).AsTask();
        await rig.Frozen;
        rig.DeadLetters.ShouldBeEmpty();
        (await HandleAsync(rig)).ShouldBe(HandlerOutcome.Success);
        rig.DeadLetters.ShouldHaveSingleItem().Reason.ShouldBe("no such recipient");
        rig.Channel.Calls.ShouldBe(1);
    }

    [Fact]
    public async Task A_wait_asked_for_by_the_provider_is_kept()
    {
        var rig = new Rig();
        rig.Channel.Script = (_, _) => ProviderAnswer.TooMany(TimeSpan.FromSeconds(90));
        var retry = (await HandleAsync(rig)).ShouldBeOfType<HandlerOutcome.Retry>();
        retry.After.ShouldBe(TimeSpan.FromSeconds(90));
        rig.Row.NextAt.ShouldBe(rig.Time.GetUtcNow().AddSeconds(90));
    }

    [Fact]
    public async Task Whether_it_is_still_wanted_is_asked_at_every_attempt()
    {
        var rig = new Rig();
        rig.Channel.Script = (_, _) => ProviderAnswer.Busy;
        var owner = await rig.OwnerAsync();
        await owner.HandleAsync(Sample.Record(), 1, default);
        await owner.HandleAsync(Sample.Record(), 1, default);
        rig.Asked.ShouldBe(2);
        rig.Unwanted = () => "acknowledged";
        (await owner.HandleAsync(Sample.Record(), 1, default)).ShouldBe(HandlerOutcome.Success);
        (rig.Channel.Calls, rig.Row.State, rig.Row.Reason).ShouldBe((2, DeliveryState.Skipped, "acknowledged"));
        rig.Reports[^1].State.ShouldBe(DeliveryState.Skipped);
    }

    [Fact]
    public async Task An_acknowledgement_recorded_while_the_claim_is_written_stops_the_send()
    {
        var rig = new Rig();
        rig.FreezeAt("before ClaimAsync");
        var handling = HandleAsync(rig);
        await rig.Frozen;
        rig.Unwanted = () => "acknowledged";
        rig.Thaw();
        (await handling).ShouldBe(HandlerOutcome.Success);
        (rig.Channel.Calls, rig.Row.State, rig.Row.Reason).ShouldBe((0, DeliveryState.Skipped, "acknowledged"));
        rig.Reports.ShouldHaveSingleItem().State.ShouldBe(DeliveryState.Skipped);
    }

    [Fact]
    public async Task A_claimed_delivery_whose_question_failed_is_asked_again_under_the_same_claim()
    {
        var rig = new Rig { Unwanted = () => throw new TimeoutException("the store is away") };
        var owner = await rig.OwnerAsync();
        (await owner.HandleAsync(Sample.Record(), 1, default)).ShouldBeOfType<HandlerOutcome.Retry>().BurnsAttempt.ShouldBeFalse();
        (rig.Channel.Calls, rig.Row.State).ShouldBe((0, DeliveryState.Sending));
        rig.Unwanted = () => null;
        (await owner.HandleAsync(Sample.Record(), 1, default)).ShouldBe(HandlerOutcome.Success);
        (rig.Channel.Calls, rig.Row.State, rig.Row.Attempt).ShouldBe((1, DeliveryState.Sent, 1));
    }

    [Fact]
    public async Task What_nobody_wants_does_not_wait_for_an_open_breaker()
    {
        var rig = new Rig();
        rig.Breakers = new BreakerSet(new BreakerOptions { FailuresToOpen = 1 }, rig.Time);
        rig.Channel.Script = (_, _) => ProviderAnswer.Busy;
        var owner = await rig.OwnerAsync();
        await owner.HandleAsync(Sample.Record("a"), 1, default);
        rig.Unwanted = () => "resolved";
        (await owner.HandleAsync(Sample.Record("b"), 1, default)).ShouldBe(HandlerOutcome.Success);
        (rig.Channel.Calls, rig.Store.Rows.Single(row => row.IdempotencyKey == "b").State).ShouldBe((1, DeliveryState.Skipped));
    }

    [Fact]
    public async Task A_send_that_does_not_answer_in_time_is_unknown_and_follows_the_policy()
    {
        foreach (var (policy, state) in new[]
        {
            (UnknownOutcomePolicy.AtLeastOnce, DeliveryState.Retry), (UnknownOutcomePolicy.AtMostOnce, DeliveryState.Unknown),
        })
        {
            var rig = new Rig(policy);
            rig.Channel.Script = (_, _) => ProviderAnswer.AcceptThenTimeout;
            var handling = HandleAsync(rig);
            while (rig.Channel.Calls == 0 || rig.Time.ArmedTimers == 0) await Task.Yield();
            rig.Time.Advance(rig.Options.SendTimeout);
            await handling;
            rig.Row.State.ShouldBe(state);
            rig.Row.Reason!.ShouldContain("SendTimeout");
        }
    }

    [Fact]
    public async Task A_channels_callback_that_throws_as_its_time_is_up_changes_nothing()
    {
        var rig = new Rig(UnknownOutcomePolicy.AtMostOnce);
        var called = false;
        rig.Channel.Script = (_, _) => ProviderAnswer.AcceptThenTimeout;
        rig.Sending = cancel => cancel.Register(() =>
        {
            called = true;
            throw new InvalidOperationException("has ended");
        });
        var handling = HandleAsync(rig);
        while (rig.Channel.Calls == 0 || rig.Time.ArmedTimers == 0) await Task.Yield();
        rig.Time.Advance(rig.Options.SendTimeout);
        await handling;
        called.ShouldBeTrue();
        rig.Row.State.ShouldBe(DeliveryState.Unknown);
    }

    [Fact]
    public async Task A_send_cut_off_by_a_stop_counts_as_unknown_for_the_same_owner_and_the_next()
    {
        foreach (var sameOwner in new[] { true, false })
        {
            var rig = new Rig(UnknownOutcomePolicy.AtMostOnce);
            rig.Channel.Script = (_, _) => ProviderAnswer.AcceptThenTimeout;
            var owner = await rig.OwnerAsync();
            using var stop = new CancellationTokenSource();
            var handling = owner.HandleAsync(Sample.Record(), 1, stop.Token).AsTask();
            while (rig.Channel.Calls == 0) await Task.Yield();
            await stop.CancelAsync();
            await Should.ThrowAsync<OperationCanceledException>(() => handling);
            rig.Row.State.ShouldBe(DeliveryState.Sending);
            var next = sameOwner ? owner : await rig.OwnerAsync();
            (await next.HandleAsync(Sample.Record(), 1, default)).ShouldBe(HandlerOutcome.Success);
            (rig.Row.State, rig.Channel.Calls).ShouldBe((DeliveryState.Unknown, 1));
        }
    }

    [Theory]
    [InlineData("before ClaimAsync")]
    [InlineData("after ClaimAsync")]
    [InlineData("before CompleteAsync")]
    [InlineData("after CompleteAsync")]
    public async Task A_store_that_fails_for_a_while_neither_burns_attempts_nor_sends_twice(string point)
    {
        var rig = new Rig();
        var faults = 2;
        ValueTask Fail(string at) => at == point && faults-- > 0 ? throw new TimeoutException("store away") : ValueTask.CompletedTask;
        rig.Store.BeforeCall = name => Fail($"before {name}");
        rig.Store.AfterCall = name => Fail($"after {name}");
        var owner = await rig.OwnerAsync();
        for (var i = 0; i < 2; i++)
        {
            var retry = (await owner.HandleAsync(Sample.Record(), 1, default)) as HandlerOutcome.Retry;
            if (retry is not null) (retry.BurnsAttempt, retry.After).ShouldBe((false, rig.Options.FaultWait));
        }

        (await owner.HandleAsync(Sample.Record(), 1, default)).ShouldBe(HandlerOutcome.Success);
        (rig.Row.State, rig.Row.Attempt, rig.Channel.Receipts.Count).ShouldBe((DeliveryState.Sent, 1, 1));
        rig.Reports.ShouldContain(r => r.State == DeliveryState.Sent);
    }

    [Fact]
    public async Task A_report_that_fails_is_repeated_before_the_record_is_done()
    {
        foreach (var answer in new[] { ProviderAnswer.Accept, ProviderAnswer.Busy })
        {
            var rig = new Rig();
            rig.Channel.Script = (_, _) => answer;
            rig.OnReport = _ => throw new TimeoutException("log away");
            var owner = await rig.OwnerAsync();
            (await owner.HandleAsync(Sample.Record(), 1, default)).ShouldBeOfType<HandlerOutcome.Retry>()
                .After.ShouldBe(rig.Options.FaultWait);
            rig.OnReport = _ => ValueTask.CompletedTask;
            await owner.HandleAsync(Sample.Record(), 1, default);
            rig.Reports.ShouldHaveSingleItem().Attempt.ShouldBe(1);
            rig.Channel.Calls.ShouldBe(1);
        }
    }

    [Fact]
    public async Task An_open_breaker_parks_work_without_asking_the_provider_or_burning_attempts()
    {
        var rig = new Rig();
        rig.Breakers = new BreakerSet(new BreakerOptions { FailuresToOpen = 2 }, rig.Time);
        rig.Channel.Script = (_, _) => ProviderAnswer.Busy;
        var owner = await rig.OwnerAsync();
        await owner.HandleAsync(Sample.Record("a"), 1, default);
        await owner.HandleAsync(Sample.Record("b"), 1, default);
        var parked = (await owner.HandleAsync(Sample.Record("c"), 1, default)).ShouldBeOfType<HandlerOutcome.Retry>();
        parked.BurnsAttempt.ShouldBeFalse();
        parked.After!.Value.ShouldBeInRange(TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(10));
        rig.Channel.Calls.ShouldBe(2);
        rig.Store.Rows.Select(r => r.IdempotencyKey).ShouldBe(["a", "b"]);

        rig.Time.Advance(TimeSpan.FromSeconds(5));
        rig.Channel.Script = (_, _) => ProviderAnswer.Accept;
        (await owner.HandleAsync(Sample.Record("c"), 1, default)).ShouldBe(HandlerOutcome.Success);
        (await owner.HandleAsync(Sample.Record("a"), 1, default)).ShouldBe(HandlerOutcome.Success);
    }

    [Fact]
    public async Task A_channel_that_throws_is_unknown_and_said_so()
    {
        var rig = new Rig();
        rig.Channel.Script = (_, _) => throw new InvalidOperationException("bug");
        (await HandleAsync(rig)).ShouldBeOfType<HandlerOutcome.Retry>().Reason.ShouldBe("the channel threw InvalidOperationException: bug");
    }

    [Fact]
    public async Task A_claim_that_took_too_long_sends_nothing()
    {
        var rig = new Rig();
        rig.Store.AfterCall = name =>
        {
            if (name == "ClaimAsync") rig.Time.Advance(TimeSpan.FromSeconds(6));
            return ValueTask.CompletedTask;
        };
        (await HandleAsync(rig)).ShouldBeOfType<HandlerOutcome.Retry>().Reason.ShouldContain("ClaimFreshFor");
        rig.Channel.Calls.ShouldBe(0);
    }

    [Theory]
    [InlineData(UnknownOutcomePolicy.AtLeastOnce)]
    [InlineData(UnknownOutcomePolicy.AtMostOnce)]
    public async Task Claims_that_take_too_long_again_and_again_burn_no_attempt_and_the_first_that_does_not_is_sent(
        UnknownOutcomePolicy policy)
    {
        var rig = new Rig(policy);
        var isSlow = true;
        rig.Store.AfterCall = name =>
        {
            if (name == "ClaimAsync" && isSlow) rig.Time.Advance(TimeSpan.FromSeconds(6));
            return ValueTask.CompletedTask;
        };
        var owner = await rig.OwnerAsync();
        for (var n = 0; n < 20; n++)
        {
            var retry = (await owner.HandleAsync(Sample.Record(), 1, default)).ShouldBeOfType<HandlerOutcome.Retry>();
            (retry.BurnsAttempt, retry.After).ShouldBe((false, rig.Options.FaultWait));
        }

        isSlow = false;
        (await owner.HandleAsync(Sample.Record(), 1, default)).ShouldBe(HandlerOutcome.Success);
        rig.Channel.Receipts.ShouldHaveSingleItem();
        (rig.Row.State, rig.Row.Attempt, rig.DeadLetters.Count).ShouldBe((DeliveryState.Sent, 1, 0));
    }

    [Theory]
    [InlineData(UnknownOutcomePolicy.AtLeastOnce)]
    [InlineData(UnknownOutcomePolicy.AtMostOnce)]
    public async Task A_claim_that_took_too_long_is_let_go_of_so_that_the_next_owner_sends(UnknownOutcomePolicy policy)
    {
        var rig = new Rig(policy);
        rig.Store.AfterCall = SlowClaims(rig);
        (await HandleAsync(rig)).ShouldBeOfType<HandlerOutcome.Retry>().BurnsAttempt.ShouldBeFalse();
        (rig.Row.State, rig.Row.Attempt, rig.Row.NextAt)
            .ShouldBe((DeliveryState.Retry, 0, rig.Time.GetUtcNow() + rig.Options.FaultWait));

        rig.Store.AfterCall = _ => ValueTask.CompletedTask;
        (await HandleAsync(rig)).ShouldBe(HandlerOutcome.Success);
        rig.Channel.Receipts.ShouldHaveSingleItem();
        (rig.Row.State, rig.Row.Attempt, rig.Row.AttemptsLost, rig.DeadLetters.Count).ShouldBe((DeliveryState.Sent, 1, 0, 0));
    }

    [Fact]
    public async Task A_claim_that_took_too_long_and_cannot_be_let_go_of_is_found_again_by_its_owner()
    {
        var rig = new Rig(UnknownOutcomePolicy.AtMostOnce);
        rig.Store.AfterCall = SlowClaims(rig);
        rig.Store.BeforeCall = name => name == "CompleteAsync" ? throw new TimeoutException("store away") : ValueTask.CompletedTask;
        var owner = await rig.OwnerAsync();
        var retry = (await owner.HandleAsync(Sample.Record(), 1, default)).ShouldBeOfType<HandlerOutcome.Retry>();
        (retry.BurnsAttempt, retry.After).ShouldBe((false, rig.Options.FaultWait));
        retry.Reason.ShouldContain("ClaimFreshFor");
        (rig.Row.State, rig.Row.Attempt).ShouldBe((DeliveryState.Sending, 1));

        rig.Store.AfterCall = rig.Store.BeforeCall = _ => ValueTask.CompletedTask;
        (await owner.HandleAsync(Sample.Record(), 1, default)).ShouldBe(HandlerOutcome.Success);
        (rig.Row.State, rig.Row.Attempt, rig.Channel.Receipts.Count).ShouldBe((DeliveryState.Sent, 1, 1));
    }

    [Fact]
    public async Task An_attempt_in_doubt_stays_so_when_the_claim_over_it_took_too_long()
    {
        var rig = new Rig();
        rig.FreezeAt("after send");
        _ = (await rig.OwnerAsync()).HandleAsync(Sample.Record(), 1, default).AsTask();
        await rig.Frozen;
        rig.Store.AfterCall = SlowClaims(rig);
        (await HandleAsync(rig)).ShouldBeOfType<HandlerOutcome.Retry>();
        rig.Store.AfterCall = _ => ValueTask.CompletedTask;
        rig.Unwanted = () => "acknowledged";
        (await HandleAsync(rig)).ShouldBe(HandlerOutcome.Success);
        rig.Row.Reason.ShouldNotBeNull().ShouldContain("may have gone out");
    }

    [Fact]
    public async Task A_replayed_record_is_sent_again_under_the_same_key_once()
    {
        var rig = new Rig();
        rig.Channel.Script = (_, _) => ProviderAnswer.Fail;
        var owner = await rig.OwnerAsync();
        await owner.HandleAsync(Sample.Record(), 1, default);
        var replay = DeliveryReplay.RecordOf(rig.Row, "notifications");
        (replay.OrderingKey, replay.Headers.Single().Value).ShouldBe(("bob", "1"));
        replay.Value.ToArray().ShouldBe(Sample.Record().Value.ToArray());

        rig.Channel.Script = (_, _) => ProviderAnswer.Accept;
        for (var i = 0; i < 2; i++) await owner.HandleAsync(Sample.Record(offset: 7, generation: 1), 1, default);
        rig.Channel.Receipts.ShouldHaveSingleItem().IdempotencyKey.ShouldBe("k");
        rig.Row.State.ShouldBe(DeliveryState.Sent);
        Should.Throw<ArgumentException>(() => DeliveryReplay.RecordOf(rig.Row, "notifications")).Message.ShouldContain("Sent");
    }

    private static Func<string, ValueTask> SlowClaims(Rig rig) => name =>
    {
        if (name == "ClaimAsync") rig.Time.Advance(rig.Options.ClaimFreshFor + TimeSpan.FromSeconds(1));
        return ValueTask.CompletedTask;
    };

    private static async Task<HandlerOutcome> HandleAsync(Rig rig, LogRecord? record = null) =>
        await (await rig.OwnerAsync()).HandleAsync(record ?? Sample.Record(), 1, default);
}
