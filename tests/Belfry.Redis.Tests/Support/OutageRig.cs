using Belfry.Deliveries;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Redis.Tests;

/// <summary>
/// Claims whose Redis is about to have trouble. Pauses are short, so that a test is short too; the time limits are long, for a busy machine
/// answers late.
/// </summary>
internal static class OutageRig
{
    public static RedisOptions Options(string configuration) => new()
    {
        Configuration = configuration, ConnectTimeout = TimeSpan.FromSeconds(20), AnswerTimeout = TimeSpan.FromSeconds(10),
        PauseFor = TimeSpan.FromMilliseconds(50), PauseForMax = TimeSpan.FromMilliseconds(200), ReconnectAfter = TimeSpan.FromSeconds(60),
    };

    public static Task<RedisFastClaims> OpenAsync(RedisOptions options, TimeProvider? time = null) =>
        RedisFastClaims.OpenAsync(options, time ?? TimeProvider.System, NullLogger.Instance, default);

    public static Task<FastClaim> ClaimAsync(this RedisFastClaims claims, string key, string owner = "a") =>
        claims.TryClaimAsync(key, owner, default).AsTask();

    /// <summary>Waits until Redis answers; each time with a key of its own.</summary>
    public static Task ClaimsAgainAsync(this RedisFastClaims claims) =>
        Eventually.IsAsync(() => claims.ClaimAsync($"{Guid.NewGuid()}"), FastClaim.Claimed);
}
