using System.Text;
using Belfry.Deliveries;
using Belfry.Log;
using Shouldly;
using Xunit;

namespace Belfry.Testing;

/// <summary>What every <see cref="IDeliveryStore"/> must do.</summary>
public abstract class DeliveryStoreSpec : IAsyncLifetime
{
    private const string Group = "deliver-email";
    private static readonly TopicPartition Source = new("notifications", 3);
    private static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, 123, TimeSpan.Zero);
    private static readonly DateOnly Day = new(2026, 3, 1);

    /// <summary>The store under test, opened empty before each case.</summary>
    protected IDeliveryStore Store { get; private set; } = null!;

    protected abstract Task<IDeliveryStore> OpenAsync();

    protected virtual Task CloseAsync() => Task.CompletedTask;

    public virtual async Task InitializeAsync() => Store = await OpenAsync();

    public virtual Task DisposeAsync() => CloseAsync();

    [Fact]
    public virtual async Task Epochs_grow_over_all_partitions_and_groups()
    {
        var first = await Store.TakeOverAsync(Group, Source, default);
        var second = await Store.TakeOverAsync("other", Source with { Partition = 0 }, default);
        var third = await Store.TakeOverAsync(Group, Source, default);
        first.ShouldBeGreaterThan(0);
        second.ShouldBeGreaterThan(first);
        third.ShouldBeGreaterThan(second);
    }

    [Fact]
    public virtual async Task A_new_delivery_is_granted_as_attempt_one_and_found_as_sending()
    {
        var fence = await TakeOverAsync();
        var result = await ClaimAsync(fence, Claim("a"));
        (result.Verdict, result.Row.Attempt, result.Resumed).ShouldBe((ClaimVerdict.Granted, 1, false));
        var row = (await FindAsync("a"))!;
        row.ShouldBe(result.Row);
        (row.State, row.Epoch, row.Channel, row.Recipient, row.UpdatedAt)
            .ShouldBe((DeliveryState.Sending, fence.Epoch, "email", "bob@example.org", Noon));
    }

    [Fact]
    public virtual async Task A_batch_is_answered_in_its_order()
    {
        var fence = await TakeOverAsync();
        await ClaimAsync(fence, Claim("b"));
        var results = await Store.ClaimAsync(fence, [Claim("a"), Claim("b"), Claim("c")], Noon, default);
        results.Select(r => (r.Row.IdempotencyKey, r.Verdict)).ShouldBe(
            [("a", ClaimVerdict.Granted), ("b", ClaimVerdict.InFlight), ("c", ClaimVerdict.Granted)]);
        var done = await Store.CompleteAsync(fence, [Completion("c", 1), Completion("d", 1), Completion("b", 1)], Noon, default);
        done.ShouldBe([true, false, true]);
    }

    [Fact]
    public virtual async Task A_stale_epoch_claims_nothing_and_completes_nothing()
    {
        var old = await TakeOverAsync();
        await ClaimAsync(old, Claim("a"));
        await TakeOverAsync();
        await Should.ThrowAsync<OwnershipLostException>(async () => await ClaimAsync(old, Claim("b")));
        await Should.ThrowAsync<OwnershipLostException>(async () => await CompleteAsync(old, Completion("a", 1)));
        (await FindAsync("b")).ShouldBeNull();
        (await FindAsync("a"))!.State.ShouldBe(DeliveryState.Sending);
    }

    [Fact]
    public virtual async Task An_epoch_that_was_never_given_out_is_refused() =>
        await Should.ThrowAsync<OwnershipLostException>(async () => await ClaimAsync(new(Group, Source, 7), Claim("a")));

    [Fact]
    public virtual async Task Partitions_and_groups_are_fenced_apart()
    {
        var fence = await TakeOverAsync();
        await Store.TakeOverAsync(Group, Source with { Partition = 4 }, default);
        await Store.TakeOverAsync("other", Source, default);
        (await ClaimAsync(fence, Claim("a"))).Verdict.ShouldBe(ClaimVerdict.Granted);
    }

    [Fact]
    public virtual async Task A_sent_delivery_keeps_the_providers_reference_and_ends()
    {
        var fence = await TakeOverAsync();
        await ClaimAsync(fence, Claim("a"));
        (await CompleteAsync(fence, Completion("a", 1) with { ProviderReference = "r-1" })).ShouldBeTrue();
        var again = await ClaimAsync(await TakeOverAsync(), Claim("a"));
        again.Verdict.ShouldBe(ClaimVerdict.Ended);
        (again.Row.State, again.Row.ProviderReference, again.Row.Attempt).ShouldBe((DeliveryState.Sent, "r-1", 1));
    }

    [Fact]
    public virtual async Task A_repeated_completion_is_true_and_changes_nothing()
    {
        var fence = await TakeOverAsync();
        await ClaimAsync(fence, Claim("a"));
        await CompleteAsync(fence, Completion("a", 1) with { ProviderReference = "first" });
        (await CompleteAsync(fence, Completion("a", 1) with { ProviderReference = "second" })).ShouldBeTrue();
        (await FindAsync("a"))!.ProviderReference.ShouldBe("first");
    }

    [Fact]
    public virtual async Task A_completion_of_another_attempt_is_refused()
    {
        var fence = await TakeOverAsync();
        await ClaimAsync(fence, Claim("a"));
        await CompleteAsync(fence, Retry("a", 1));
        await ClaimAsync(fence, Claim("a"));
        (await CompleteAsync(fence, Completion("a", 1))).ShouldBeFalse();
        (await FindAsync("a"))!.State.ShouldBe(DeliveryState.Sending);
    }

    [Fact]
    public virtual async Task A_retry_keeps_its_due_time_and_the_next_attempt_counts_on()
    {
        var fence = await TakeOverAsync();
        await ClaimAsync(fence, Claim("a"));
        await CompleteAsync(fence, Retry("a", 1));
        var row = (await FindAsync("a"))!;
        (row.State, row.NextAt, row.Reason).ShouldBe((DeliveryState.Retry, Noon.AddSeconds(2), "busy \0 'é'"));
        var next = await ClaimAsync(await TakeOverAsync(), Claim("a"));
        (next.Verdict, next.Row.Attempt, next.Row.NextAt, next.Resumed).ShouldBe((ClaimVerdict.Granted, 2, null, false));
    }

    [Theory]
    [InlineData(UnknownOutcomePolicy.ResendWithKey, ClaimVerdict.Granted, DeliveryState.Sending, 2)]
    [InlineData(UnknownOutcomePolicy.AtLeastOnce, ClaimVerdict.Granted, DeliveryState.Sending, 2)]
    [InlineData(UnknownOutcomePolicy.AtMostOnce, ClaimVerdict.Ended, DeliveryState.Unknown, 1)]
    public virtual async Task A_lost_owners_send_follows_the_policy(
        UnknownOutcomePolicy policy, ClaimVerdict verdict, DeliveryState state, int attempt)
    {
        await ClaimAsync(await TakeOverAsync(), Claim("a"));
        var result = await ClaimAsync(await TakeOverAsync(), Claim("a") with { WhenUnknown = policy });
        (result.Verdict, result.Row.State, result.Row.Attempt).ShouldBe((verdict, state, attempt));
        (await FindAsync("a"))!.AttemptsLost.ShouldBe(attempt - 1);
        result.Resumed.ShouldBe(verdict == ClaimVerdict.Granted);
        (await FindAsync("a")).ShouldNotBeNull().State.ShouldBe(state);
    }

    [Theory]
    [InlineData(UnknownOutcomePolicy.AtLeastOnce)]
    [InlineData(UnknownOutcomePolicy.AtMostOnce)]
    public virtual async Task A_claim_let_go_of_before_anything_was_sent_is_no_attempt_to_the_next_owner(UnknownOutcomePolicy policy)
    {
        var fence = await TakeOverAsync();
        var claim = Claim("a") with { WhenUnknown = policy, AttemptsMax = 2 };
        await ClaimAsync(fence, claim);
        await CompleteAsync(fence, Retry("a", 1));
        for (var n = 0; n < 3; n++)
        {
            (await ClaimAsync(fence, claim)).Row.Attempt.ShouldBe(2);
            (await CompleteAsync(fence, Retry("a", 2) with { NothingSent = true })).ShouldBeTrue();
            var row = (await FindAsync("a"))!;
            (row.State, row.Attempt, row.AttemptsLost).ShouldBe((DeliveryState.Retry, 1, 0));
            fence = await TakeOverAsync();
        }

        var result = await ClaimAsync(fence, claim);
        (result.Verdict, result.Row.Attempt, result.Row.AttemptsLost, result.Resumed).ShouldBe((ClaimVerdict.Granted, 2, 0, false));
    }

    [Fact]
    public virtual async Task A_row_of_a_newer_owner_is_left_alone()
    {
        var old = await TakeOverAsync();
        var newer = new DeliveryFence(Group, Source with { Partition = 4 },
            await Store.TakeOverAsync(Group, Source with { Partition = 4 }, default));
        await ClaimAsync(newer, Claim("a"));
        (await ClaimAsync(old, Claim("a"))).Verdict.ShouldBe(ClaimVerdict.HeldByNewer);
        (await FindAsync("a"))!.Epoch.ShouldBe(newer.Epoch);
    }

    [Fact]
    public virtual async Task A_claim_to_skip_ends_a_delivery_before_its_first_attempt()
    {
        var result = await ClaimAsync(await TakeOverAsync(), Claim("a") with { SkipReason = "acknowledged" });
        result.Verdict.ShouldBe(ClaimVerdict.Ended);
        var row = (await FindAsync("a"))!;
        (row.State, row.Attempt, row.Reason).ShouldBe((DeliveryState.Skipped, 0, "acknowledged"));
    }

    [Fact]
    public virtual async Task The_dead_are_listed_with_their_bytes_by_day_and_key_and_counted()
    {
        var fence = await TakeOverAsync();
        foreach (var key in new[] { "c", "a", "b" }) await DieAsync(fence, key, Day);
        await DieAsync(fence, "z", Day.AddDays(-1));
        await ClaimAsync(fence, Claim("x"));
        var dead = await Store.ListDeadAsync("email", null, 3, default);
        dead.Select(r => r.IdempotencyKey).ShouldBe(["z", "a", "b"]);
        dead[0].RecordValue!.Value.ToArray().ShouldBe(Record("z").Value.ToArray());
        dead[0].RecordKey.ShouldBe("user-1");
        (await Store.ListDeadAsync(null, (Day, "b"), 3, default)).Select(r => r.IdempotencyKey).ShouldBe(["c"]);
        (await Store.ListDeadAsync("sms", null, 3, default)).ShouldBeEmpty();
        (await Store.CountDeadAsync("email", default)).ShouldBe(4);
        (await Store.CountDeadAsync("sms", default)).ShouldBe(0);
    }

    [Fact]
    public virtual async Task A_replay_reopens_a_dead_delivery_once_with_attempts_of_its_own()
    {
        var fence = await TakeOverAsync();
        await DieAsync(fence, "a", Day);
        (await ClaimAsync(fence, Claim("a"))).Verdict.ShouldBe(ClaimVerdict.Ended);
        var replay = await ClaimAsync(fence, Claim("a") with { Generation = 1, AttemptsMax = 1 });
        (replay.Verdict, replay.Row.Attempt, replay.Row.Generation, replay.Row.AttemptsBefore).ShouldBe((ClaimVerdict.Granted, 2, 1, 1));
        await CompleteAsync(fence, Completion("a", 2));
        (await ClaimAsync(fence, Claim("a") with { Generation = 1 })).Verdict.ShouldBe(ClaimVerdict.Ended);
        (await Store.CountDeadAsync(null, default)).ShouldBe(0);
        (await FindAsync("a"))!.RecordValue.ShouldBeNull();
    }

    [Fact]
    public virtual async Task One_key_on_two_days_is_two_deliveries()
    {
        var fence = await TakeOverAsync();
        await ClaimAsync(fence, Claim("a"));
        (await ClaimAsync(fence, Claim("a", Day.AddDays(1)))).Verdict.ShouldBe(ClaimVerdict.Granted);
    }

    [Fact]
    public virtual async Task Forgetting_takes_ended_rows_of_older_days_up_to_a_limit()
    {
        var fence = await TakeOverAsync();
        foreach (var key in new[] { "a", "b", "c" }) await DieAsync(fence, key, Day.AddDays(-1));
        await ClaimAsync(fence, Claim("open", Day.AddDays(-1)));
        await DieAsync(fence, "today", Day);
        (await Store.ForgetAsync(Day, 2, default)).ShouldBe(2);
        (await Store.ForgetAsync(Day, 2, default)).ShouldBe(1);
        (await Store.ForgetAsync(Day, 2, default)).ShouldBe(0);
        (await Store.FindAsync(Day.AddDays(-1), "open", default)).ShouldNotBeNull();
        (await FindAsync("today")).ShouldNotBeNull();
    }

    [Fact]
    public virtual async Task Texts_of_any_kind_come_back_as_they_were()
    {
        var odd = "k é \u0000 ' \" 😀";
        var fence = await TakeOverAsync();
        await ClaimAsync(fence, Claim(odd) with { SkipReason = "why \0 é" });
        var row = (await FindAsync(odd))!;
        (row.IdempotencyKey, row.Reason).ShouldBe((odd, "why \0 é"));
    }

    [Fact]
    public virtual async Task Owners_side_by_side_grant_a_key_once()
    {
        var fence = await TakeOverAsync();
        var results = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => ClaimAsync(fence, Claim("a"))));
        results.Count(r => r.Verdict == ClaimVerdict.Granted).ShouldBe(1);
        results.Count(r => r.Verdict == ClaimVerdict.InFlight).ShouldBe(19);
    }

    private static LogRecord Record(string key) => new()
    {
        Source = Source, Offset = 9, AppendedAt = Noon, Key = "user-1", Value = Encoding.UTF8.GetBytes($"\0raw {key} é"),
    };

    private static Delivery Delivery(string key, DateOnly? day) => new()
    {
        IdempotencyKey = key, Day = day ?? Day, Channel = "email", Recipient = "bob@example.org", Content = new byte[] { 1, 2 },
    };

    private static DeliveryClaim Claim(string key, DateOnly? day = null) => new()
    {
        Delivery = Delivery(key, day), Record = Record(key), WhenUnknown = UnknownOutcomePolicy.AtLeastOnce, AttemptsMax = 6,
    };

    private static DeliveryCompletion Completion(string key, int attempt, DateOnly? day = null) => new()
    {
        Delivery = Delivery(key, day), Record = Record(key), Attempt = attempt, State = DeliveryState.Sent,
    };

    private static DeliveryCompletion Retry(string key, int attempt) => Completion(key, attempt) with
    {
        State = DeliveryState.Retry, Reason = "busy \0 'é'", NextAt = Noon.AddSeconds(2),
    };

    private async Task DieAsync(DeliveryFence fence, string key, DateOnly day)
    {
        await ClaimAsync(fence, Claim(key, day));
        await CompleteAsync(fence, Completion(key, 1, day) with { State = DeliveryState.Dead, Reason = "gone" });
    }

    private async Task<DeliveryFence> TakeOverAsync() => new(Group, Source, await Store.TakeOverAsync(Group, Source, default));

    private async Task<ClaimResult> ClaimAsync(DeliveryFence fence, DeliveryClaim claim) =>
        (await Store.ClaimAsync(fence, [claim], Noon, default)).Single();

    private async Task<bool> CompleteAsync(DeliveryFence fence, DeliveryCompletion completion) =>
        (await Store.CompleteAsync(fence, [completion], Noon, default)).Single();

    private Task<DeliveryRow?> FindAsync(string key) => Store.FindAsync(Day, key, default).AsTask();
}
