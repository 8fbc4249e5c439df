using Belfry.Deliveries;
using Belfry.Testing;

namespace Belfry.Redis.Tests;

/// <summary>Redis is there and will not write: that is no answer to a claim either.</summary>
[Collection(RedisCollection.Name)]
public sealed class RedisRefusalTests
{
    [OwnRedisFact]
    public async Task A_primary_that_became_a_replica_is_unavailable_until_it_is_one_again()
    {
        await using var server = await RedisServer.StartAsync();
        await using var claims = await OutageRig.OpenAsync(OutageRig.Options(server.Configuration));
        await claims.ClaimsAgainAsync();
        (await claims.ClaimAsync("k")).ShouldBe(FastClaim.Claimed);
        await server.RunAsync("REPLICAOF", "127.0.0.1", RedisServer.FreePort());
        (await claims.ClaimAsync("k2")).ShouldBe(FastClaim.Unavailable);
        claims.Status.LastFault!.ShouldContain("READONLY");
        (await claims.CompleteAsync("k", "a", default)).ShouldBeFalse();
        await server.RunAsync("REPLICAOF", "NO", "ONE");
        await claims.ClaimsAgainAsync();
    }

    [OwnRedisFact]
    public async Task A_replica_met_at_the_start_is_unavailable_and_found_to_be_the_primary_once_it_is()
    {
        await using var server = await RedisServer.StartAsync("--replicaof", "127.0.0.1", $"{RedisServer.FreePort()}");
        await using var claims = await OutageRig.OpenAsync(
            OutageRig.Options(server.Configuration) with
            {
                ConnectTimeout = TimeSpan.FromSeconds(2), ReconnectAfter = TimeSpan.FromSeconds(2),
            });
        (await claims.ClaimAsync("k")).ShouldBe(FastClaim.Unavailable);
        (await claims.CompleteAsync("k", "a", default)).ShouldBeFalse();
        await server.RunAsync("REPLICAOF", "NO", "ONE");
        await claims.ClaimsAgainAsync();
    }

    [OwnRedisFact]
    public async Task A_primary_that_lacks_its_replicas_is_unavailable()
    {
        await using var server = await RedisServer.StartAsync();
        await using var claims = await OutageRig.OpenAsync(OutageRig.Options(server.Configuration));
        await claims.ClaimsAgainAsync();
        await server.RunAsync("CONFIG", "SET", "min-replicas-to-write", "1");
        (await claims.ClaimAsync("k")).ShouldBe(FastClaim.Unavailable);
        claims.Status.LastFault!.ShouldContain("NOREPLICAS");
        await server.RunAsync("CONFIG", "SET", "min-replicas-to-write", "0");
        await claims.ClaimsAgainAsync();
    }

    [OwnRedisFact]
    public async Task A_redis_without_memory_left_is_unavailable()
    {
        await using var server = await RedisServer.StartAsync("--maxmemory-policy", "noeviction");
        await using var claims = await OutageRig.OpenAsync(OutageRig.Options(server.Configuration));
        await claims.ClaimsAgainAsync();
        await server.RunAsync("CONFIG", "SET", "maxmemory", "1");
        (await claims.ClaimAsync("k")).ShouldBe(FastClaim.Unavailable);
        claims.Status.LastFault!.ShouldContain("OOM");
        await server.RunAsync("CONFIG", "SET", "maxmemory", "0");
        await claims.ClaimsAgainAsync();
    }

    [OwnRedisFact]
    public async Task A_wrong_password_is_unavailable_and_the_right_one_claims()
    {
        await using var server = await RedisServer.StartAsync("--requirepass", "right");
        await using var wrong = await OutageRig.OpenAsync(OutageRig.Options($"{server.Configuration},password=wrong"));
        (await wrong.ClaimAsync("k")).ShouldBe(FastClaim.Unavailable);
        wrong.Status.LastFault!.ShouldNotContain("password=");
        await using var right = await OutageRig.OpenAsync(OutageRig.Options($"{server.Configuration},password=right"));
        await right.ClaimsAgainAsync();
    }

    [OwnRedisFact]
    public async Task A_server_without_tls_is_unavailable_to_who_demands_it()
    {
        await using var server = await RedisServer.StartAsync();
        await using var claims = await OutageRig.OpenAsync(OutageRig.Options(server.Configuration) with { Tls = true });
        (await claims.ClaimAsync("k")).ShouldBe(FastClaim.Unavailable);
    }

