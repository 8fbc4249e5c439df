using Belfry.Deliveries.Tests.Support;
using FsCheck;
using FsCheck.Fluent;

namespace Belfry.Deliveries.Tests;

public sealed class DeliveryTransitionsTests
{
    private const long Epoch = 5;

    /// <summary>Row state, row epoch, policy, skip, spent all attempts -> verdict, state. Every combination is in one line.</summary>
    public static TheoryData<DeliveryState?, long, UnknownOutcomePolicy, bool, bool, ClaimVerdict, DeliveryState> Table()
    {
        var table = new TheoryData<DeliveryState?, long, UnknownOutcomePolicy, bool, bool, ClaimVerdict, DeliveryState>();
        DeliveryState?[] states = [null, .. Enum.GetValues<DeliveryState>().Cast<DeliveryState?>()];
        foreach (var state in states)
        foreach (var epoch in new[] { Epoch - 1, Epoch, Epoch + 1 })
        foreach (var policy in Enum.GetValues<UnknownOutcomePolicy>())
        foreach (var skip in new[] { false, true })
        foreach (var spent in new[] { false, true })
        {
            var (verdict, after) = (state, epoch) switch
            {
                (null, _) when skip => (ClaimVerdict.Ended, DeliveryState.Skipped),
                (null, _) => (ClaimVerdict.Granted, DeliveryState.Sending),
                (DeliveryState.Sending, Epoch) => (ClaimVerdict.InFlight, DeliveryState.Sending),
                (DeliveryState.Sending, > Epoch) => (ClaimVerdict.HeldByNewer, DeliveryState.Sending),
                (DeliveryState.Sending or DeliveryState.Retry, _) when skip => (ClaimVerdict.Ended, DeliveryState.Skipped),
                (DeliveryState.Sending, _) when policy == UnknownOutcomePolicy.AtMostOnce => (ClaimVerdict.Ended, DeliveryState.Unknown),
                (DeliveryState.Retry, _) when spent => (ClaimVerdict.Ended, DeliveryState.Dead),
                (DeliveryState.Sending or DeliveryState.Retry, _) => (ClaimVerdict.Granted, DeliveryState.Sending),
                ({ } final, _) => (ClaimVerdict.Ended, final),
            };
            table.Add(state, epoch, policy, skip, spent, verdict, after);
        }

        return table;
    }

    [Theory]
    [MemberData(nameof(Table))]
    public void Every_claim_has_its_verdict(
        DeliveryState? state, long rowEpoch, UnknownOutcomePolicy policy, bool skip, bool spent, ClaimVerdict verdict, DeliveryState after)
    {
        var row = state is { } s ? Sample.Row(s, rowEpoch, attempt: spent ? 6 : 2) : null;
        var step = DeliveryTransitions.OnClaim(row, Sample.Claim(policy) with { SkipReason = skip ? "acknowledged" : null }, Epoch,
            Sample.Now);
        (step.Result.Verdict, step.Result.Row.State).ShouldBe((verdict, after));
        step.Result.Resumed.ShouldBe(verdict == ClaimVerdict.Granted && state == DeliveryState.Sending);
        if (verdict == ClaimVerdict.Granted) step.Result.Row.Attempt.ShouldBe((row?.Attempt ?? 0) + 1);
        var changed = row is null || row.State != after || verdict == ClaimVerdict.Granted;
        (step.Write is not null).ShouldBe(changed);
        if (changed) step.Write.ShouldBe(step.Result.Row);
        if (changed) step.Write!.Epoch.ShouldBe(Epoch);
    }

    [Fact]
    public void A_skip_over_a_lost_send_says_that_it_may_have_gone_out()
    {
        var step = DeliveryTransitions.OnClaim(
            Sample.Row(DeliveryState.Sending, 4, 3), Sample.Claim() with { SkipReason = "acknowledged" }, Epoch, Sample.Now);
        step.Write!.Reason.ShouldBe("acknowledged (attempt 3 may have gone out)");
    }

    [Theory]
    [InlineData(DeliveryState.Dead)]
    [InlineData(DeliveryState.Unknown)]
    [InlineData(DeliveryState.Skipped)]
    [InlineData(DeliveryState.Sent)]
    public void A_replay_reopens_an_ended_row_once_and_counts_attempts_on(DeliveryState ended)
    {
        var row = Sample.Row(ended, attempt: 6);
        var step = DeliveryTransitions.OnClaim(row, Sample.Claim() with { Generation = 1 }, Epoch, Sample.Now);
        var granted = step.Result.Row;
        (step.Result.Verdict, granted.Attempt, granted.AttemptsBefore, granted.Generation).ShouldBe((ClaimVerdict.Granted, 7, 6, 1));
        DeliveryTransitions.OnClaim(granted with { State = ended }, Sample.Claim() with { Generation = 1 }, Epoch, Sample.Now)
            .Result.Verdict.ShouldBe(ClaimVerdict.Ended);
    }

