using Belfry.Deliveries;
using Belfry.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace Belfry.Redis.Tests;

[Collection(RedisCollection.Name)]
public sealed class RedisFastClaimsTests(SharedRedis redis) : FastClaimsSpec
{
    private readonly string _prefix = $"test-{Guid.NewGuid():N}:";
    private RedisFastClaims _claims = null!;
    private ConnectionMultiplexer _client = null!;

    // A busy machine may answer late, and these tests are not about that.
    private RedisOptions Options => new()
    {
        Configuration = redis.Configuration, KeyPrefix = _prefix, AnswerTimeout = TimeSpan.FromSeconds(20),
        ConnectTimeout = TimeSpan.FromSeconds(20), ProcessingFor = TimeSpan.FromMinutes(10),
    };

    protected override async Task<IFastClaims> OpenAsync()
    {
        _client = await ConnectionMultiplexer.ConnectAsync(redis.Configuration);
        return _claims = await OpenAsync(Options);
    }

    protected override async Task CloseAsync()
    {
        await _claims.DisposeAsync();
        _client.Close(false);
    }

    [RedisFact]
    public override Task A_free_key_is_claimed() => base.A_free_key_is_claimed();

    [RedisFact]
    public override Task Its_owner_may_claim_a_key_again() => base.Its_owner_may_claim_a_key_again();

    [RedisFact]
    public override Task Another_owner_is_told_that_a_key_is_held() => base.Another_owner_is_told_that_a_key_is_held();

    [RedisFact]
    public override Task A_completed_key_is_completed_for_everybody() => base.A_completed_key_is_completed_for_everybody();

    [RedisFact]
    public override Task Only_the_holder_completes_a_key() => base.Only_the_holder_completes_a_key();

    [RedisFact]
    public override Task A_key_that_nobody_claimed_cannot_be_completed() => base.A_key_that_nobody_claimed_cannot_be_completed();

    [RedisFact]
    public override Task Keys_and_owners_may_hold_any_text() => base.Keys_and_owners_may_hold_any_text();

    [RedisFact]
    public override Task Of_many_at_once_one_gets_the_key() => base.Of_many_at_once_one_gets_the_key();

    [RedisFact]
    public async Task A_claim_holds_for_the_processing_time_and_an_end_for_a_day()
    {
        await _claims.TryClaimAsync("k", "deliver-sms/notifications[3]:7", default);
        var database = _client.GetDatabase();
        (await database.StringGetAsync(KeyOf("k"))).ToString().ShouldBe("P:deliver-sms/notifications[3]:7");
        (await LeftAsync("k")).ShouldBeInRange(570_000, 600_000);

        (await _claims.CompleteAsync("k", "deliver-sms/notifications[3]:7", default)).ShouldBeTrue();
        (await database.StringGetAsync(KeyOf("k"))).ToString().ShouldBe("C");
        (await LeftAsync("k")).ShouldBeInRange(86_370_000, 86_400_000);
    }

    [RedisFact]
    public async Task Times_that_are_no_whole_seconds_are_kept_to_the_millisecond()
    {
        await using var claims = await OpenAsync(Options with { ProcessingFor = TimeSpan.FromMilliseconds(300_500) });
        await claims.TryClaimAsync("k", "a", default);
        (await LeftAsync("k")).ShouldBeInRange(270_000, 300_500);
    }

    [RedisFact]
    public async Task A_claim_made_again_holds_anew_and_anothers_leaves_it_as_it_is()
    {
        await _claims.TryClaimAsync("k", "a", default);
        await _client.GetDatabase().KeyExpireAsync(KeyOf("k"), TimeSpan.FromMinutes(3));
        await _claims.TryClaimAsync("k", "b", default);
        (await LeftAsync("k")).ShouldBeLessThanOrEqualTo(180_000);
        await _claims.TryClaimAsync("k", "a", default);
        (await LeftAsync("k")).ShouldBeInRange(570_000, 600_000);
    }