    [OwnRedisFact]
    public async Task A_key_that_holds_something_else_is_unavailable()
    {
        await using var server = await RedisServer.StartAsync();
        await using var claims = await OutageRig.OpenAsync(OutageRig.Options(server.Configuration));
        await claims.ClaimsAgainAsync();
        await server.RunAsync("LPUSH", "belfry:claim:k", "x");
        (await claims.ClaimAsync("k")).ShouldBe(FastClaim.Unavailable);
        (await claims.ClaimAsync("k2")).ShouldBe(FastClaim.Claimed);
    }

    [OwnRedisFact]
    public async Task A_slow_redis_is_waited_for_by_the_limit_then_left_alone_then_asked_by_one_at_a_time()
    {
        await using var server = await RedisServer.StartAsync();
        var time = new ManualTime();
        var options = new RedisOptions { Configuration = server.Configuration, ConnectTimeout = TimeSpan.FromSeconds(20) };
        await using var claims = await OutageRig.OpenAsync(options, time);
        (await claims.ClaimAsync("first")).ShouldBe(FastClaim.Claimed);

        // An idle hour is no outage.
        time.Advance(TimeSpan.FromHours(1));
        await server.RunAsync("CLIENT", "PAUSE", "600000", "WRITE");
        for (var i = 0; i < options.FailuresToPause; i++)
        {
            var slow = claims.ClaimAsync($"slow-{i}");
            time.Advance(options.AnswerTimeout - TimeSpan.FromMilliseconds(1));
            slow.IsCompleted.ShouldBeFalse();
            time.Advance(TimeSpan.FromMilliseconds(1));
            (await slow).ShouldBe(FastClaim.Unavailable);
        }

        AtOnce(claims.ClaimAsync("paused")).ShouldBe(FastClaim.Unavailable);
        claims.Status.Paused.ShouldBeTrue();
        claims.Status.FailingFor.ShouldBe(options.AnswerTimeout * (options.FailuresToPause - 1));

        time.Advance(options.PauseFor);
        var probe = claims.ClaimAsync("probe");
        AtOnce(claims.ClaimAsync("beside the probe")).ShouldBe(FastClaim.Unavailable);
        probe.IsCompleted.ShouldBeFalse();
        time.Advance(options.AnswerTimeout);
        (await probe).ShouldBe(FastClaim.Unavailable);
        time.Advance(options.PauseFor * 2 - TimeSpan.FromMilliseconds(1));
        AtOnce(claims.ClaimAsync("paused for twice as long")).ShouldBe(FastClaim.Unavailable);

        time.Advance(TimeSpan.FromMilliseconds(1));
        probe = claims.ClaimAsync("second probe");
        await server.RunAsync("CLIENT", "UNPAUSE");
        (await probe).ShouldBe(FastClaim.Claimed);
        (await claims.ClaimAsync("again")).ShouldBe(FastClaim.Claimed);
        var status = claims.Status;
        status.Paused.ShouldBeFalse();
        (status.Faults, status.Timeouts, status.Unavailable, status.Claimed, status.Connects).ShouldBe((4, 4, 7, 3, 1));
    }

    [OwnRedisFact]
    public async Task Claims_do_not_wait_for_each_others_answers_and_their_number_is_bounded()
    {
        await using var server = await RedisServer.StartAsync();
        var options = OutageRig.Options(server.Configuration) with { AnswerTimeout = TimeSpan.FromSeconds(30), InFlightMax = 2_000 };
        await using var claims = await OutageRig.OpenAsync(options);
        await claims.ClaimsAgainAsync();
        await server.RunAsync("CLIENT", "PAUSE", "600000", "WRITE");
        var asked = Enumerable.Range(0, 2_000).Select(i => claims.ClaimAsync($"k{i}")).ToList();
        AtOnce(claims.ClaimAsync("one too many")).ShouldBe(FastClaim.Unavailable);

        // All are on the wire, none is answered; each takes more than 50 bytes.
        await Eventually.TrueAsync(async () => await ReceivedAsync(server) > 2_000 * 50);
        asked.ShouldAllBe(claim => !claim.IsCompleted);
        await server.RunAsync("CLIENT", "UNPAUSE");
        (await Task.WhenAll(asked)).ShouldAllBe(answer => answer == FastClaim.Claimed);
        (await claims.ClaimAsync("one more")).ShouldBe(FastClaim.Claimed);
    }

    private static FastClaim AtOnce(Task<FastClaim> claim)
    {
        claim.IsCompleted.ShouldBeTrue();
        return claim.Result;
    }

    private static async Task<long> ReceivedAsync(RedisServer server)
    {
        var line = ((string)(await server.RunAsync("INFO", "stats"))!).Split("\r\n")
            .Single(line => line.StartsWith("total_net_input_bytes:", StringComparison.Ordinal));
        return long.Parse(line.Split(':')[1]);
    }
}
