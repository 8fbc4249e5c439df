using Belfry.Log;
using Belfry.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace Belfry.Redis.Tests;

[Collection(RedisCollection.Name)]
public sealed class RedisHintStoreTests(SharedRedis redis) : HintStoreSpec
{
    private readonly string _prefix = $"test-{Guid.NewGuid():N}:";
    private RedisHintStore _hints = null!;

    private RedisOptions Options => new()
    {
        Configuration = redis.Configuration, KeyPrefix = _prefix, AnswerTimeout = TimeSpan.FromSeconds(20),
        ConnectTimeout = TimeSpan.FromSeconds(20),
    };

    protected override async Task<IHintStore> OpenAsync() => _hints = await OpenAsync(Options);

    protected override async Task CloseAsync() => await _hints.DisposeAsync();

    protected override Task PassUntilAsync(Func<Task<bool>> isSo) => Eventually.TrueAsync(isSo);

    [RedisFact]
    public override Task An_expiry_changes_how_long_a_key_is_kept_and_nothing_else() =>
        base.An_expiry_changes_how_long_a_key_is_kept_and_nothing_else();

    [RedisFact]
    public override Task What_was_never_written_is_empty() => base.What_was_never_written_is_empty();

    [RedisFact]
    public override Task A_value_takes_the_place_of_the_one_before() => base.A_value_takes_the_place_of_the_one_before();

    [RedisFact]
    public override Task A_first_value_changes_none_that_is_there() => base.A_first_value_changes_none_that_is_there();

    [RedisFact]
    public override Task Hints_of_one_lot_are_written_in_their_order() => base.Hints_of_one_lot_are_written_in_their_order();

    [RedisFact]
    public override Task A_list_is_read_newest_first_and_loses_its_oldest() => base.A_list_is_read_newest_first_and_loses_its_oldest();

    [RedisFact]
    public override Task Values_are_answered_in_the_order_of_their_keys() => base.Values_are_answered_in_the_order_of_their_keys();

    [RedisFact]
    public override Task Bytes_come_back_as_they_were() => base.Bytes_come_back_as_they_were();

    [RedisFact]
    public override Task What_is_out_of_bounds_is_refused_as_a_whole() => base.What_is_out_of_bounds_is_refused_as_a_whole();

    [RedisFact]
    public override Task Writers_at_one_time_lose_nothing_of_each_other() => base.Writers_at_one_time_lose_nothing_of_each_other();

    [RedisFact]
    public async Task Every_key_has_an_end_and_two_processes_share_it()
    {
        await WriteAsync(Value("v", "1"), First("f", "1"), Entry("l", "1"));
        await using var other = await OpenAsync(Options);
        (await other.EntriesAsync("l", 10, default))!.Count.ShouldBe(1);
        using var client = await ConnectionMultiplexer.ConnectAsync(redis.Configuration);
        foreach (var key in (string[])["v", "f", "l"])
        {
            var left = await client.GetDatabase().KeyTimeToLiveAsync($"{_prefix}hint:{key}");
            left!.Value.ShouldBeInRange(TimeSpan.FromMinutes(4), TimeSpan.FromMinutes(5), key);
        }
    }

    [OwnRedisFact]
    public async Task A_redis_that_is_killed_is_not_reachable_and_comes_back_empty()
    {
        await using var server = await RedisServer.StartAsync();
        await using var hints = await OpenAsync(OutageRig.Options(server.Configuration));
        await Eventually.TrueAsync(async () => await hints.WriteAsync([Value("k", "1")], default));
        await server.KillAsync();
        await NotReachableAsync(hints);
        await server.StartAgainAsync();
        await Eventually.TrueAsync(async () => await hints.WriteAsync([Value("after", "1")], default));
        (await hints.ValuesAsync(["k", "after"], default))!.Select(value => value is null).ShouldBe([true, false]);
    }

    [OwnRedisFact]
    public async Task A_frozen_redis_costs_its_time_limit_a_few_times_and_an_emptied_one_nothing()
    {
        await using var server = await RedisServer.StartAsync();
        await using var hints = await OpenAsync(OutageRig.Options(server.Configuration) with
        {
            AnswerTimeout = TimeSpan.FromSeconds(2), PauseFor = TimeSpan.FromSeconds(30), PauseForMax = TimeSpan.FromSeconds(30),
        });
        await Eventually.TrueAsync(async () => await hints.WriteAsync([Value("k", "1")], default));
        await server.RunAsync("FLUSHALL");
        await Eventually.TrueAsync(async () => await hints.ValuesAsync(["k"], default) is [null]);
        server.Freeze();
        var watch = System.Diagnostics.Stopwatch.StartNew();
        for (var i = 0; i < 300; i++) await NotReachableAsync(hints);
        watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(20));
        server.Thaw();
    }

    [OwnRedisFact]
    public async Task A_full_redis_and_a_lot_of_which_one_is_refused_are_not_reachable()
    {
        await using var server = await RedisServer.StartAsync("--maxmemory", "1mb", "--maxmemory-policy", "noeviction");
        await using var hints = await OpenAsync(OutageRig.Options(server.Configuration));
        var lot = Enumerable.Range(0, 500).Select(i => Value($"k{i}", new string('v', 4_000))).ToList();
        (await hints.WriteAsync(lot, default)).ShouldBeFalse();
    }

    private static async Task NotReachableAsync(RedisHintStore hints)
    {
        (await hints.WriteAsync([Value("x", "1"), Entry("l", "1")], default)).ShouldBeFalse();
        (await hints.ValuesAsync(["x"], default)).ShouldBeNull();
        (await hints.EntriesAsync("l", 10, default)).ShouldBeNull();
    }

    private static Task<RedisHintStore> OpenAsync(RedisOptions options) =>
        RedisHintStore.OpenAsync(options, TimeProvider.System, NullLogger.Instance, default);
}