    [Fact]
    public void A_completion_counts_only_for_the_row_of_its_attempt_and_epoch()
    {
        foreach (var state in Enum.GetValues<DeliveryState>())
        foreach (var epoch in new[] { Epoch - 1, Epoch, Epoch + 1 })
        foreach (var attempt in new[] { 1, 2, 3 })
        foreach (var to in new[]
            { DeliveryState.Sent, DeliveryState.Retry, DeliveryState.Unknown, DeliveryState.Dead, DeliveryState.Skipped })
        {
            var completion = new DeliveryCompletion
            {
                Delivery = Sample.Delivery(), Record = Sample.Record(), Attempt = 2, State = to, Reason = "why",
            };
            var write = DeliveryTransitions.OnComplete(Sample.Row(state, epoch, attempt), completion, Epoch, Sample.Now, out var accepted);
            var owned = epoch == Epoch && attempt == 2;
            accepted.ShouldBe(owned && (state == DeliveryState.Sending || state == to), $"{state} {epoch} {attempt} -> {to}");
            (write is not null).ShouldBe(owned && state == DeliveryState.Sending);
            if (write is null) continue;
            (write.State, write.Reason, write.RecordValue is not null)
                .ShouldBe((to, "why", to is DeliveryState.Dead or DeliveryState.Unknown));
        }
    }

    [Fact]
    public void A_completion_without_a_row_is_refused()
    {
        var completion = new DeliveryCompletion
        {
            Delivery = Sample.Delivery(), Record = Sample.Record(), Attempt = 1, State = DeliveryState.Sent,
        };
        DeliveryTransitions.OnComplete(null, completion, Epoch, Sample.Now, out var accepted).ShouldBeNull();
        accepted.ShouldBeFalse();
    }

    [Fact]
    public void Lost_owners_burn_no_attempts_and_have_a_limit_of_their_own()
    {
        var row = DeliveryTransitions.OnClaim(null, Sample.Claim(attemptsMax: 2), 1, Sample.Now).Result.Row;
        for (var lost = 1; lost <= DeliveryTransitions.LostMax; lost++)
        {
            var step = DeliveryTransitions.OnClaim(row, Sample.Claim(attemptsMax: 2), lost + 1, Sample.Now);
            (step.Result.Verdict, step.Result.Row.AttemptsLost).ShouldBe((ClaimVerdict.Granted, lost));
            row = step.Result.Row;
        }

        var last = DeliveryTransitions.OnClaim(row, Sample.Claim(attemptsMax: 2), 100, Sample.Now).Result;
        (last.Verdict, last.Row.State).ShouldBe((ClaimVerdict.Ended, DeliveryState.Dead));
        last.Row.Reason.ShouldBe("its owner was lost during 21 attempts of at most 20");
        var replay = DeliveryTransitions.OnClaim(last.Row, Sample.Claim(attemptsMax: 2) with { Generation = 1 }, 100, Sample.Now).Result;
        (replay.Verdict, replay.Row.AttemptsLost).ShouldBe((ClaimVerdict.Granted, 0));
    }

    [Fact]
    public void Attempts_never_exceed_their_limits_whatever_crashes_and_fails()
    {
        // 0: completes as retry; 1: completes as sent; 2: the owner dies.
        var runs = Gen.Frequency((1, Gen.Constant(0)), (1, Gen.Constant(1)), (6, Gen.Constant(2))).ListOf(60)
            .Select(list => list.ToArray());
        Prop.ForAll(runs.ToArbitrary(), run =>
        {
            DeliveryRow? row = null;
            var (epoch, failures, crashes) = (1L, 0, 0);
            foreach (var what in run)
            {
                var step = DeliveryTransitions.OnClaim(row, Sample.Claim(attemptsMax: 4), epoch, Sample.Now);
                row = step.Result.Row;
                if (step.Result.Verdict != ClaimVerdict.Granted) continue;
                if (what == 2)
                {
                    (epoch, crashes) = (epoch + 1, crashes + 1);
                    continue;
                }

                failures++;
                var state = what == 0 ? DeliveryState.Retry : DeliveryState.Sent;
                var completion = new DeliveryCompletion
                {
                    Delivery = Sample.Delivery(), Record = Sample.Record(), Attempt = row.Attempt, State = state,
                };
                row = DeliveryTransitions.OnComplete(row, completion, epoch, Sample.Now, out _)!;
            }

            return failures <= 4 && crashes <= DeliveryTransitions.LostMax + 1 && failures + crashes == row!.Attempt;
        }).QuickCheckThrowOnFailure();
    }
}