    [RedisFact]
    public async Task The_owner_of_an_older_epoch_cannot_complete_what_a_newer_one_claimed()
    {
        (await _claims.TryClaimAsync("k", "g/t[0]:7", default)).ShouldBe(FastClaim.Claimed);
        (await _claims.TryClaimAsync("k", "g/t[0]:8", default)).ShouldBe(FastClaim.HeldByOther);
        await _client.GetDatabase().KeyDeleteAsync(KeyOf("k"));
        (await _claims.TryClaimAsync("k", "g/t[0]:8", default)).ShouldBe(FastClaim.Claimed);
        (await _claims.CompleteAsync("k", "g/t[0]:7", default)).ShouldBeFalse();
        (await _claims.TryClaimAsync("k", "g/t[0]:7", default)).ShouldBe(FastClaim.HeldByOther);
        (await _claims.CompleteAsync("k", "g/t[0]:8", default)).ShouldBeTrue();
        (await _claims.TryClaimAsync("k", "g/t[0]:7", default)).ShouldBe(FastClaim.Completed);
    }

    [RedisFact]
    public async Task Two_processes_share_their_claims()
    {
        await using var other = await OpenAsync(Options);
        (await _claims.TryClaimAsync("k", "a", default)).ShouldBe(FastClaim.Claimed);
        (await other.TryClaimAsync("k", "b", default)).ShouldBe(FastClaim.HeldByOther);
        (await _claims.CompleteAsync("k", "a", default)).ShouldBeTrue();
        (await other.TryClaimAsync("k", "b", default)).ShouldBe(FastClaim.Completed);
    }

    [RedisFact]
    public async Task Prefixes_and_databases_keep_claims_apart()
    {
        await using var prefix = await OpenAsync(Options with { KeyPrefix = _prefix + "2" });
        await using var database = await OpenAsync(Options with { Database = 1 });
        (await _claims.TryClaimAsync("k", "a", default)).ShouldBe(FastClaim.Claimed);
        (await prefix.TryClaimAsync("k", "b", default)).ShouldBe(FastClaim.Claimed);
        (await database.TryClaimAsync("k", "c", default)).ShouldBe(FastClaim.Claimed);
        (await _client.GetDatabase(1).KeyDeleteAsync(KeyOf("k"))).ShouldBeTrue();
    }

    [RedisFact]
    public async Task What_happened_is_counted()
    {
        await _claims.TryClaimAsync("k", "a", default);
        await _claims.TryClaimAsync("k", "b", default);
        await _claims.CompleteAsync("k", "b", default);
        await _claims.CompleteAsync("k", "a", default);
        await _claims.TryClaimAsync("k", "b", default);
        _claims.Status.ShouldBe(new RedisClaimsStatus
        {
            Connected = true, Paused = false, FailingFor = null, LastFault = null, Claimed = 1, Completed = 1, HeldByOther = 1,
            Unavailable = 0, Completions = 1, CompletionsMissed = 1, Faults = 0, Timeouts = 0, Connects = 1,
        });
    }

    [RedisFact]
    public async Task A_caller_that_stops_waiting_is_no_fault_of_redis()
    {
        using var stop = new CancellationTokenSource();
        await stop.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(async () => await _claims.TryClaimAsync("k", "a", stop.Token));
        _claims.Status.Faults.ShouldBe(0);
    }

    [RedisFact]
    public async Task After_it_was_closed_the_store_alone_decides()
    {
        var claims = await OpenAsync(Options);
        await claims.DisposeAsync();
        await claims.DisposeAsync();
        (await claims.TryClaimAsync("k", "a", default)).ShouldBe(FastClaim.Unavailable);
        (await claims.CompleteAsync("k", "a", default)).ShouldBeFalse();
    }

    private static Task<RedisFastClaims> OpenAsync(RedisOptions options) =>
        RedisFastClaims.OpenAsync(options, TimeProvider.System, NullLogger.Instance, default);

    private string KeyOf(string key) => $"{_prefix}claim:{key}";

    private async Task<double> LeftAsync(string key) =>
        (await _client.GetDatabase().KeyTimeToLiveAsync(KeyOf(key)))!.Value.TotalMilliseconds;
}
