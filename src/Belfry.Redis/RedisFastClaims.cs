using Belfry.Deliveries;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Belfry.Redis;

/// <summary>
/// The fast claims that several processes share. A Redis that is missing, slow, read-only or emptied makes the store alone decide: a
/// delivery waits for it at most <see cref="RedisOptions.AnswerTimeout"/>, and not at all while it is left alone after failures. Questions
/// asked at one time travel together on one connection. Any thread. Source: design section 8.
/// </summary>
public sealed class RedisFastClaims : IFastClaims, IAsyncDisposable
{
    // Both run on the primary, in one step each, and are sent whole: Redis may forget scripts, and they are short.
    private const CommandFlags OnPrimary = CommandFlags.DemandMaster | CommandFlags.NoScriptCache;

    // KEYS: key. ARGV: mine, completed, milliseconds. 1 claimed, 2 completed, 3 held by another.
    private const string ClaimAgain =
        """
        local held = redis.call('get', KEYS[1])
        if held == ARGV[2] then return 2 end
        if held and held ~= ARGV[1] then return 3 end
        redis.call('set', KEYS[1], ARGV[1], 'px', ARGV[3])
        return 1
        """;

    // KEYS: key. ARGV: mine, completed, seconds. 1 done, 0 not mine.
    private const string CompleteIfMine =
        """
        if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
        redis.call('set', KEYS[1], ARGV[2], 'ex', ARGV[3])
        return 1
        """;

    private readonly RedisOptions _options;
    private readonly RedisConnection _connection;
    private readonly long[] _answers = new long[Enum.GetValues<FastClaim>().Length];
    private long _completions;
    private long _completionsMissed;

    private RedisFastClaims(RedisOptions options, RedisConnection connection) => (_options, _connection) = (options, connection);

    /// <summary>
    /// Connects, waiting at most <see cref="RedisOptions.ConnectTimeout"/>; without Redis the claims are there all the same, and find it
    /// once it comes.
    /// </summary>
    /// <exception cref="ArgumentException">An option is out of its bounds; names all that are.</exception>
    public static async Task<RedisFastClaims> OpenAsync(
        RedisOptions options, TimeProvider time, ILogger logger, CancellationToken cancel)
    {
        options.Validate();
        return new RedisFastClaims(options, await RedisConnection.OpenAsync(options, time, logger, cancel));
    }

    /// <summary>As of now; the figures are read one after another.</summary>
    public RedisClaimsStatus Status
    {
        get
        {
            var health = _connection.Health;
            return new RedisClaimsStatus
            {
                Connected = health.Connected,
                Paused = health.Paused,
                FailingFor = health.FailingFor,
                LastFault = health.LastFault,
                Faults = health.Faults,
                Timeouts = health.Timeouts,
                Connects = health.Connects,
                Claimed = Count(FastClaim.Claimed),
                Completed = Count(FastClaim.Completed),
                HeldByOther = Count(FastClaim.HeldByOther),
                Unavailable = Count(FastClaim.Unavailable),
                Completions = Interlocked.Read(ref _completions),
                CompletionsMissed = Interlocked.Read(ref _completionsMissed),
            };
        }
    }

    public async ValueTask<FastClaim> TryClaimAsync(string key, string owner, CancellationToken cancel)
    {
        var (name, mine) = (ClaimKeys.KeyOf(_options.KeyPrefix, key), ClaimKeys.Processing(owner));
        var answer = await _connection.AskAsync(redis => ClaimAsync(redis, name, mine), FastClaim.Unavailable, cancel);
        Interlocked.Increment(ref _answers[(int)answer]);
        RedisMeter.Claim(answer);
        return answer;
    }

    public async ValueTask<bool> CompleteAsync(string key, string owner, CancellationToken cancel)
    {
        var (name, mine) = (ClaimKeys.KeyOf(_options.KeyPrefix, key), ClaimKeys.Processing(owner));
        var done = await _connection.AskAsync(redis => CompleteAsync(redis, name, mine), false, cancel);
        Interlocked.Increment(ref (done ? ref _completions : ref _completionsMissed));
        RedisMeter.Completion(done);
        return done;
    }

    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    private async Task<FastClaim> ClaimAsync(IDatabase redis, RedisKey key, RedisValue mine)
    {
        if (await redis.StringSetAsync(key, mine, _options.ProcessingFor, When.NotExists, CommandFlags.DemandMaster))
            return FastClaim.Claimed;

        // Not free, and seldom so: ours from before, ended, or another's.
        var milliseconds = (long)_options.ProcessingFor.TotalMilliseconds;
        var answer = (int)await redis.ScriptEvaluateAsync(ClaimAgain, [key], [mine, ClaimKeys.Completed, milliseconds], OnPrimary);
        return answer switch { 1 => FastClaim.Claimed, 2 => FastClaim.Completed, _ => FastClaim.HeldByOther };
    }

    private async Task<bool> CompleteAsync(IDatabase redis, RedisKey key, RedisValue mine)
    {
        var seconds = (long)_options.CompletedFor.TotalSeconds;
        return (int)await redis.ScriptEvaluateAsync(CompleteIfMine, [key], [mine, ClaimKeys.Completed, seconds], OnPrimary) == 1;
    }

    private long Count(FastClaim answer) => Interlocked.Read(ref _answers[(int)answer]);
}
