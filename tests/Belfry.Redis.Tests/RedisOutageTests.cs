using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Belfry.Deliveries;

namespace Belfry.Redis.Tests;

/// <summary>Redis is gone, silent or emptied: the claims say so in time, and go on when it is back.</summary>
[Collection(RedisCollection.Name)]
public sealed class RedisOutageTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(5);

    [OwnRedisFact]
    public async Task A_redis_emptied_between_claim_and_end_knows_of_neither()
    {
        await using var server = await RedisServer.StartAsync();
        await using var claims = await OutageRig.OpenAsync(OutageRig.Options(server.Configuration));
        await claims.ClaimsAgainAsync();
        (await claims.ClaimAsync("k", "a")).ShouldBe(FastClaim.Claimed);
        await server.RunAsync("FLUSHALL");
        (await claims.CompleteAsync("k", "a", default)).ShouldBeFalse();
        (await claims.ClaimAsync("k", "b")).ShouldBe(FastClaim.Claimed);
        (await claims.CompleteAsync("k", "b", default)).ShouldBeTrue();
    }

    [OwnRedisFact]
    public async Task A_redis_killed_with_claims_in_flight_answers_none_of_them_and_is_found_again()
    {
        await using var server = await RedisServer.StartAsync();
        await using var claims = await OutageRig.OpenAsync(OutageRig.Options(server.Configuration));
        await claims.ClaimsAgainAsync();
        (await claims.ClaimAsync("kept")).ShouldBe(FastClaim.Claimed);

        server.Freeze();
        var caught = Enumerable.Range(0, 500).Select(i => claims.ClaimAsync($"caught-{i}")).ToList();
        await server.KillAsync();
        (await Task.WhenAll(caught)).ShouldAllBe(answer => answer == FastClaim.Unavailable);
        (await claims.ClaimAsync("while-dead")).ShouldBe(FastClaim.Unavailable);
        (await claims.CompleteAsync("kept", "a", default)).ShouldBeFalse();
        claims.Status.FailingFor.ShouldNotBeNull();
        claims.Status.LastFault.ShouldNotBeNull();

        await server.StartAgainAsync();
        await claims.ClaimsAgainAsync();
        claims.Status.Paused.ShouldBeFalse();
        claims.Status.FailingFor.ShouldBeNull();
        (await claims.CompleteAsync("kept", "a", default)).ShouldBeFalse();
        (await claims.ClaimAsync("kept", "b")).ShouldBe(FastClaim.Claimed);
    }

    [OwnRedisFact]
    public async Task A_redis_that_is_not_there_at_the_start_is_found_when_it_comes()
    {
        var port = RedisServer.FreePort();
        await using var claims = await OutageRig.OpenAsync(OutageRig.Options($"localhost:{port}"));
        (await claims.ClaimAsync("k")).ShouldBe(FastClaim.Unavailable);
        claims.Status.Connected.ShouldBeFalse();
        await using var server = await RedisServer.StartAsync(port);
        await claims.ClaimsAgainAsync();
        claims.Status.Connected.ShouldBeTrue();
    }

    [Fact]
    public async Task A_name_that_leads_nowhere_stops_no_start()
    {
        await using var claims = await OutageRig.OpenAsync(OutageRig.Options("redis.invalid:6379"));
        (await claims.ClaimAsync("k")).ShouldBe(FastClaim.Unavailable);
        (await claims.CompleteAsync("k", "a", default)).ShouldBeFalse();
    }

    [Fact]
    public async Task A_server_that_says_nothing_stops_no_start()
    {
        using var mute = new TcpListener(IPAddress.Loopback, 0);
        mute.Start();
        var watch = Stopwatch.StartNew();
        await using var claims = await OutageRig.OpenAsync(
            OutageRig.Options($"127.0.0.1:{((IPEndPoint)mute.LocalEndpoint).Port}") with { ConnectTimeout = TimeSpan.FromSeconds(2) });
        (await claims.ClaimAsync("k")).ShouldBe(FastClaim.Unavailable);
        watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(20));
    }

    [OwnRedisFact]
    public async Task A_frozen_redis_costs_its_time_limit_a_few_times_and_not_each_time()
    {
        await using var server = await RedisServer.StartAsync();
        await using var claims = await OutageRig.OpenAsync(
            OutageRig.Options(server.Configuration) with { AnswerTimeout = Soon, PauseFor = Long, PauseForMax = Long });
        await claims.ClaimsAgainAsync();
        server.Freeze();
        var watch = Stopwatch.StartNew();
        for (var i = 0; i < 1_000; i++) (await claims.ClaimAsync($"k{i}")).ShouldBe(FastClaim.Unavailable);
        watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(20));
        claims.Status.Paused.ShouldBeTrue();
        claims.Status.Faults.ShouldBeInRange(3, 10);
        server.Thaw();
        await claims.ClaimsAgainAsync();
    }

    [OwnRedisFact]
    public async Task A_connection_that_leads_nowhere_any_more_is_made_anew()
    {
        await using var server = await RedisServer.StartAsync();
        await using var proxy = new FreezingProxy(server.Port);

        // One question that is never answered is all that may be in flight, and yet it is not the end.
        await using var claims = await OutageRig.OpenAsync(OutageRig.Options(proxy.Configuration) with
        {
            AnswerTimeout = Soon, ConnectTimeout = TimeSpan.FromSeconds(2), ReconnectAfter = TimeSpan.FromSeconds(2), InFlightMax = 1,
        });
        await claims.ClaimsAgainAsync();
        proxy.Freeze();
        (await claims.ClaimAsync("k")).ShouldBe(FastClaim.Unavailable);
        claims.Status.Connected.ShouldBeTrue();
        claims.Status.Connects.ShouldBe(1);
        await claims.ClaimsAgainAsync();
        claims.Status.Connects.ShouldBeGreaterThan(1);
    }
}
